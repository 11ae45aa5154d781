"""How many pairs are enough: the learning curve, its intervals and its plot."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import matplotlib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from langalign_sk import CrossLingualAligner, LinearAligner
from langalign_sk.inspection import PairLearningCurveDisplay
from langalign_sk.metrics._core import row_recall
from langalign_sk.metrics.pairs import retrieval_recall_score
from langalign_sk.model_selection import PairLearningCurve, learning_curve
from tests.toy import ENGLISH, KOREAN, EnglishOnly, ToyEncoder

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PAIRS = list(zip(KOREAN, ENGLISH, strict=True))
WIDTH = 8
TASK_WORDS = {"classifier": LogisticRegression(), "english": ([], []), "target_dev": ([], [])}


def rotated(n=300, noise=0.5, width=WIDTH, seed=0):
    """Pairs that a rotation takes to each other, but for noise."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    Y = rng.normal(size=(n, width))
    return (Y + noise * rng.normal(size=Y.shape)) @ rotation.T, Y


def task(n=80, noise=0.5, width=WIDTH):
    """Head, English rows and target rows of the space of `rotated`, labelled by one sentence."""
    X, Y = rotated(n=300 + n, noise=noise, width=width)
    labels = np.where(Y[:, 0] + Y[:, 1] > 0, "up", "down")
    return {
        "classifier": LogisticRegression(),
        "english": (Y[:100], labels[:100]),
        "target_dev": (X[300:], labels[300:]),
    }


def recording_linear():
    """A LinearAligner class, and the rows that its instances were fitted on and moved."""
    fits, tests = [], []

    class Recording(LinearAligner):
        def fit(self, X, y):
            fits.append((X.copy(), y.copy()))
            return super().fit(X, y)

        def transform(self, X):
            tests.append(X.copy())
            return super().transform(X)

    return Recording, fits, tests


def stub_class(stop_at=None):
    """An identity that writes down the rows it sees; Ctrl-C at the fit of number `stop_at`."""
    log = {"fit": [], "moved": [], "counterparts": [], "seeds": []}

    class Stub(BaseEstimator):
        def __init__(self, random_state=None):
            self.random_state = random_state

        def fit(self, X, y):
            if stop_at is not None and len(log["fit"]) == stop_at:
                raise KeyboardInterrupt
            log["fit"].append((X.copy(), y.copy()))
            log["seeds"].append(self.random_state)
            self.fitted_ = True
            return self

        def transform(self, X):
            log["moved"].append(X.copy())
            return X

        def transform_counterparts(self, y):
            log["counterparts"].append(y.copy())
            return y

    return Stub, log


def numbered(n=120, repeats=1):
    """Pairs whose first column is the number of the row; with `repeats` rows that are equal."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(n // repeats, 4)), repeats, axis=0)
    X[:, 0] = np.arange(len(X)) // repeats
    return X, X + 1.0


def numbers(rows):
    return set(rows[:, 0].astype(int))


def half_right(n, seed=0):
    """Pairs of which every second one finds its translation without alignment."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 64))
    Y = X.copy()
    Y[::2] = rng.normal(size=(len(Y[::2]), 64))
    return X, Y


def toy(**parameters):
    defaults = {"encoder": ToyEncoder(), "random_state": 0, "method": "procrustes"}
    return CrossLingualAligner(**defaults | parameters)


def same(a, b):
    for name in vars(a):
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None), name
        if left is not None:
            assert_array_equal(left, right, err_msg=name)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


# What is measured


def test_recall_grows_with_pairs():
    X, Y = rotated(n=500, noise=0.8, width=24)
    aligner = LinearAligner("procrustes")
    curve = learning_curve(aligner, X, Y, train_sizes=[10, 40, 400], random_state=0)
    few, some, many = curve.recall.mean(axis=1)
    assert few < some < many
    assert many > curve.recall_unaligned + 0.5


def test_shapes_and_ranges():
    X, Y = rotated(n=200)
    curve = learning_curve(
        LinearAligner("ridge", alpha=1.0),
        X,
        Y,
        train_sizes=(150, 20, 50, 20),
        n_repeats=3,
        random_state=0,
    )
    assert isinstance(curve, PairLearningCurve)
    assert_array_equal(curve.n_pairs, [20, 50, 150])
    assert curve.n_pairs.dtype == np.intp
    assert curve.recall.shape == (3, 3)
    assert curve.recall_interval.shape == (3, 2)
    assert ((curve.recall >= 0) & (curve.recall <= 1)).all()
    assert isinstance(curve.recall_unaligned, float)
    assert curve.accuracy is curve.accuracy_interval is curve.accuracy_unaligned is None


