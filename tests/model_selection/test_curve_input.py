"""What the learning curve refuses."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from langalign_sk import LinearAligner
from langalign_sk.model_selection import learning_curve
from tests.model_selection.curve_factories import numbered, stub_class, toy
from tests.toy import KOREAN, PAIRS

TASK_WORDS = {"classifier": LogisticRegression(), "english": ([], []), "target_dev": ([], [])}


# Errors


def test_too_few_distinct_pairs():
    X, Y = numbered(60)
    with pytest.raises(ValueError, match=r"9 distinct pairs.*at least 10"):
        learning_curve(LinearAligner(), X[:9], Y[:9])
    with pytest.raises(ValueError, match=r"3 distinct pairs.*at least 10"):
        learning_curve(LinearAligner(), np.repeat(X[:3], 9, axis=0), np.repeat(Y[:3], 9, axis=0))
    with pytest.raises(ValueError, match=r"9 distinct pairs.*at least 10"):
        learning_curve(toy(), PAIRS[:9] * 3)


@pytest.mark.parametrize(
    "sizes", [[1, 10], [0], [-5], [10, 60], [10.5, 20], [20.0], ["10"], [], [True]], ids=str
)
def test_bad_sizes(sizes):
    X, Y = numbered(60)
    Stub, log = stub_class()
    with pytest.raises(ValueError, match="train_sizes must be ints from 2 to 4"):
        learning_curve(Stub(), X, Y, train_sizes=sizes, random_state=0)
    assert not log["fit"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_repeats": 0}, "n_repeats must be a positive int, got 0"),
        ({"n_repeats": 2.0}, "n_repeats must be a positive int"),
        ({"confidence": 1}, r"confidence must be a number in \(0, 1\), got 1"),
        ({"confidence": 0.0}, "confidence must be"),
        ({"confidence": "0.9"}, "confidence must be"),
        ({"confidence": np.nan}, "confidence must be"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        learning_curve(LinearAligner(), *numbered(60), **parameters)


@pytest.mark.parametrize("missing", sorted(TASK_WORDS))
@pytest.mark.parametrize("only", [False, True], ids=["missing", "only"])
def test_classifier_and_its_rows_go_together(missing, only):
    words = {k: v for k, v in TASK_WORDS.items() if (k == missing) == only}
    with pytest.raises(ValueError, match="classifier, english and target_dev go together"):
        learning_curve(LinearAligner(), *numbered(60), **words)


def test_text_needs_a_cross_lingual_aligner_of_one_language():
    message = "pairs of text and a CrossLingualAligner of one target_lang"
    with pytest.raises(ValueError, match=message):
        learning_curve(LinearAligner(), PAIRS)
    with pytest.raises(ValueError, match=message):
        learning_curve(toy(target_lang=["ko", "ja"]), PAIRS)
    with pytest.raises(ValueError, match="one aligner per language"):
        learning_curve(toy(target_lang=["ko", "ja"]), *numbered(60))


@pytest.mark.parametrize("X", [KOREAN, np.ones((30, 4))], ids=["one column", "embeddings"])
def test_pairs_are_needed_without_y(X):
    with pytest.raises(ValueError, match="X must hold pairs"):
        learning_curve(toy(), X)


def test_class_labels_are_not_counterparts():
    X, _ = numbered(60)
    with pytest.raises(ValueError, match="Expected 2D array, got 1D"):
        learning_curve(LinearAligner(), X, np.arange(60))


def test_sides_of_different_length():
    X, Y = numbered(60)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        learning_curve(LinearAligner(), X, Y[:-1])
