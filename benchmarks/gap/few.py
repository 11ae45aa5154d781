"""A few labelled target rows among the English ones, with and without unlabelled text beside them."""

import numpy as np

from .methods import adapted, classifier
from .tasks import GapTask, Rows, halves

SMALL = ("sib200", "xrisawoz_domain", "emoji_group")  # the larger ones would take hours
COUNTS = (0, 10, 50, 100)
DRAWS = 5
LABELS, AND_TEXT = "labels", "labels and unlabelled text"

Means = dict[str, dict[str, dict[str, float]]]


def measure(task: GapTask, source, system) -> Means:
    """Mean accuracies over draws, by language, kind and number of labels.

    A random half of the test rows gives labels and unlabelled text, and the other is scored.
    """
    return {lang: of_language(task, lang, source, system) for lang in task.tests}


def of_language(task: GapTask, lang: str, source, system) -> dict[str, dict[str, float]]:
    """Mean accuracies by kind and number of labels."""
    test = task.tests[lang]
    found: dict[str, dict[str, list[float]]] = {}
    for draw in range(DRAWS):
        given, scored = halves(len(test.labels), draw)
        given = np.random.default_rng(draw).permutation(given)
        scored_rows, text = test.take(scored), test.take(given).texts
        for n in COUNTS:
            if n > len(given):
                continue
            model = classifier(with_labels(task, test.take(given[:n])), [source], system)
            for kind, served in ((LABELS, model), (AND_TEXT, adapted(model, text))):
                right = served.predict(scored_rows.texts) == scored_rows.labels
                found.setdefault(kind, {}).setdefault(str(n), []).append(float(right.mean()))
    return {kind: {n: float(np.mean(v)) for n, v in by_n.items()} for kind, by_n in found.items()}


def with_labels(task: GapTask, labelled: Rows) -> GapTask:
    """The task with labelled target rows after its English training rows."""
    train = Rows(
        task.train.texts + labelled.texts, np.concatenate([task.train.labels, labelled.labels])
    )
    return task._replace(train=train)
