"""Fit and transform times of LinearAligner beside scikit-learn's Ridge and a bare product."""

import time

import numpy as np
from sklearn.linear_model import Ridge

from langalign_sk import LinearAligner

from ._common import machine, write_results

N, D, REPEATS = 20_000, 512, 15


def median_seconds(*functions):
    """Median time of each, taken in turns so that a slow moment of the machine hits all."""
    times = [[] for _ in functions]
    for _ in range(REPEATS):
        for out, function in zip(times, functions, strict=True):
            start = time.perf_counter()
            function()
            out.append(time.perf_counter() - start)
    return [float(np.median(out[1:])) for out in times]  # the first is a warm-up


def pairs_of_one_space(rng):
    """Like two languages in one multilingual encoder: near the identity, a decaying spectrum."""
    scale = (1 + np.arange(D)) ** -0.5
    Y = rng.normal(size=(N, D)) * scale
    X = Y + 0.5 * rng.normal(size=(N, D)) * scale + 0.3 * scale
    return X.astype(np.float32), Y.astype(np.float32)


def pairs_of_two_spaces(rng):
    """Like two independent encoders of one width."""
    X, Y = pairs_of_one_space(rng)
    rotation = np.linalg.qr(rng.normal(size=(D, D)))[0]
    return X, (Y @ rotation).astype(np.float32)


def compare(make):
    """Times and ratios on one kind of pairs."""
    X, Y = make(np.random.default_rng(0))
    aligner = LinearAligner(random_state=0)
    ridge, fit = median_seconds(lambda: Ridge().fit(X, Y), lambda: aligner.fit(X, Y))
    W, b = aligner.coef_, aligner.intercept_
    bare, moved = median_seconds(lambda: X @ W + b, lambda: aligner.transform(X))
    return {
        "method": aligner.method_,
        "ridge_fit_s": ridge,
        "aligner_fit_s": fit,
        "fit_over_ridge": fit / ridge,
        "transform_rate_over_bare": bare / moved,
    }


def main():
    print(f"{N:,} pairs of {D}-d float32; {machine()}\n")
    results = {}
    for make in (pairs_of_one_space, pairs_of_two_spaces):
        r = results[make.__name__] = compare(make)
        print(f"{make.__name__}: auto chose {r['method']}")
        print(
            f"  fit, grid included {r['aligner_fit_s']:.3f} s, Ridge().fit {r['ridge_fit_s']:.3f} s: "
            f"{r['fit_over_ridge']:.2f} times"
        )
        print(f"  transform at {r['transform_rate_over_bare']:.2f} of the rate of X @ W + b")
    write_results("speed", results)