@pytest.mark.parametrize(
    "parameters",
    [
        {"method": "procrustes"},
        {"method": "ridge", "alpha": 1.0},
        {"method": "auto", "random_state": 3},
        {"method": "spectral", "shared": True},
    ],
    ids=["procrustes", "ridge", "auto", "shared"],
)
def test_values_are_those_of_fits_by_hand(parameters):
    X, Y = rotated(n=150)
    counterpart = {row.tobytes(): y for row, y in zip(X, Y, strict=True)}
    recording, fits, tests = recording_linear()
    curve = learning_curve(
        recording(**parameters), X, Y, train_sizes=[15, 60], n_repeats=2, random_state=0
    )
    held = tests[0]
    truth = np.array([counterpart[row.tobytes()] for row in held])
    by_hand = []
    for rows, counterparts in fits:
        fitted = LinearAligner(**parameters).fit(rows, counterparts)
        moved = fitted.transform(held), fitted.transform_counterparts(truth)
        by_hand.append(retrieval_recall_score(*moved))
    assert_allclose(curve.recall.ravel(), by_hand)
    assert curve.recall_unaligned == pytest.approx(retrieval_recall_score(held, truth))


def test_held_out_rows_are_the_same_for_all_fits_and_never_trained_on():
    X, Y = numbered(120)
    Stub, log = stub_class()
    curve = learning_curve(Stub(), X, Y, train_sizes=[5, 90], n_repeats=3, random_state=0)
    held = log["moved"][0]
    assert len(held) == curve.n_test
    for moved, counterparts in zip(log["moved"], log["counterparts"], strict=True):
        assert_array_equal(moved, held)
        assert_array_equal(counterparts, held + 1.0)
    for rows, counterparts in log["fit"]:
        assert not numbers(rows) & numbers(held)
        assert_array_equal(counterparts, rows + 1.0)


@pytest.mark.parametrize("side", ["both", "X", "y"])
def test_duplicates_of_held_out_rows_are_never_trained_on(side):
    X, Y = numbered(120, repeats=4)
    rng = np.random.default_rng(1)
    if side == "X":
        Y[:, 1:] = rng.normal(size=(120, 3))
    elif side == "y":
        X[:, 1:] = rng.normal(size=(120, 3))
    Stub, log = stub_class()
    curve = learning_curve(Stub(), X, Y, n_repeats=2, random_state=0)
    held = log["moved"][0]
    assert 0 < len(held) <= 120 // 5
    assert len(held) == 4 * len(numbers(held)) == curve.n_test
    for rows, _ in log["fit"]:
        assert not numbers(rows) & numbers(held)


def test_duplicates_are_right_answers_for_each_other():
    X, Y = rotated(n=40, noise=0.0)
    X, Y = np.repeat(X, 3, axis=0), np.repeat(Y, 3, axis=0)
    Y += 1e-3 * np.random.default_rng(0).normal(size=Y.shape)
    curve = learning_curve(LinearAligner("procrustes"), X, Y, train_sizes=[80], random_state=0)
    assert_array_equal(curve.recall, 1.0)


def test_subsets_are_nested_in_a_repeat_and_differ_between_repeats():
    X, Y = numbered(120)
    Stub, log = stub_class()
    learning_curve(Stub(), X, Y, train_sizes=[5, 20, 60], n_repeats=3, random_state=0)
    subsets = [numbers(rows) for rows, _ in log["fit"]]
    assert [len(s) for s in subsets] == [5] * 3 + [20] * 3 + [60] * 3
    for small, large in zip(subsets[:-3], subsets[3:], strict=True):
        assert small < large
    for at in (0, 3, 6):
        assert len({frozenset(s) for s in subsets[at : at + 3]}) == 3


