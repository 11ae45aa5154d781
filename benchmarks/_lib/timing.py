"""Times of functions: one call, many in turns, or in a process of its own."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .machine import resident_bytes
from .paths import ROOT

THREADS_OF_BLAS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def seconds(function: Callable, *args, **kwargs) -> tuple[float, Any]:
    """How long a call takes, and what it returns."""
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return time.perf_counter() - start, result


def in_turns(
    functions: Mapping[str, Callable],
    turns: int,
    number: int = 1,
    peaks: dict[str, int] | None = None,
) -> dict[str, list[float]]:
    """Seconds of every turn of each; in turns, so that a slow moment of the machine hits all.

    A turn is `number` calls. `peaks` gets by how much each function made the resident memory grow
    at most.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(turns):
        for name, function in functions.items():
            if peaks is not None:
                Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
                before = resident_bytes("VmRSS")
            start = time.perf_counter()
            for _ in range(number):
                function()
            times[name].append((time.perf_counter() - start) / number)
            if peaks is not None:
                peaks[name] = max(peaks.get(name, 0), resident_bytes("VmHWM") - before)
    return times


def ratio(above: list[float], below: list[float]) -> float:
    """Median of the ratios of every turn, as a machine is faster in one moment than in the next."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def in_own_process(function: Callable, *args, threads: int | None = None) -> Any:
    """What a function of a module returns in a new process, as JSON holds it.

    Nothing else has touched the memory of that process, and its BLAS has as many threads as are
    asked for. The function may print.
    """
    name = function.__name__
    code = f"import json; from {function.__module__} import {name}; "
    code += f"result = {name}(*{args!r}); print(); print(json.dumps(result))"
    limits = {} if threads is None else dict.fromkeys(THREADS_OF_BLAS, str(threads))
    return json.loads(python(code, **limits).splitlines()[-1])


def python(code: str, **environment: str) -> str:
    """What a new Python process prints."""
    child = subprocess.run(  # nosec B603
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    if child.returncode:
        raise SystemExit(f"a process ended with code {child.returncode}:\n{child.stderr}")
    return child.stdout
