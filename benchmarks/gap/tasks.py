"""Tasks with capped rows, and halves of test rows."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._lib.data import SEED, TASKS, load_task

# They came when the classifier's defaults were settled. Only the share of unlabelled rows that four
# views learn from was chosen later, with emoji_group among the rows in sight.
NEW = {
    "assistant_domain": ("ko", "zh"),
    "emoji_group": ("ko", "ja", "zh"),
    "news_topic": ("zh",),
}
ALL = {**TASKS, **NEW}
# With all rows, a run takes hours.
CAP_TRAIN, CAP_TEST, CAP_ENGLISH = 2_000, 1_000, 500
SPLITS = (0, 1, 2)  # seeds of the halves


class Rows(NamedTuple):
    """Texts with labels."""

    texts: list[str]
    labels: NDArray

    def take(self, indices) -> "Rows":
        return Rows([self.texts[i] for i in indices], self.labels[indices])

    def capped(self, limit: int) -> "Rows":
        """At most so many random rows."""
        if len(self.texts) <= limit:
            return self
        return self.take(np.random.default_rng(SEED).permutation(len(self.texts))[:limit])

    def beyond(self, limit: int) -> list[str]:
        """Texts that `capped` leaves out."""
        if len(self.texts) <= limit:
            return []
        return self.take(np.random.default_rng(SEED).permutation(len(self.texts))[limit:]).texts


class GapTask(NamedTuple):
    """English training and test rows, test rows by language, and further English text."""

    name: str
    train: Rows
    english: Rows
    tests: dict[str, Rows]
    extra: list[str]


def load(folder: Path, name: str) -> GapTask:
    """A task with capped rows."""
    train, tests = load_task(folder, name, ALL[name])
    english = Rows(*tests.pop("en")).capped(CAP_ENGLISH)
    return GapTask(
        name,
        Rows(*train).capped(CAP_TRAIN),
        english,
        {lang: Rows(*rows).capped(CAP_TEST) for lang, rows in tests.items()},
        Rows(*train).beyond(CAP_TRAIN)[:CAP_TRAIN],
    )


def halves(n: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Two random halves of the places of n rows."""
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def crosswise(n: int, predict, seeds=SPLITS) -> NDArray[np.intp]:
    """How many seeds answer each row rightly, where a half adapts and the other one is scored.

    Parameters
    ----------
    n : int
        Number of rows.
    predict : callable
        ``predict(adapting, scored)`` says which of the scored rows are right.
    seeds : sequence of int
        Of the halves.
    """
    right = np.zeros(n, dtype=int)
    for seed in seeds:
        one, other = halves(n, seed)
        for adapting, scored in ((one, other), (other, one)):
            right[scored] += predict(adapting, scored)
    return right