def test_last_size_may_be_all_that_is_not_held_out():
    X, Y = numbered(60)
    Stub, log = stub_class()
    most = 60 - learning_curve(Stub(), X, Y, random_state=0).n_test
    curve = learning_curve(Stub(), X, Y, train_sizes=[2, most], n_repeats=1, random_state=0)
    assert curve.n_pairs.tolist() == [2, most]
    assert numbers(log["fit"][-1][0]) | numbers(log["moved"][-1]) == set(range(60))


@pytest.mark.parametrize(
    ("n", "doubled"),
    [(100, []), (200, [100]), (900, [100, 200, 400]), (1003, [100, 200, 400, 800])],
)
def test_default_sizes_double_from_100_up_to_all(n, doubled):
    X, Y = numbered(n)
    curve = learning_curve(stub_class()[0](), X, Y, n_repeats=1, random_state=0)
    assert curve.n_pairs.tolist() == [*doubled, n - curve.n_test]


@pytest.mark.parametrize(
    ("n", "held"),
    [
        (10, 2),
        (100, 20),
        (5_000, 1_000),
        (6_000, 1_000),
    ],
)
def test_a_fifth_is_held_out_but_no_more_than_1000(n, held):
    X, Y = numbered(n)
    curve = learning_curve(stub_class()[0](), X, Y, train_sizes=[2], n_repeats=1, random_state=0)
    assert curve.n_test == held


def test_unaligned_is_none_between_two_widths():
    X, Y = rotated(n=100)
    curve = learning_curve(LinearAligner("ridge", alpha=1.0), X, Y[:, :5], random_state=0)
    assert curve.recall_unaligned is None
    assert curve.recall.shape == (1, 5)


@pytest.mark.parametrize("convert", [np.asarray, list, "frame"])
def test_arrays_come_in_any_form(convert):
    import pandas as pd

    X, Y = rotated(n=60)
    expected = learning_curve(LinearAligner("procrustes"), X, Y, random_state=0)
    convert = pd.DataFrame if convert == "frame" else convert
    same(
        learning_curve(LinearAligner("procrustes"), convert(X), convert(Y), random_state=0),
        expected,
    )


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.float16])
def test_other_number_types_are_what_fit_makes_of_them(dtype):
    X, Y = rotated(n=60, width=3)
    X = (10 * X).astype(dtype)
    aligner = LinearAligner("ridge", alpha=1.0)
    expected = learning_curve(aligner, X.astype(float), Y, random_state=0)
    same(learning_curve(aligner, X, Y, random_state=0), expected)


# Intervals


def intervals(n=1_000, **parameters):
    X, Y = half_right(n)
    parameters = {"train_sizes": [2], "n_repeats": 3, "random_state": 0} | parameters
    return learning_curve(stub_class()[0](), X, Y, **parameters)


def test_interval_contains_the_mean_and_is_centred_on_it():
    X, Y = rotated(n=400, width=16)
    aligner = LinearAligner("procrustes")
    curve = learning_curve(aligner, X, Y, train_sizes=[20, 60, 300], random_state=0)
    low, high = curve.recall_interval.T
    means = curve.recall.mean(axis=1)
    assert (low < means).all()
    assert (means < high).all()
    assert_allclose((low + high) / 2, means, atol=0.2 * (high - low).min() + 0.01)


def test_interval_of_equal_repeats_is_that_of_the_rows():
    X, Y = half_right(1_000)
    Stub, log = stub_class()
    curve = learning_curve(
        Stub(), X, Y, train_sizes=[2], n_repeats=3, confidence=0.95, random_state=0
    )
    hits = row_recall(log["moved"][0], log["counterparts"][0], np.arange(curve.n_test))
    assert_allclose(curve.recall, hits.mean())
    error = hits.std() / np.sqrt(len(hits))
    low, high = curve.recall_interval[0]
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.15)
    assert (low + high) / 2 == pytest.approx(hits.mean(), abs=0.3 * error)


def test_interval_counts_the_repeats_in():
    # Every fit is right for all rows or for none: the rows alone would give no width.
    class Coin(BaseEstimator):
        def fit(self, X, y):
            self.shift_ = int(X[0, 0]) % 2
            return self

        def transform(self, X):
            return np.roll(X, self.shift_, axis=0)

        def transform_counterparts(self, y):
            return y

    X, _ = numbered(200)
    X[:, 1:] *= 100
    curve = learning_curve(Coin(), X, X.copy(), train_sizes=[2], n_repeats=20, random_state=0)
    share = curve.recall.mean()
    assert 0.1 < share < 0.9
    low, high = curve.recall_interval[0]
    expected = 2 * 1.96 * curve.recall.std() / np.sqrt(20)
    assert high - low == pytest.approx(expected, rel=0.2)


