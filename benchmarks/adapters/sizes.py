"""Measurements by number of pairs, in both directions, from one fit each.

Reverse: target rows are moved in front of heads trained on English rows. Forward: English training
rows are moved, heads are trained on them, and target rows are scored as they are.
"""

import time
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from langalign_sk.metrics.pairs import retrieval_scores

from .._lib.baselines import ENGLISH_ROWS, NO_ALIGNMENT
from .._lib.bench import Bench
from .._lib.data import LANGUAGES, SEEDS, TASKS, capped, draw, pool, unseen
from .._lib.encoders import e5, encoder
from .._lib.kept import Kept
from .methods import BESIDE, CHEAP, METHODS, NETWORKS

ENCODERS = {"USE": lambda: encoder("use-multilingual"), "e5": e5}
SIZES = (1_000, 3_000, 10_000, 20_000)
N_POOL = 20_000  # the grid gives e5 fewer
CAP_FORWARD = 2_000  # moved English rows that a head of the forward direction is trained on
N_HELD_OUT = 1_000  # pairs that share no text with the pool
REVERSE, FORWARD = "reverse", "forward"
DIRECTIONS = (REVERSE, FORWARD)
SCORES = ("accuracy", "tatoeba", "held_out")
SETS = ("tatoeba",)


class Rows(NamedTuple):
    """Encoded rows of an encoder: test rows with heads, pairs to fit on, and pairs held out."""

    bench: Bench
    pairs: dict
    held_out: dict


def encoded(name: str, folder: Path, tasks=TASKS, languages=LANGUAGES, n_pool=N_POOL) -> Rows:
    """All rows that an encoder's cells need."""
    encode = ENCODERS[name]().encode

    def both(sides):
        return encode(sides[0]), encode(sides[1])

    return Rows(
        Bench(folder, encode, encode, tasks, SETS, languages),
        {lang: both(pool(folder, lang, n_pool)) for lang in languages},
        {lang: both(unseen(folder, lang, N_POOL, N_HELD_OUT)) for lang in languages},
    )


def measure(rows: Rows, kept: Kept, publish: Callable, sizes=SIZES, seeds=SEEDS) -> None:
    """Fill the cells: the first seed of everything, then the spread of what the others stand beside.

    Parameters
    ----------
    rows : Rows
        Of one encoder.
    kept : Kept
        Where cells go.
    publish : callable
        Called after every stage.
    sizes, seeds : sequence of int
        Numbers of pairs, and draws of them.
    """
    for lang in rows.pairs:
        kept.keep(f"{lang}/{NO_ALIGNMENT}/0/0", unaligned, rows, lang)
        kept.keep(f"{lang}/{ENGLISH_ROWS}/0/0", english, rows.bench, lang)
    first, others = seeds[:1], seeds[1:]
    stages: list[tuple] = [
        (first, CHEAP),
        (first, NETWORKS),
        (others, CHEAP),
        (others, NETWORKS),
        (first, BESIDE),
    ]
    for of_seed, methods in stages:
        for seed, n, lang in product(of_seed, sizes, rows.pairs):
            for method, make in methods.items():
                key = f"{lang}/{method}/{n}/{seed}"
                kept.keep(key, cell, rows, lang, make(lang, seed), n, seed)
        publish()


def cell(rows: Rows, lang: str, aligner: Any, n: int, seed: int) -> dict:
    """Scores of one fitted map in both directions."""
    X, Y = rows.pairs[lang]
    at = draw(len(X), n, seed)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what reports say of few pairs
        aligner.fit(X[at], Y[at])
    seconds = time.perf_counter() - start
    out = {
        "seconds": round(seconds, 2),
        REVERSE: reverse(rows, lang, aligner.transform),
        FORWARD: forward(rows, lang, aligner.inverse_transform),
    }
    if hasattr(aligner, "best_epoch_"):
        out["training"] = {
            "start": aligner.start_recall_,
            "kept": aligner.held_out_recall_,
            "epoch": aligner.best_epoch_,
        }
    if hasattr(aligner, "method_"):
        out["chose"] = aligner.method_
    return out


