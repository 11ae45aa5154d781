"""Trained maps beside closed forms: by number of pairs in both directions, and for search.

Nothing is chosen on a test row. The defaults that the part for search measures were developed with
Tatoeba scores in sight.
"""

from .._lib.data import SEEDS, data_folder
from .._lib.kept import Kept
from .._lib.machine import machine
from .._lib.paths import CACHE
from .._lib.tables import publish, read_results
from . import search
from .report import pages, readme
from .sizes import ENCODERS, N_HELD_OUT, SIZES, encoded, measure, summarize

__all__ = ["PARTS", "main", "pages", "readme"]

SEARCH = "search"
PARTS = (*ENCODERS, SEARCH)
DEPTH = 6  # dicts on lines of their own, but not the numbers of a map


def main(only: str | None = None) -> None:
    """Measure one part, or all of them: each encoder by number of pairs, and the maps for search."""
    print(machine(), "\n")
    for name in ENCODERS:
        if only in (None, name):
            measure(encoded(name, data_folder()), cells_of(name), write_sizes)
    if only in (None, SEARCH):
        search.measure(write_search)


def cells_of(name: str) -> Kept:
    """Cells of an encoder, as its last run left them."""
    return Kept(CACHE / f"adapters-{name}.json")


def write_sizes() -> None:
    """Publish the cells of all encoders; one without cells keeps what is recorded."""
    results = read_results("adapters")
    summaries = dict(results.get("sizes", {}).get("encoders", {}))
    for name in ENCODERS:
        cells = cells_of(name).cells
        if cells:
            summaries[name] = summarize(cells)
    sizes = {
        "machine": machine(),
        "pairs": list(SIZES),
        "seeds": list(SEEDS),
        "held_out": N_HELD_OUT,
        "encoders": {name: summaries[name] for name in ENCODERS if name in summaries},
    }
    publish("adapters", {**results, "sizes": sizes}, pages, readme, depth=DEPTH)


def write_search(scores: dict) -> None:
    """Publish the maps for search, beside what is recorded by number of pairs."""
    results = {**read_results("adapters"), "machine": machine(), "scores": scores}
    publish("adapters", results, pages, readme, depth=DEPTH)
