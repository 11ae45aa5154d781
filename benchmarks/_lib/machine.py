"""Description of the machine, and memory and threads of the process."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from threadpoolctl import threadpool_info

PACKAGES = ("numpy", "scikit-learn", "torch", "sentence-transformers")


def machine() -> str:
    """Processor, cores and versions, in one line."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"{name}, {os.cpu_count()} cores; Python {platform.python_version()}, {versions}"


def resident_bytes(field: str) -> int:
    """Memory of this process; getrusage would give that of the process it was started by."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def blas_threads() -> int:
    """Threads of numpy's matrix products."""
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return max(blas, default=1)
