"""How near target-language text comes to English, from English labels alone.

Every test row is answered by baselines, by each view and by CrossLingualClassifier. Unlabelled
target text comes from halves of the test rows: one half adapts, the other is scored, both ways.
Target training files are translations of the English training rows, and serve nothing here.
"""

import json
from collections.abc import Callable

import numpy as np

from .._lib.data import TASKS, data_folder
from .._lib.encoders import e5, encoder
from .._lib.machine import machine
from .._lib.paths import CACHE
from .._lib.tables import publish, rounded
from . import ablations, costs, few, guard, methods
from .report import GROUPS, pages, readme
from .summary import compare_ablations, summarize
from .tasks import ALL, CAP_ENGLISH, CAP_TEST, CAP_TRAIN, NEW, SPLITS, load

__all__ = ["main", "pages", "readme"]

KEPT = CACHE / "gap.json"
COSTS = "debian_section"


def main() -> None:
    print(machine(), "\n")
    folder = data_folder()
    use, system = encoder("use-multilingual"), encoder("minilm-english")
    tasks = [load(folder, name) for name in ALL]
    second = e5()
    answers: dict[str, dict] = {}
    english: dict[str, dict] = {}
    ablated: dict[str, dict] = {}
    few_labels: dict[str, dict] = {}
    runs: list[dict] = []
    for task in tasks:
        encoders = {methods.USE: use, methods.E5: second}
        found = kept(f"methods {task.name}", methods.measure, task, encoders, system)
        answers[task.name], english[task.name] = found
    for task in tasks:
        ablated[task.name] = kept(f"ablations {task.name}", ablations.measure, task, use, system)
        ablated[task.name] |= kept(
            f"two encoders {task.name}", ablations.measure_two, task, use, second, system
        )
        runs += kept(f"guard {task.name}", guard.measure, task, tasks, use, system)
        if task.name in few.SMALL:
            found = kept(f"few labels {task.name}", few.measure, task, use, system)
            few_labels |= {f"{task.name} {lang}": of_cell for lang, of_cell in found.items()}
    cost = costs.measure(next(task for task in tasks if task.name == COSTS))
    groups = {"dev": tuple(TASKS), "new": tuple(NEW)}
    results = {
        "caps": {"train": CAP_TRAIN, "test": CAP_TEST, "english": CAP_ENGLISH},
        "splits": list(SPLITS),
        "groups": {
            name: {"tasks": list(of_group), **summarize(answers, english, of_group)}
            for name, of_group in groups.items()
        },
        "ablations": compare_ablations(ablated, {n: groups[n] for n in GROUPS}, ablations.ENSEMBLE),
        "few": few_labels,
        "guard": guard.summarized(runs),
        "costs": cost,
    }
    publish("gap", rounded(results), pages, readme)


def kept(name: str, measure: Callable, *args):
    """What was measured once stays in the cache; delete its file to measure anew."""
    found = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    if name not in found:
        print(f"{name} ...", flush=True)
        found[name] = json.loads(json.dumps(measure(*args), default=np.ndarray.tolist))
        KEPT.write_text(json.dumps(found), encoding="utf-8")
    return found[name]


if __name__ == "__main__":
    main()
