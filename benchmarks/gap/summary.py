"""Means, gains with intervals, and worst cells, from right answers."""

import numpy as np
from numpy.typing import NDArray

from .._lib.data import LANGUAGES
from .methods import CEILINGS, LR_BRIDGE, LR_USE, METHODS
from .tasks import SPLITS

DRAWS = 1_000

# Answers by task, method and language: how many seeds answer each row rightly.
Answers = dict[str, dict[str, dict[str, list[int]]]]


def summarize(answers: Answers, english: Answers, tasks) -> dict:
    """Table of the methods on some tasks, and accuracies of every cell.

    Methods are compared on the tasks that they have been measured on, all of them.
    """
    methods = [m for m in METHODS if any(m in answers[task] for task in tasks)]
    cells = {
        f"{task} {lang}": {
            "n": len(row),
            **{m: accuracy(answers[task][m][lang]) for m in methods if m in answers[task]},
        }
        for task in tasks
        for lang, row in answers[task][LR_USE].items()
    }
    table = {}
    for method in methods:
        measured = [task for task in tasks if method in answers[task]]
        means = {
            lang: mean_of(answers, method, measured, lang)
            for lang in LANGUAGES
            if any(lang in answers[task][method] for task in measured)
        }
        places = [(task, lang) for task in measured for lang in answers[task][method]]
        table[method] = {
            "cells": len(places),
            **means,
            "mean": float(np.mean([accuracy(answers[t][method][lang]) for t, lang in places])),
            "over": {base: compared(answers, method, base, places) for base in (LR_USE, LR_BRIDGE)},
        }
    return {"table": table, "cells": cells, "ceilings": ceilings(answers, english, tasks)}


def accuracy(row) -> float:
    return float(np.mean(row)) / len(SPLITS)


def mean_of(answers: Answers, method: str, tasks, lang: str) -> float:
    """Mean accuracy over the tasks that have the language."""
    return float(
        np.mean([accuracy(answers[t][method][lang]) for t in tasks if lang in answers[t][method]])
    )


def ceilings(answers: Answers, english: Answers, tasks) -> dict[str, dict[str, float]]:
    """English accuracies, weighed by cells, of every ceiling; and the cells that each has."""
    out = {}
    for method in CEILINGS:
        measured = [task for task in tasks if method in english[task]]
        values = [
            accuracy(english[task][method]["en"])
            for task in measured
            for _ in answers[task][LR_USE]
        ]
        if values:
            out[method] = {"cells": len(values), "mean": float(np.mean(values))}
    return out


def compared(answers: Answers, method: str, base: str, places) -> dict:
    """Points over a baseline in the mean of the cells, an interval, and the worst cell."""
    gains = {
        f"{task} {lang}": difference(answers[task], method, base, lang) for task, lang in places
    }
    worst = min(gains, key=lambda cell: gains[cell].mean())
    mean, low, high = interval(list(gains.values()))
    return {"gain": mean, "low": low, "high": high, "worst": gains[worst].mean(), "cell": worst}


def difference(of_task, method: str, base: str, lang: str) -> NDArray:
    """Points of every row over the baseline."""
    one, other = (np.asarray(of_task[m][lang], dtype=float) for m in (method, base))
    return 100 * (one - other) / len(SPLITS)


def interval(cells: list[NDArray]) -> tuple[float, float, float]:
    """Mean over cells, and a 95 % interval from bootstrap draws of the rows of each.

    It does not cover the draw of tasks.
    """
    rng = np.random.default_rng(0)
    draws = np.mean(
        [cell[rng.integers(len(cell), size=(DRAWS, len(cell)))].mean(axis=1) for cell in cells],
        axis=0,
    )
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(np.mean([cell.mean() for cell in cells])), float(low), float(high)


def compare_ablations(found: dict, groups: dict[str, tuple], reference: str) -> dict:
    """Means of every method by group of tasks, and points over a reference in the same cells."""
    out: dict[str, dict] = {}
    for name, tasks in groups.items():
        measured = [task for task in tasks if task in found]
        for method in dict.fromkeys(m for task in measured for m in found[task]):
            pairs = {
                f"{task} {lang}": (value, found[task][reference][lang])
                for task in measured
                for lang, value in found[task].get(method, {}).items()
            }
            gains = {cell: 100 * (value - base) for cell, (value, base) in pairs.items()}
            worst = min(gains, key=lambda cell: gains[cell])
            out.setdefault(method, {})[name] = {
                "cells": len(pairs),
                "mean": float(np.mean([value for value, _ in pairs.values()])),
                "gain": float(np.mean(list(gains.values()))),
                "worst": gains[worst],
                "cell": worst,
            }
    return out