def test_higher_confidence_is_wider():
    widths = [np.diff(intervals(confidence=c).recall_interval)[0, 0] for c in (0.5, 0.8, 0.99)]
    assert 0 < widths[0] < widths[1] < widths[2]


def test_more_held_out_rows_are_narrower():
    widths = [np.diff(intervals(n).recall_interval)[0, 0] for n in (100, 400, 1_600)]
    assert widths[0] > widths[1] > widths[2]


def test_constant_results_have_no_width():
    X, _ = numbered(100)
    curve = learning_curve(stub_class()[0](), X, X.copy(), random_state=0)
    assert_array_equal(curve.recall, 1.0)
    assert_allclose(curve.recall_interval, 1.0, rtol=1e-12)


def test_accuracy_has_an_interval_as_well():
    X, Y = rotated(n=100)
    curve = learning_curve(
        LinearAligner("procrustes"), X, Y, train_sizes=[4, 70], random_state=0, **task()
    )
    low, high = curve.accuracy_interval.T
    assert (low < curve.accuracy.mean(axis=1)).all()
    assert (curve.accuracy.mean(axis=1) < high).all()


# Accuracy


@pytest.mark.parametrize("shared", [False, True])
def test_accuracy_is_that_of_a_head_by_hand(shared):
    X, Y = rotated(n=120)
    words = task()
    recording, fits, _ = recording_linear()
    parameters = {"method": "spectral", "alpha": 1.0, "power": 0.5, "shared": shared}
    curve = learning_curve(
        recording(**parameters),
        X,
        Y,
        train_sizes=[10, 80],
        n_repeats=2,
        random_state=0,
        **words,
    )
    english, labels = words["english"]
    dev, dev_labels = words["target_dev"]
    by_hand = []
    for rows, counterparts in fits:
        fitted = LinearAligner(**parameters).fit(rows, counterparts)
        head = LogisticRegression().fit(fitted.transform_counterparts(english), labels)
        by_hand.append(head.score(fitted.transform(dev), dev_labels))
    assert_allclose(curve.accuracy.ravel(), by_hand)
    straight = LogisticRegression().fit(english, labels).score(dev, dev_labels)
    assert curve.accuracy_unaligned == pytest.approx(straight)
    assert curve.accuracy[-1].mean() > straight + 0.1
    assert not hasattr(words["classifier"], "classes_")


def test_accuracy_leaves_recall_as_it_is():
    X, Y = rotated(n=120)
    plain = learning_curve(LinearAligner("procrustes"), X, Y, random_state=0)
    curve = learning_curve(LinearAligner("procrustes"), X, Y, random_state=0, **task())
    assert_array_equal(curve.recall, plain.recall)
    assert_array_equal(curve.recall_interval, plain.recall_interval)


def test_accuracy_between_two_widths_has_no_baseline():
    X, Y = rotated(n=120)
    words = task()
    words["english"] = (words["english"][0][:, :5], words["english"][1])
    curve = learning_curve(LinearAligner("ridge", alpha=1.0), X, Y[:, :5], random_state=0, **words)
    assert curve.accuracy_unaligned is None
    assert curve.accuracy.mean() > 0.7


@pytest.mark.parametrize(
    ("of_text", "of_arrays"),
    [
        ({"method": "procrustes"}, {"method": "procrustes"}),
        ({"method": "auto", "output_space": "shared"}, {"shared": True}),
    ],
    ids=["english", "shared"],
)
def test_cross_lingual_aligner_on_arrays_is_its_language_map(of_text, of_arrays):
    X, Y = rotated(n=120)
    setting = {"train_sizes": [20, 80], "n_repeats": 2, "random_state": 0, **task()}
    curve = learning_curve(toy(**of_text), X, Y, **setting)
    same(curve, learning_curve(LinearAligner(random_state=0, **of_arrays), X, Y, **setting))


# Text


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
    assert_allclose(of_text.recall, of_arrays.recall, atol=1e-6)
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
    assert_allclose(of_text.recall, of_arrays.recall, atol=1e-6)


# What is left alone, and what repeats


