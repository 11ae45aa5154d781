"""Measured cells of the grid, and their means over tasks and seeds."""

import json
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from .._lib.data import SEEDS, TASKS

MEAN = "mean accuracy over tasks"


class Cells:
    """Scores by "encoder/system/language/method/pairs/seed".

    A cell maps tasks to accuracies and retrieval sets to recalls. Its "hits" say of every test row
    of a task whether it is answered rightly: intervals of differences need them. Every new cell is
    kept in the file `path` as soon as it is measured, so that an interrupted run goes on there.
    """

    def __init__(self, cells: dict | None = None, path: Path | None = None) -> None:
        self.path = path
        kept = json.loads(path.read_text()) if path and path.exists() else {}
        self.cells: dict[str, dict] = {**kept, **(cells or {})}

    def keep(self, place: tuple, make: Callable[[], dict]) -> None:
        """Fill the cell (encoder, system, language, method, pairs, seed) unless it is filled."""
        key = "/".join(map(str, place))
        if key in self.cells:
            return
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what reports say of few pairs
            cell = make()
        self.cells[key] = {**cell, "seconds": round(time.perf_counter() - start, 3)}
        if self.path:
            self.path.write_text(json.dumps(self.cells))
        print(key, {k: v for k, v in self.cells[key].items() if k != "hits"}, flush=True)

    def get(self, name, system, lang, method, n=0, seed=0) -> dict:
        """The cell of that place, or an empty one."""
        return self.cells.get(f"{name}/{system}/{lang}/{method}/{n}/{seed}", {})

    def places(self) -> Iterator[tuple[str, str, str, str, int]]:
        """Every (encoder, system, language, method, pairs) that has a cell, once."""
        places = {}
        for key in self.cells:
            name, system, lang, method, n, _ = key.split("/")
            places[name, whole(system), lang, method, int(n)] = True
        return iter(places)

    def mean(self, name, system, lang, method, n, score) -> tuple[float, float | None] | None:
        """Mean over seeds of a score, and its standard deviation where there are two or more.

        The score MEAN is the mean over the tasks that the language has.
        """
        tasks = [task for task, languages in TASKS.items() if lang in languages]
        scores = tasks if score == MEAN else [score]
        values = [self._by_seed(name, system, lang, method, n, part) for part in scores]
        if not all(values):
            return None
        n_seeds = min(map(len, values))
        by_seed = np.mean([part[:n_seeds] for part in values], axis=0)
        return float(by_seed.mean()), float(by_seed.std(ddof=1)) if n_seeds > 1 else None

    def _by_seed(self, name, system, lang, method, n, score) -> list[float]:
        # Maps from pairs to a bag of words are learned for every task alone.
        systems = (system, f"{system} {score}", f"{system} search")
        found = [self.get(name, s, lang, method, n, seed) for s in systems for seed in SEEDS]
        return [cell[score] for cell in found if score in cell]


def whole(system: str) -> str:
    """English system of cells that are measured apart, for a task or for search."""
    for part in (*TASKS, "search"):
        system = system.removesuffix(f" {part}")
    return system


def task_cell(benches, lang, hits) -> dict:
    """Cell of ``hits(task, bench)`` of every task that a language has."""
    cell: dict = {"hits": {}}
    for task, bench in benches.items():
        if (lang, task) in bench.tests:
            right = hits(task, bench)
            cell[task] = float(right.mean())
            cell["hits"][task] = "".join("01"[int(hit)] for hit in right)
    return cell
