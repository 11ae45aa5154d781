"""Fits of closed forms at a few sizes, beside the bare products or scipy: ratios of one run."""

import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

from scipy.linalg import orthogonal_procrustes

from langalign_sk import LinearAligner

from .._lib.data import random_pairs
from .._lib.machine import blas_threads, machine
from .._lib.tables import to_rst
from .._lib.timing import in_own_process, in_turns, ratio

WIDTH = 512
FLOOR, SCIPY = "floor", "scipy"
# One candidate each, with nothing to choose, and the default, which chooses on held-out rows.
METHODS: dict[str, dict[str, Any]] = {
    "procrustes": {},
    "ridge": {"alpha": 1.0},
    "spectral": {"alpha": 1.0, "power": 0.5},
    "auto": {},
}


class Case(NamedTuple):
    """A fit, and what it is compared with."""

    method: str
    pairs: int
    spaces: int  # 2 where X and Y are of different spaces of one width
    threads: int | None  # None: as many as the machine gives
    reference: str
    turns: int  # an odd number, for a median that was measured


CASES = (
    Case("auto", 100_000, 1, None, FLOOR, turns=5),
    Case("auto", 3_000, 2, 1, FLOOR, turns=5),
    Case("procrustes", 3_000, 1, 1, SCIPY, turns=15),
    Case("procrustes", 10_000, 1, 1, SCIPY, turns=15),
    Case("ridge", 10_000, 1, 1, FLOOR, turns=15),
    Case("spectral", 10_000, 1, 1, FLOOR, turns=15),
)


def measure(cases: tuple[Case, ...] = CASES, width: int = WIDTH) -> dict:
    """Seconds and ratios of every case, each in a process of its own."""
    results = []
    for case in cases:
        result = in_own_process(measure_case, *case, width, threads=case.threads)
        results.append(result)
        print(
            f"{case.method}, {case.pairs:,} pairs of {result['spaces']}, {result['threads']} "
            f"threads: {result['seconds']:.3f} s, {result['ratio']:.2f} of {case.reference} "
            f"({result['reference_seconds']:.3f} s)",
            flush=True,
        )
    return {"machine": machine(), "width": width, "cases": results}


def measure_case(method, n, spaces, threads, reference, turns, width) -> dict:
    """Medians of a fit and of its reference in turns, and the median of their ratios."""
    X, Y = random_pairs(n, width, spaces)
    aligner = LinearAligner(method, random_state=0, **METHODS[method])
    functions: dict[str, Callable] = {
        "fit": lambda: aligner.fit(X, Y),
        "reference": lambda: REFERENCES[reference](X, Y),
    }
    in_turns(functions, turns=1)  # imports, threads and memory are paid for here
    times = in_turns(functions, turns)
    return {
        "method": method,
        "pairs": n,
        "spaces": "one space" if spaces == 1 else "two spaces",
        "threads": blas_threads(),
        "turns": turns,
        "seconds": statistics.median(times["fit"]),
        "reference": reference,
        "reference_seconds": statistics.median(times["reference"]),
        "ratio": ratio(times["fit"], times["reference"]),
    }


def floor(X, Y):
    """The products that a closed form cannot do without."""
    return X.T @ X, Y.T @ Y, X.T @ Y


def scipy_procrustes(X, Y):
    """Rotation between rows that are centred by hand."""
    return orthogonal_procrustes(X - X.mean(axis=0), Y - Y.mean(axis=0))[0]


REFERENCES = {FLOOR: floor, SCIPY: scipy_procrustes}
TOLD = {FLOOR: "``X.T @ X``, ``Y.T @ Y``, ``X.T @ Y``", SCIPY: "scipy's ``orthogonal_procrustes``"}


def table(results: dict) -> str:
    """Table of the docs."""
    rows = [
        [
            case["method"],
            f"{case['pairs']:,}",
            case["spaces"],
            str(case["threads"]),
            f"{case['seconds']:.3f}",
            TOLD[case["reference"]],
            f"{case['reference_seconds']:.3f}",
            f"{case['ratio']:.2f}",
        ]
        for case in results["cases"]
    ]
    header = ["Fit", "pairs", "X and Y of", "threads", "s", "beside", "s of that", "ratio"]
    return (
        f"Fits of {results['width']}-d float32 pairs in turns with what they are compared with, "
        "medians; for scipy the rows are centred by hand, which counts:\n\n"
        + to_rst(header, rows)
        + "\nWritten by ``python -m benchmarks scale --only fit``. "
        f"Machine: {results['machine']}.\n"
    )
