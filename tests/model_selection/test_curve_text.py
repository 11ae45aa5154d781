"""The learning curve of pairs of text."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression

from langalign_sk import CrossLingualAligner
from langalign_sk.model_selection import learning_curve
from tests.model_selection.curve_factories import same, toy
from tests.toy import ENGLISH, KOREAN, PAIRS, EnglishOnly, ToyEncoder

# Text

# Recall counts rows in two directions: one hit more or less changes it by half a row.
LESS_THAN_A_ROW = 0.1


@pytest.mark.parametrize(
    "space",
    [
        "english",
        "shared",
        "target",
    ],
)
def test_text_gives_the_curve_of_its_embeddings(space):
    method = "spectral" if space == "shared" else "procrustes"
    encoder = ToyEncoder(noise=1.0)
    aligner = toy(encoder=encoder, output_space=space, method=method)
    X, Y = encoder.encode(KOREAN), encoder.encode(ENGLISH)
    setting = {"train_sizes": [10, 60], "n_repeats": 2, "random_state": 0}
    of_text = learning_curve(aligner, PAIRS, **setting)
    of_arrays = learning_curve(aligner, X, Y, **setting)
    assert_allclose(of_text.recall, of_arrays.recall, atol=LESS_THAN_A_ROW / of_text.n_test)
    assert of_text.recall_unaligned == pytest.approx(of_arrays.recall_unaligned)
    assert of_text.n_test == of_arrays.n_test


def text_task():
    labels = np.where(EnglishOnly().encode(ENGLISH)[:, 0] > 0, "up", "down")
    return {
        "classifier": LogisticRegression(),
        "english": (ENGLISH[:120], labels[:120]),
        "target_dev": (KOREAN[150:], labels[150:]),
    }


def encoded_once(encoder):
    counts = Counter(encoder.calls)
    assert set(counts.values()) == {1}
    return set(counts)


@pytest.mark.parametrize("words", [{}, text_task()], ids=["recall", "accuracy"])
def test_every_text_is_encoded_once(words):
    encoder = ToyEncoder()
    learning_curve(
        toy(encoder=encoder),
        PAIRS[:150],
        train_sizes=[20, 100],
        n_repeats=3,
        random_state=0,
        **words,
    )
    texts = encoded_once(encoder) - {"width"}  # a probe
    task_texts = {*words["english"][0], *words["target_dev"][0]} if words else set()
    assert texts == {*KOREAN[:150], *ENGLISH[:150]} | task_texts


def test_every_text_is_encoded_once_by_each_of_two_encoders():
    encoder, english = ToyEncoder(), EnglishOnly()
    aligner = toy(encoder=encoder, english_encoder=english)
    curve = learning_curve(
        aligner, PAIRS, train_sizes=[40, 100], n_repeats=2, random_state=0, **text_task()
    )
    assert set(KOREAN[150:]) <= encoded_once(encoder) <= {*KOREAN, *ENGLISH}
    assert set(ENGLISH[:120]) <= encoded_once(english) <= {*KOREAN, *ENGLISH}
    assert curve.recall_unaligned is None
    assert curve.accuracy_unaligned is None
    assert curve.accuracy[-1].mean() > 0.8


@pytest.mark.parametrize("twin", ["same object", "same name"])
def test_english_encoder_that_is_the_encoder_is_no_second_one(twin, monkeypatch):
    encoder = ToyEncoder()
    if twin == "same name":
        from langalign_sk.encoders import SentenceEncoder

        monkeypatch.setattr(SentenceEncoder, "load", lambda self: None)
        monkeypatch.setattr(SentenceEncoder, "encode", lambda self, t: encoder.encode(t))
    given = encoder if twin == "same object" else "a-model"
    aligner = toy(encoder=given, english_encoder=given)
    setting = {"train_sizes": [40], "n_repeats": 2, "random_state": 0}
    curve = learning_curve(aligner, PAIRS, **setting)
    encoded_once(encoder)
    same(curve, learning_curve(toy(), PAIRS, **setting))


def test_accuracy_from_texts():
    words = text_task()
    aligner = toy(encoder=ToyEncoder(noise=0.3))
    curve = learning_curve(
        aligner, PAIRS[:150], train_sizes=[10, 110], n_repeats=2, random_state=0, **words
    )
    encode = ToyEncoder(noise=0.3).encode
    head = LogisticRegression().fit(encode(words["english"][0]), words["english"][1])
    dev, dev_labels = words["target_dev"]
    assert curve.accuracy_unaligned == pytest.approx(head.score(encode(dev), dev_labels))
    assert curve.accuracy.shape == (2, 2)
    assert curve.accuracy[-1].mean() > 0.8
    X, Y = encode(KOREAN[:150]), encode(ENGLISH[:150])
    words["english"] = (encode(words["english"][0]), words["english"][1])
    words["target_dev"] = (encode(dev), dev_labels)
    of_arrays = learning_curve(
        aligner, X, Y, train_sizes=[10, 110], n_repeats=2, random_state=0, **words
    )
    assert_allclose(curve.accuracy, of_arrays.accuracy)


def test_repeated_sentences_are_not_split():
    pairs = [*PAIRS[:60], *[(f"다시 {ko}", en) for ko, en in PAIRS[:60]]]
    seen = []

    class Watched(CrossLingualAligner):
        def fit(self, X, y=None):
            seen.append({en for _, en in X} if isinstance(X[0], tuple) else set())
            return super().fit(X, y)

        def transform(self, X):
            assert not seen[-1] & set(X)
            return super().transform(X)

    aligner = Watched(encoder=ToyEncoder(), random_state=0, method="procrustes")
    curve = learning_curve(aligner, pairs, n_repeats=2, random_state=0)
    assert curve.n_test % 2 == 0
    assert sum(map(bool, seen)) == 2


def test_a_pair_of_another_script_does_not_end_the_curve():
    """As in fit and in score: the first side of a pair is of the target language."""
    pairs = [*PAIRS[:30], *[(f"漢字 1{i}", f"sentence number x{i}") for i in range(30)]]
    encoder = ToyEncoder()
    X, Y = (encoder.encode(list(side)) for side in zip(*pairs, strict=True))
    assert 0 <= toy(encoder=encoder).fit(pairs).score(pairs) <= 1
    setting = {"train_sizes": [40], "n_repeats": 2, "random_state": 0}
    of_text = learning_curve(toy(encoder=encoder), pairs, **setting)
    of_arrays = learning_curve(toy(encoder=encoder), X, Y, **setting)
    assert_allclose(of_text.recall, of_arrays.recall, atol=LESS_THAN_A_ROW / of_text.n_test)
