"""The plot of k-occurrences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import skew

from langalign_sk import LinearAligner
from langalign_sk.inspection import HubnessDisplay
from langalign_sk.metrics import hubness_score
from tests.inspection.oracle import labels, occurrences, toy
from tests.toy import ENGLISH, KOREAN, PAIRS, rotated


def drawn_at_least(line):
    """What a line of HubnessDisplay says for every whole N: rows with at least N."""
    x, y = line.get_data()
    return {n: y[np.searchsorted(x, n)] for n in range(int(x.max()) + 1)}


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_counts_of_an_aligner(direction):
    X, Y = rotated(150, noise=0.8)
    aligner = LinearAligner("procrustes").fit(X[:50], Y[:50])
    X, Y = X[50:], Y[50:]
    display = HubnessDisplay.from_estimator(aligner, X, Y, k=5, direction=direction)
    order = slice(None, None, 1 if direction == "forward" else -1)
    expected = occurrences(*(aligner.transform(X), Y)[order], 5)
    before = occurrences(*(X, Y)[order], 5)
    assert (before != expected).any()
    assert_allclose(display.k_occurrence, expected)
    assert_allclose(display.k_occurrence_unaligned, before)
    for line, counts in ((display.line_, expected), (display.line_unaligned_, before)):
        at_least = drawn_at_least(line)
        assert max(at_least) == counts.max()
        for n, rows in at_least.items():
            assert rows == (counts >= n).sum(), n
    assert_array_equal(display.mean_.get_xdata(), [5, 5])
    assert labels(display.ax_) == [
        f"aligned, skewness {skew(expected):.2f}",
        f"no alignment, skewness {skew(before):.2f}",
        "mean, 5",
    ]
    found = "English" if direction == "forward" else "target"
    assert display.ax_.get_ylabel().startswith(found)
    assert found not in display.ax_.get_xlabel()


def test_counts_of_an_aligner_on_text():
    aligner = toy()
    display = HubnessDisplay.from_estimator(aligner, PAIRS[100:], k=3, similarity="csls")
    target, english = (aligner.encoder.encode(s) for s in (KOREAN[100:], ENGLISH[100:]))
    moved = aligner.transform(KOREAN[100:])
    wanted = [hubness_score(rows, english, k=3, similarity="csls") for rows in (moved, target)]
    assert [float(text.split()[-1]) for text in labels(display.ax_)[:2]] == pytest.approx(
        wanted, abs=0.005
    )


def test_counts_need_no_pairs():
    X, Y = rotated(150, noise=0.8)
    display = HubnessDisplay.from_embeddings(X[:30], Y, k=2)
    assert_allclose(display.k_occurrence, occurrences(X[:30], Y, 2))
    assert_allclose(display.mean_.get_xdata(), 2 * 30 / 150)
    assert display.line_unaligned_ is None


def test_equal_counts_have_no_skewness():
    display = HubnessDisplay(np.array([3, 3 + 4e-16, 3, 3 - 4e-16]) / 9, None, 1).plot()
    assert labels(display.ax_)[0] == "aligned, skewness 0.00"


def test_k_may_be_all_rows_that_are_counted():
    X, Y = rotated(150, noise=0.8)
    display = HubnessDisplay.from_embeddings(X[:30], Y, k=30, direction="backward")
    assert_allclose(display.k_occurrence, 150)
    with pytest.raises(ValueError, match="k must be from 1 to 30"):
        HubnessDisplay.from_embeddings(X[:30], Y, k=31, direction="backward")


def test_unknown_direction():
    X, Y = rotated(150, noise=0.8)
    aligner = LinearAligner("procrustes").fit(X, Y)
    with pytest.raises(ValueError, match="direction must be one of"):
        HubnessDisplay.from_embeddings(X, Y, direction="both")
    with pytest.raises(ValueError, match="direction must be one of"):
        HubnessDisplay.from_estimator(aligner, X, Y, direction="both")
