"""Run a benchmark, print its table, and write it to where the docs and the README show it."""

import argparse
import os
from importlib import import_module

BENCHMARKS = (
    "accuracy",
    "adapters",
    "calibration",
    "encoding",
    "quality",
    "quickstart",
    "retrieval",
    "service",
    "speed",
    "training",
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=BENCHMARKS)
    name = parser.parse_args().name
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if name == "accuracy":
        # The order of sums, and with it the third digit of an accuracy, depends on the threads.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import_module(f".{name}", __package__).main()
