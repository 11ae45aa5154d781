"""Run a benchmark, print its table, and write it to where the docs and the README show it."""

import argparse
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
if "accuracy" in sys.argv:
    # The order of sums, and with it the third digit of an accuracy, depends on the threads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from . import (
    accuracy,
    adapters,
    calibration,
    encoding,
    quality,
    quickstart,
    retrieval,
    service,
    speed,
    training,
)

MODULES = (
    accuracy,
    adapters,
    calibration,
    encoding,
    quality,
    quickstart,
    retrieval,
    service,
    speed,
    training,
)
BENCHMARKS = {m.__name__.split(".")[-1]: m.main for m in MODULES}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=sorted(BENCHMARKS))
    BENCHMARKS[parser.parse_args().name]()