def test_the_aligner_is_neither_fitted_nor_changed():
    X, Y = rotated(n=60)
    linear = LinearAligner("procrustes")
    encoder, english = ToyEncoder(), EnglishOnly()
    cross = CrossLingualAligner(encoder=encoder, english_encoder=english, method="procrustes")
    for aligner, data in ((linear, (X, Y)), (cross, (PAIRS[:80],))):
        before = dict(vars(aligner))
        learning_curve(aligner, *data, n_repeats=1, random_state=0)
        assert vars(aligner) == before
    assert cross.encoder is encoder
    assert cross.english_encoder is english


def test_a_fitted_aligner_keeps_its_fit():
    X, Y = rotated(n=60)
    aligner = LinearAligner("procrustes").fit(X, Y)
    coef = aligner.coef_.copy()
    learning_curve(aligner, X, -Y, random_state=0)
    assert_array_equal(aligner.coef_, coef)


def test_data_are_left_as_they_are():
    X, Y = rotated(n=60)
    copies = X.copy(), Y.copy()
    learning_curve(LinearAligner("procrustes"), X, Y, random_state=0)
    assert_array_equal(X, copies[0])
    assert_array_equal(Y, copies[1])


def test_random_state_repeats_the_curve():
    X, Y = rotated(n=100)
    aligner = LinearAligner("auto")
    setting = {"train_sizes": [20, 70], "n_repeats": 2}
    one = learning_curve(aligner, X, Y, random_state=1, **setting)
    same(learning_curve(aligner, X, Y, random_state=1, **setting), one)
    state = np.random.RandomState(1)
    same(learning_curve(aligner, X, Y, random_state=state, **setting), one)
    other = learning_curve(aligner, X, Y, random_state=2, **setting)
    assert not np.array_equal(other.recall, one.recall)


@pytest.mark.parametrize("aligner", [LinearAligner("auto"), LinearAligner("procrustes")])
def test_global_random_numbers_are_untouched(aligner):
    X, Y = rotated(n=60)
    np.random.seed(7)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    learning_curve(aligner, X, Y, n_repeats=1, random_state=0)
    state = np.random.get_state()  # noqa: NPY002
    assert_array_equal(state[1], before)
    assert state[2] == 624


def test_an_aligner_without_random_state_is_seeded():
    X, Y = numbered(60)
    Stub, log = stub_class()
    aligner = Stub()
    learning_curve(aligner, X, Y, n_repeats=3, random_state=0)
    assert len(set(log["seeds"])) == 1
    assert isinstance(log["seeds"][0], int)
    assert aligner.random_state is None
    learning_curve(aligner, X, Y, n_repeats=1, random_state=1)
    assert log["seeds"][-1] != log["seeds"][0]


def test_an_aligner_with_random_state_keeps_it():
    X, Y = numbered(60)
    Stub, log = stub_class()
    learning_curve(Stub(random_state=5), X, Y, n_repeats=2, random_state=0)
    assert log["seeds"] == [5, 5]


# Ctrl-C and the progress bar


@pytest.mark.parametrize("fits_done", [2, 3])
def test_interrupted_curve_ends_at_the_sizes_that_are_finished(fits_done):
    X, Y = numbered(60)
    setting = {"n_repeats": 2, "random_state": 0}
    with pytest.warns(UserWarning, match="interrupted.*5 pairs") as caught:
        curve = learning_curve(
            stub_class(stop_at=fits_done)[0](), X, Y, train_sizes=[5, 20, 40], **setting
        )
    assert caught[0].filename == __file__
    assert curve.n_pairs.tolist() == [5]
    assert curve.recall.shape == (1, 2)
    assert curve.recall_interval.shape == (1, 2)
    whole = learning_curve(stub_class()[0](), X, Y, train_sizes=[5], **setting)
    assert_array_equal(curve.recall, whole.recall)


def test_interrupted_curve_keeps_its_accuracies():
    X, Y = rotated(n=60)
    with pytest.warns(UserWarning, match="interrupted"):
        curve = learning_curve(
            stub_class(stop_at=3)[0](),
            X,
            Y,
            train_sizes=[5, 20],
            n_repeats=2,
            random_state=0,
            **task(),
        )
    assert curve.accuracy.shape == (1, 2)
    assert len(curve.to_frame()) == 1


