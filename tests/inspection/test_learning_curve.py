"""The plot of a learning curve of pairs."""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk import LinearAligner
from langalign_sk.inspection import PairLearningCurveDisplay
from langalign_sk.model_selection import PairLearningCurve, learning_curve
from tests.model_selection.curve_factories import numbered, same, stub_class, task, toy
from tests.toy import PAIRS, rotated

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


@pytest.mark.slow
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
