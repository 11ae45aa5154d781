"""The learning curve of pairs: its values, intervals, accuracies and table."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity

from langalign_sk import CrossLingualAligner, LinearAligner
from langalign_sk.metrics.pairs import retrieval_recall_score
from langalign_sk.model_selection import PairLearningCurve, learning_curve
from tests.model_selection.curve_factories import (
    half_right,
    numbered,
    numbers,
    recording_linear,
    same,
    stub_class,
    task,
    toy,
)
from tests.toy import PAIRS, EnglishOnly, ToyEncoder, rotated

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
    similarity = cosine_similarity(log["moved"][0], log["counterparts"][0])
    right = np.arange(curve.n_test)
    hits = np.mean([similarity.argmax(axis=axis) == right for axis in (0, 1)], axis=0)
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