@pytest.mark.parametrize("fits_done", [0, 1])
def test_interrupt_at_the_first_size_is_raised(fits_done):
    X, Y = numbered(60)
    with pytest.raises(KeyboardInterrupt):
        learning_curve(
            stub_class(stop_at=fits_done)[0](),
            X,
            Y,
            train_sizes=[5, 20],
            n_repeats=2,
            random_state=0,
        )


def test_verbose_writes_to_stderr_only(capsys):
    X, Y = numbered(60)
    setting = {"train_sizes": [5, 20], "n_repeats": 2, "random_state": 0}
    quiet = learning_curve(stub_class()[0](), X, Y, **setting)
    assert capsys.readouterr() == ("", "")
    loud = learning_curve(stub_class()[0](), X, Y, verbose=True, **setting)
    out, err = capsys.readouterr()
    assert out == ""
    assert "4/4" in err
    same(loud, quiet)


def test_warnings_of_small_fits_are_not_shown(recwarn):
    learning_curve(toy(method="auto"), PAIRS[:30], train_sizes=[3, 10], random_state=0)
    assert not [w for w in recwarn if issubclass(w.category, UserWarning)]


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
def test_without_y_pairs_are_due(X):
    with pytest.raises(ValueError, match="X must hold pairs"):
        learning_curve(toy(), X)


def test_class_labels_are_no_counterparts():
    X, _ = numbered(60)
    with pytest.raises(ValueError, match="Expected 2D array, got 1D"):
        learning_curve(LinearAligner(), X, np.arange(60))


def test_sides_of_different_length():
    X, Y = numbered(60)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        learning_curve(LinearAligner(), X, Y[:-1])


# The table


def test_frame_has_the_means_and_their_intervals():
    X, Y = rotated(n=120)
    sizes = {"train_sizes": [20, 90], "n_repeats": 2, "random_state": 0}
    columns = ["n_pairs", "recall", "recall_low", "recall_high"]
    curve = learning_curve(LinearAligner("procrustes"), X, Y, **sizes)
    frame = curve.to_frame()
    assert frame.columns.tolist() == columns
    assert_array_equal(frame["n_pairs"], [20, 90])
    assert_allclose(frame["recall"], curve.recall.mean(axis=1))
    assert_allclose(frame[["recall_low", "recall_high"]], curve.recall_interval)
    curve = learning_curve(LinearAligner("procrustes"), X, Y, **sizes, **task())
    frame = curve.to_frame()
    assert frame.columns.tolist() == [*columns, "accuracy", "accuracy_low", "accuracy_high"]
    assert_allclose(frame["accuracy"], curve.accuracy.mean(axis=1))
    assert_allclose(frame[["accuracy_low", "accuracy_high"]], curve.accuracy_interval)


# The plot


@pytest.fixture(scope="module")
def curve():
    X, Y = rotated(n=120)
    return learning_curve(
        LinearAligner("procrustes"),
        X,
        Y,
        train_sizes=[10, 40, 90],
        n_repeats=2,
        random_state=0,
        **task(),
    )


def made(recall, n_pairs=(10, 100)):
    """A curve of given means."""
    values = np.array(recall)[:, None]
    interval = np.hstack([values - 0.05, values + 0.05])
    return PairLearningCurve(np.array(n_pairs), values, interval, None, None, None, None, 50)


