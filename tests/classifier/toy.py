"""Heads, aligners and labels of the tests of AlignedClassifier."""

from __future__ import annotations

import pickle

import numpy as np

from langalign_sk import CrossLingualAligner
from tests.toy import ENGLISH, KOREAN, ToyEncoder

EPS = float(np.finfo(np.float32).eps)
# Ten times the resolution of the search for a temperature, in logarithms.
TEMPERATURE_RTOL = 1e-4
TRAIN, TEST = slice(0, 120), slice(120, 200)
PAIRS = KOREAN[:60], ENGLISH[:60]


def classes_of(texts):
    """Three classes that the vectors tell, but for noise."""
    rows = ToyEncoder().encode([f"sentence number {t.split()[-1]}" for t in texts])
    noise = np.random.default_rng(3).gumbel(size=(len(rows), 3))
    return np.array(["a", "b", "c"])[(1.5 * rows[:, :3] + noise).argmax(axis=1)]


LABELS = classes_of(ENGLISH)


class Topics(ToyEncoder):
    """Vector of the last word but one, which is the topic, with noise of the whole text."""

    def __init__(self) -> None:
        super().__init__(width=24, shift=0.5)

    def _vector(self, text: str) -> np.ndarray:
        return super()._vector(text.split()[-2:][0]) + 0.5 * super()._vector(f"own {hash_of(text)}")


def hash_of(text: str) -> str:
    """The digits of a text."""
    return "".join(c for c in text if c.isdigit())


def on_topics(topics, language="text", n=40):
    """Texts on topics, and their topics."""
    labels = [topic for topic in topics for _ in range(n)]
    return [f"{language} {topic} {i}" for i, topic in enumerate(labels)], np.array(labels)


def aligner(encoder, **params):
    params = {"corpus": None, "method": "ridge", "alpha": 0.1, "random_state": 0, **params}
    return CrossLingualAligner("ko", encoder=encoder, **params)


def probability_rtol(head, rows):
    """Relative error of the probabilities of float32 rows: the error of their logits."""
    return 8 * EPS * (np.abs(rows) @ np.abs(head.coef_).T + np.abs(head.intercept_)).max()


def overconfident(head, factor=8.0):
    """The same predictions with far too much confidence."""
    twin = pickle.loads(pickle.dumps(head))
    twin.coef_, twin.intercept_ = factor * head.coef_, factor * head.intercept_
    return twin


def shifted():
    """Rows of Korean among which one class is rare, and the class prior of the head."""
    keep = [i for i in range(200) if LABELS[i] != "a" or i % 10 == 0]
    return [KOREAN[i] for i in keep], LABELS[keep], np.unique(LABELS[TRAIN], return_counts=True)[1]
