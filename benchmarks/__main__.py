"""Run a benchmark, print its table, and write it to where the docs and the README show it."""

import argparse
import os
from importlib import import_module

BENCHMARKS = {
    "accuracy": "scores.accuracy",
    "adapters": "adapters.run",
    "calibration": "scores.calibration",
    "encoding": "costs.encoding",
    "gap": "gap.run",
    "grid": "grid.run",
    "heads": "scores.heads",
    "hostile": "costs.hostile",
    "layers": "scores.layers",
    "maps": "scores.maps",
    "mining": "scores.mining",
    "peers": "peers.run",
    "quality": "scores.quality",
    "quickstart": "costs.quickstart",
    "retrieval": "scores.retrieval",
    "routing": "scores.routing",
    "scale": "costs.scale",
    "search": "search.run",
    "service": "costs.service",
    "training": "costs.training",
    "trust": "scores.trust",
}
# Every method, every peer, and what they cost.
RUN = ("scale", "grid", "peers")
# What answers are worth, one after another.
SCORES = tuple(name for name, module in BENCHMARKS.items() if module.startswith("scores."))
# Parts that can be measured alone.
ONLY = {
    "scale": ("fit",),
    "adapters": ("USE", "e5", "search"),
    "retrieval": ("mining",),
    "training": ("networks", "speed"),
    "scores": SCORES,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "name",
        choices=("run", "scores", *BENCHMARKS),
        help=f"run: {', '.join(RUN)}, one after another; scores: {', '.join(SCORES)}",
    )
    parser.add_argument("--smoke", action="store_true", help="run: check the ratios of a small run")
    parser.add_argument(
        "--only",
        choices=[part for parts in ONLY.values() for part in parts],
        help="measure one part alone; scale: the fits beside bare products and scipy, in a minute "
        "or two; adapters: an encoder, or the maps for search; retrieval: mining; training: the "
        "networks of the paper, or the speed beside plain loops; scores: one of them",
    )
    arguments = parser.parse_args()
    if arguments.smoke and arguments.name != "run":
        parser.error("--smoke goes with run")
    if arguments.only and arguments.only not in ONLY.get(arguments.name, ()):
        owner = next(name for name, parts in ONLY.items() if arguments.only in parts)
        parser.error(f"--only {arguments.only} goes with {owner}")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if "accuracy" in (arguments.name, arguments.only):
        # The order of sums, and with it the third digit of an accuracy, depends on the threads.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    names: tuple[str, ...] = (arguments.name,)
    if arguments.name == "scores":
        names = (arguments.only,) if arguments.only else SCORES
    if arguments.name == "run":
        names = ("smoke",) if arguments.smoke else RUN
    for name in names:
        module = import_module(f".{BENCHMARKS.get(name, name)}", __package__)
        if arguments.only and arguments.name != "scores":
            module.main(only=arguments.only)
        else:
            module.main()


if __name__ == "__main__":
    main()
