"""Means over sets, gains with intervals, worst cells, and choices by the sets of other sources."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .measures import MEASURES, recall_at_1
from .methods import BASELINE, SECOND, WITH_QUERIES, WITHOUT_QUERIES
from .sets import KINDS

DRAWS = 1_000
BETTER = "the better encoder of each set"
CENTRED = "e5, centred"
CHOICES = {
    "chosen by other sources": WITHOUT_QUERIES,
    "chosen by other sources, past queries": WITH_QUERIES,
    "bridge, weight chosen by other sources": (
        "USE + its bridge",
        "USE + its bridge, weights 3 to 1",
        "USE + its bridge, weights 8 to 1",
    ),
}

Ranks = dict[str, dict[tuple[str, str], NDArray[np.intp]]]  # by method, and by set and language


def read_ranks(cells: dict[str, dict], methods: Sequence[str], places: Sequence) -> Ranks:
    """Ranks of the methods that are measured in all cells."""
    out: Ranks = {}
    for method in methods:
        keys = {(name, lang): f"{method}/{name}/{lang}" for name, lang in places}
        if all(key in cells for key in keys.values()):
            out[method] = {
                place: np.array([int(digit, 16) for digit in cells[key]["ranks"]])
                for place, key in keys.items()
            }
    return out


def summarize(found: Ranks) -> dict:
    """Table of the methods, and of what is chosen of them."""
    chosen = {name: choose(found, candidates) for name, candidates in CHOICES.items()}
    everything = {**found, **{name: of for name, (of, _) in chosen.items()}}
    better = better_of(found, (BASELINE, SECOND))
    strictest = better_of(found, (BASELINE, SECOND, CENTRED))
    table = {}
    for method, of_method in everything.items():
        table[method] = {
            "cells": {
                f"{name} {lang}": [float(score(row).mean()) for score in MEASURES.values()]
                for (name, lang), row in of_method.items()
            },
            "means": [
                mean_over_sets({place: score(row).mean() for place, row in of_method.items()})
                for score in MEASURES.values()
            ],
            "over": {
                BASELINE: compared(of_method, found[BASELINE]),
                BETTER: compared(of_method, better),
                f"{BETTER}, centred or not": compared(of_method, strictest),
            },
        }
    return {"table": table, "choices": {name: why for name, (_, why) in chosen.items()}}


def mean_over_sets(values: dict[tuple[str, str], float]) -> float:
    """Mean over sets of the means over their languages."""
    return float(np.mean(list(by_set(values).values())))


def by_set(values: dict[tuple[str, str], float]) -> dict[str, float]:
    """Mean over languages of each set."""
    names = dict.fromkeys(name for name, _ in values)
    return {
        name: float(np.mean([value for (of, _), value in values.items() if of == name]))
        for name in names
    }


def better_of(found: Ranks, methods: Sequence[str]) -> dict:
    """Ranks of the method that is best in each set, which only the answers tell."""
    means = {
        m: by_set({p: recall_at_1(row).mean() for p, row in found[m].items()}) for m in methods
    }
    names = dict.fromkeys(name for name, _ in found[methods[0]])
    best = {name: max(methods, key=lambda m: means[m][name]) for name in names}
    return {place: found[best[place[0]]][place] for place in found[methods[0]]}


def choose(found: Ranks, candidates: Sequence[str]) -> tuple[dict, dict[str, str]]:
    """Ranks of the candidate with the highest mean recall at 1 on the sets of other sources.

    Returns the ranks by set and language, and the candidate of every set.
    """
    measured = [method for method in candidates if method in found]
    places = list(found[measured[0]])
    recalls = {
        m: {place: float(recall_at_1(row).mean()) for place, row in found[m].items()}
        for m in measured
    }
    chosen = {}
    for name in dict.fromkeys(name for name, _ in places):
        others = [p for p in places if KINDS[p[0]].source != KINDS[name].source]
        chosen[name] = max(
            measured, key=lambda m: mean_over_sets({p: recalls[m][p] for p in others})
        )
    return {place: found[chosen[place[0]]][place] for place in places}, chosen


def compared(one: dict, base: dict) -> dict:
    """Points of recall at 1 over other ranks: the mean, an interval, the worst set and cell."""
    gains = {p: 100 * (recall_at_1(row) - recall_at_1(base[p])) for p, row in one.items()}
    means = {place: float(gain.mean()) for place, gain in gains.items()}
    sets = by_set(means)
    worst_set = min(sets, key=sets.__getitem__)
    worst = min(means, key=means.__getitem__)
    low, high = interval(gains)
    return {
        "gain": mean_over_sets(means),
        "low": low,
        "high": high,
        "set": [worst_set, sets[worst_set]],
        "cell": [" ".join(worst), means[worst]],
    }


def interval(gains: dict[tuple[str, str], NDArray]) -> tuple[float, float]:
    """95 % interval of the mean over sets, from bootstrap draws of the queries of each cell.

    It does not cover the draw of sets.
    """
    rng = np.random.default_rng(0)
    draws = {
        place: gain[rng.integers(len(gain), size=(DRAWS, len(gain)))].mean(axis=1)
        for place, gain in gains.items()
    }
    names = dict.fromkeys(name for name, _ in draws)
    of_sets = [np.mean([row for (of, _), row in draws.items() if of == n], axis=0) for n in names]
    low, high = np.quantile(np.mean(of_sets, axis=0), (0.025, 0.975))
    return float(low), float(high)