@pytest.mark.parametrize("metric", ["recall", "accuracy"])
def test_plot_draws_means_band_and_baseline(curve, metric):
    display = PairLearningCurveDisplay(curve).plot(metric=metric)
    x, y = display.line_.get_data()
    assert_array_equal(x, [10, 40, 90])
    assert_allclose(y, getattr(curve, metric).mean(axis=1))
    interval = getattr(curve, f"{metric}_interval")
    corners = display.fill_.get_paths()[0].vertices
    for n, (low, high) in zip(x, interval, strict=True):
        at = corners[corners[:, 0] == n, 1]
        assert_allclose([at.min(), at.max()], [low, high])
    unaligned = getattr(curve, f"{metric}_unaligned")
    assert_allclose(display.unaligned_.get_ydata(), unaligned)
    assert display.unaligned_.get_linestyle() == "--"
    ax = display.ax_
    assert display.figure_ is ax.figure
    assert ax.get_xlabel() == "pairs"
    assert metric in ax.get_ylabel()
    assert ax.get_xscale() == "log"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["10", "40", "90"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["aligned", "no alignment"]
    low, high = ax.get_ylim()
    assert low <= min(interval.min(), unaligned)
    assert interval.max() <= high
    display.figure_.canvas.draw()


def test_recall_axis_tells_the_pool(curve):
    label = PairLearningCurveDisplay(curve).plot().ax_.get_ylabel()
    assert f"({curve.n_test} pairs)" in label


def test_from_estimator_is_the_plot_of_the_curve():
    X, Y = rotated(n=120)
    setting = {"train_sizes": [10, 90], "n_repeats": 2, "random_state": 0, **task()}
    aligner = LinearAligner("procrustes")
    expected = learning_curve(aligner, X, Y, **setting)
    display = PairLearningCurveDisplay.from_estimator(aligner, X, Y, metric="accuracy", **setting)
    same(display.curve, expected)
    assert_allclose(display.line_.get_ydata(), expected.accuracy.mean(axis=1))
    assert "accuracy" in display.ax_.get_ylabel()


def test_from_estimator_takes_text():
    display = PairLearningCurveDisplay.from_estimator(
        toy(), PAIRS, train_sizes=[20, 100], n_repeats=1, random_state=0
    )
    assert_array_equal(display.line_.get_xdata(), [20, 100])


def test_no_baseline_no_line():
    X, Y = rotated(n=60)
    display = PairLearningCurveDisplay.from_estimator(
        LinearAligner("ridge", alpha=1.0), X, Y[:, :5], random_state=0
    )
    assert display.unaligned_ is None
    assert len(display.ax_.get_lines()) == 1


def test_given_axes_are_used(curve):
    figure, (left, right) = plt.subplots(1, 2)
    display = PairLearningCurveDisplay(curve).plot(ax=right, name="mine")
    assert display.ax_ is right
    assert display.figure_ is figure
    assert not left.get_lines()
    assert right.get_legend().get_texts()[0].get_text() == "mine"
    X, Y = rotated(n=60)
    of_estimator = PairLearningCurveDisplay.from_estimator(
        LinearAligner("procrustes"), X, Y, ax=left, n_repeats=1, random_state=0
    )
    assert of_estimator.ax_ is left
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("order", [1, -1], ids=["high first", "low first"])
def test_two_curves_on_the_same_axes_are_both_seen(order):
    curves = [made([0.8, 0.9]), made([0.2, 0.3])][::order]
    ax = None
    for c in curves:
        ax = PairLearningCurveDisplay(c).plot(ax=ax).ax_
    ax.figure.canvas.draw()
    low, high = ax.get_ylim()
    assert low <= 0.15
    assert high >= 0.95


def test_unknown_metric(curve):
    with pytest.raises(ValueError, match=r"metric must be one of.*recall.*accuracy.*got 'x'"):
        PairLearningCurveDisplay(curve).plot(metric="x")


def test_accuracy_that_was_not_measured():
    with pytest.raises(ValueError, match=r"classifier=, english= and target_dev="):
        PairLearningCurveDisplay(made([0.5, 0.6])).plot(metric="accuracy")


@pytest.mark.parametrize("metric", ["x", "accuracy"])
def test_a_metric_that_cannot_be_drawn_is_known_before_any_fit(metric):
    Stub, log = stub_class()
    with pytest.raises(ValueError, match=r"metric must be|classifier="):
        PairLearningCurveDisplay.from_estimator(
            Stub(), *numbered(60), metric=metric, n_repeats=1, random_state=0
        )
    assert plt.get_fignums() == []
    assert not log["fit"]


def test_missing_matplotlib_is_named_before_any_fit(curve, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    Stub, log = stub_class()
    with pytest.raises(ImportError, match=r"langalign-sk\[plot\]"):
        PairLearningCurveDisplay(curve).plot()
    with pytest.raises(ImportError, match=r"langalign-sk\[plot\]"):
        PairLearningCurveDisplay.from_estimator(Stub(), *numbered(60), random_state=0)
    assert not log["fit"]


def test_import_needs_no_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None; import langalign_sk.inspection as i; "
        "i.PairLearningCurveDisplay; import langalign_sk.model_selection; "
        "assert not [m for m in sys.modules if m.startswith('matplotlib.')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
