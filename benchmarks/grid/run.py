"""Every method at every number of pairs: accuracy of English heads, and retrieval.

Targets are rows of a multilingual encoder. The English system is the same encoder, an English-only
one, or a bag of words. Nothing is chosen on a test row.
"""

from .._lib.data import MAX_PAIRS, SEEDS, data_folder
from .._lib.machine import machine
from .._lib.paths import CACHE
from .._lib.tables import write_results
from .cells import Cells
from .report import write_plots, write_tables
from .summary import Summary, summarize
from .systems import Setup, itself, minilm, tfidf

DEPTH = 6  # dicts of the means on lines of their own, but not the methods of each


def main() -> None:
    print(machine(), "\n")
    for seeds in (SEEDS[:1], SEEDS):  # one of everything, and then the spread
        measured: dict[str, dict] = {}
        for name in MAX_PAIRS:
            measured |= measure(name, seeds).cells
        summary = Summary(write_results("grid", summarize(Cells(measured)), depth=DEPTH))
        write_tables(summary)
        write_plots(summary)


def measure(name: str, seeds: tuple[int, ...]) -> Cells:
    """All cells of an encoder; those that are in the cache already are not measured again."""
    CACHE.mkdir(exist_ok=True)
    cells = Cells(path=CACHE / f"grid-{name}.json")
    setup = Setup(name, data_folder(), cells, seeds=seeds)
    minilm(setup)
    tfidf(setup)
    itself(setup)
    return cells
