"""Times of functions that run in turns."""

import statistics
import time
from pathlib import Path

from .machine import resident_bytes


def in_turns(functions, turns, number=1, peaks=None):
    """Seconds of every turn of each; in turns, so that a slow moment of the machine hits all.

    `peaks` gets by how much each made the resident memory grow at most.
    """
    times = {name: [] for name in functions}
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


def ratio(above, below):
    """Of every turn, as a machine is faster in one moment than in the next."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))
