"""Every method at every number of pairs: accuracy of English heads, and retrieval.

Targets are rows of a multilingual encoder. The English system is the same encoder, an English-only
one, or a bag of words. Nothing is chosen on a test row.
"""

from .._lib.data import SEEDS, data_folder
from .._lib.machine import machine
from .._lib.paths import CACHE
from .cells import Grid
from .methods import POOL
from .report import report


def run(name, seeds=SEEDS):
    """All cells of an encoder; what is there already is not computed again."""
    CACHE.mkdir(exist_ok=True)
    grid = Grid(name, data_folder(), CACHE / f"grid-{name}.json", seeds=seeds)
    grid.minilm()
    grid.tfidf()
    grid.itself()
    return grid.cells


def main():
    print(machine(), "\n")
    for seeds in (SEEDS[:1], SEEDS):  # one of everything, and then the spread
        cells = {}
        for name in POOL:
            cells |= run(name, seeds)
        report(cells)