def unaligned(rows: Rows, lang: str) -> dict:
    """Both directions without a map."""
    return {REVERSE: reverse(rows, lang, same), FORWARD: forward(rows, lang, same)}


def english(bench: Bench, lang: str) -> dict:
    """Heads on the English test rows of the tasks that a language has."""
    tasks = [task for task in bench.heads if (lang, task) in bench.tests]
    return {REVERSE: {"accuracy": mean(bench.hits("en", same, task).mean() for task in tasks)}}


def reverse(rows: Rows, lang: str, move: Callable) -> dict:
    """Target rows moved to the English ones."""
    bench = rows.bench
    X, Y = bench.sets[lang, "tatoeba"]
    X_held, Y_held = rows.held_out[lang]
    return {
        "accuracy": mean(
            bench.hits(lang, move, task).mean()
            for task in bench.heads
            if (lang, task) in bench.tests
        ),
        "tatoeba": recall(move(X), Y),
        "held_out": recall(move(X_held), Y_held),
    }


def forward(rows: Rows, lang: str, move: Callable) -> dict:
    """English rows moved to the target ones, and heads trained on the moved rows."""
    bench = rows.bench
    accuracies = []
    for task, (X, y) in bench.train.items():
        if (lang, task) in bench.tests:
            # C is that of the rows as they were: a search for every map would take hours.
            X, y = capped(X, y, CAP_FORWARD)
            head = LogisticRegression(C=bench.heads[task].C, max_iter=2_000).fit(move(X), y)
            accuracies.append(head.score(*bench.tests[lang, task]))
    X, Y = bench.sets[lang, "tatoeba"]
    X_held, Y_held = rows.held_out[lang]
    return {
        "accuracy": mean(accuracies),
        "tatoeba": recall(X, move(Y)),
        "held_out": recall(X_held, move(Y_held)),
    }


def recall(X, Y) -> float:
    """Recall at 1 by cosine, the mean of both directions of search."""
    return round(retrieval_scores(X, Y).recall_at_1, 5)


def mean(values) -> float:
    """Mean over tasks."""
    return round(float(np.mean(list(values))), 5)


def same(rows):
    return rows


# Summary


def summarize(cells: dict, sizes=SIZES, seeds=SEEDS) -> dict:
    """What tables show of the cells of one encoder.

    Returns
    -------
    dict
        By direction, language and map a list over `sizes` of None or of the means over seeds and
        standard deviations of SCORES; one entry for what needs no pair. "training" has start,
        kept recall, epoch and seconds of what is trained, means over languages and seeds.
    """
    out: dict = {direction: {} for direction in DIRECTIONS}
    training: dict = {}
    for method in (NO_ALIGNMENT, ENGLISH_ROWS, *METHODS):
        counts = (0,) if method in (NO_ALIGNMENT, ENGLISH_ROWS) else sizes
        runs: list[list[dict]] = [[] for _ in counts]
        for lang in LANGUAGES:
            by_size = []
            for n, of_size in zip(counts, runs, strict=True):
                keys = [f"{lang}/{method}/{n}/{seed}" for seed in seeds]
                found = [cells[key] for key in keys if key in cells]
                of_size += found
                by_size.append(found)
            for direction in DIRECTIONS:
                lines = [spread([one.get(direction) for one in found]) for found in by_size]
                if any(lines):
                    out[direction].setdefault(lang, {})[method] = lines
        epochs = [of_training(found) for found in runs]
        if any(epochs):
            training[method] = epochs
    return {**out, "training": training}


def spread(found: list) -> list | None:
    """Mean and standard deviation of every score in turn, over seeds."""
    if not found or None in found:
        return None
    out: list[float | None] = []
    for score in SCORES:
        values = [one[score] for one in found if score in one]
        deviation = round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None
        out += [round(float(np.mean(values)), 4) if values else None, deviation]
    return out


def of_training(found: list[dict]) -> list[float] | None:
    """Mean recall of the start and of what is kept, its epoch, and the seconds of the fit."""
    found = [one for one in found if "training" in one]
    if not found:
        return None
    values = [[*one["training"].values(), one["seconds"]] for one in found]
    return [round(float(value), 4) for value in np.mean(values, axis=0)]
