"""Unlabelled text that is not what the classifier was made for: is it refused, and what it harms.

The ratio that decides is the mean top probability of the unlabelled rows over that of held-out
English rows.
"""

import numpy as np

from .methods import adapted, classifier
from .tasks import GapTask, Rows, halves

FAIR, SHIFTED, FOREIGN = "half of the test rows", "80 % of one class", "another task"
KINDS = (FAIR, SHIFTED, FOREIGN)
SHARE, AT_MOST, AT_LEAST, CLASSES = 0.8, 200, 100, 2  # rows, and classes, of shifted text
SEED = 0


def measure(task: GapTask, others: list[GapTask], source, system) -> list[dict]:
    """Runs, each with its kind, the ratio, whether the text was used, and points gained."""
    model = classifier(task, [source], system)
    runs = []
    for lang, test in task.tests.items():
        before = model.predict(test.texts) == test.labels
        for kind, texts, scored in texts_of(task, others, lang):
            after = adapted(model, texts)
            right = after.predict(test.take(scored).texts) == test.labels[scored]
            report = after.report_.adaptation
            runs.append(
                {
                    "kind": kind,
                    "cell": f"{task.name} {lang}",
                    "rows": len(texts),
                    "ratio": report.confidence_ratio,
                    "adapted": report.adapted,
                    "gain": float(right.mean() - before[scored].mean()),
                }
            )
    return runs


def texts_of(task: GapTask, others: list[GapTask], lang: str):
    """Kinds of text, the text, and the places of the test rows that are scored."""
    test = task.tests[lang]
    every = np.arange(len(test.labels))
    one, other = halves(len(every), SEED)
    for adapting, scored in ((one, other), (other, one)):
        if len(adapting) >= AT_LEAST:
            yield FAIR, test.take(adapting).texts, scored
    for chosen in shifted(test):
        if len(chosen) >= AT_LEAST:
            yield SHIFTED, test.take(chosen).texts, np.setdiff1d(every, chosen)
    for foreign in others:
        if foreign.name != task.name and lang in foreign.tests:
            yield FOREIGN, foreign.tests[lang].texts[:AT_MOST], every


def shifted(test: Rows):
    """Places of rows of which most are of one class, for the most frequent classes."""
    rng = np.random.default_rng(SEED)
    names, counts = np.unique(test.labels, return_counts=True)
    for name in names[np.argsort(-counts, kind="stable")[:CLASSES]]:
        of_class = rng.permutation(np.flatnonzero(test.labels == name))
        rest = rng.permutation(np.flatnonzero(test.labels != name))
        # Half of the class at most, so that there are rows of it to be scored.
        n = min(len(of_class) // 2, int(SHARE * AT_MOST))
        yield np.sort(np.r_[of_class[:n], rest[: round(n * (1 - SHARE) / SHARE)]])


def summarized(runs: list[dict]) -> dict[str, dict]:
    """Ratios, refusals and gains by kind."""
    out = {}
    for kind in KINDS:
        of_kind = [run for run in runs if run["kind"] == kind]
        ratios = [run["ratio"] for run in of_kind]
        gains = [run["gain"] for run in of_kind if run["adapted"]]
        out[kind] = {
            "runs": len(of_kind),
            "ratio": [float(f(ratios)) for f in (np.mean, np.min, np.max)] if ratios else None,
            "refused": sum(not run["adapted"] for run in of_kind),
            "gain": [float(f(gains)) for f in (np.mean, np.min)] if gains else None,
        }
    return out
