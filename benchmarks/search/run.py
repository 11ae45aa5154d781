"""Search in sets that differ in kind: what views, centring, fusion and scorings gain.

Maps learn from pairs of other sources than the reported set, and what is chosen is chosen by the
sets of other sources, or by the retriever itself. Past queries are one half of a set's queries,
of which the other one is scored, both ways.
"""

from .._lib.data import LANGUAGES, SETS, data_folder
from .._lib.kept import Kept
from .._lib.machine import machine
from .._lib.paths import CACHE
from .._lib.tables import publish, rounded
from . import costs, known
from .methods import METHODS, Views, measure
from .report import pages, readme
from .sets import CELLS, KINDS, load
from .summary import read_ranks, summarize

__all__ = ["main", "pages", "readme"]


def main() -> None:
    print(machine(), "\n")
    views, kept = Views(data_folder()), Kept(CACHE / "search.json")
    sets: dict[str, dict] = {name: {} for name in KINDS}
    for name, language in CELLS:
        found = load(views.folder, name, language)
        sets[name][language] = [len(found.queries), len(found.documents)]
        for method, of in METHODS.items():
            kept.keep(f"{method}/{name}/{language}", measure, of, views, name, language, found)
    translations = [(name, language) for name in SETS for language in LANGUAGES]
    for name, language in translations:
        kept.keep(f"both directions/{name}/{language}", known.measure, views, name, language)
    results = {
        "sets": sets,
        **summarize(read_ranks(kept.cells, list(METHODS), CELLS)),
        "known": {
            f"{name} {language}": {
                "fused": kept.cells[f"both directions/{name}/{language}"],
                "best": known.best()[name][language],
            }
            for name, language in translations
        },
        "costs": costs.measure(views),
    }
    publish("search", rounded(results), pages, readme, depth=3)


if __name__ == "__main__":
    main()
