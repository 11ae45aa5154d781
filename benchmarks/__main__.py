"""Run a benchmark, print its table, and write it to where the docs and the README show it."""

import argparse
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from . import accuracy, quickstart, speed

BENCHMARKS = {"accuracy": accuracy.main, "quickstart": quickstart.main, "speed": speed.main}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=sorted(BENCHMARKS))
    BENCHMARKS[parser.parse_args().name]()
