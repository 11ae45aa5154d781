"""The plot of recall at k."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk import AdapterAligner, CrossLingualAligner, LinearAligner
from langalign_sk.inspection import HubnessDisplay, RetrievalDisplay
from langalign_sk.metrics import retrieval_recall_score
from langalign_sk.model_selection import make_retrieval_scorer
from tests.inspection.oracle import labels, occurrences, recalls, toy
from tests.toy import ENGLISH, KOREAN, PAIRS, ToyEncoder, rotated


def test_recall_of_an_aligner_on_embeddings():
    X, Y = rotated(150, noise=0.8)
    aligner = LinearAligner("procrustes").fit(X[:50], Y[:50])
    display = RetrievalDisplay.from_estimator(aligner, X[50:], Y[50:], k=[10, 1, 3])
    expected = recalls(aligner.transform(X[50:]), Y[50:], [1, 3, 10])
    before = recalls(X[50:], Y[50:], [1, 3, 10])
    assert (expected[0] != expected[1]).any()  # the two directions can be told apart
    assert_allclose(display.recall, expected)
    assert_allclose(display.recall_unaligned, before)
    assert display.n_pairs == 100
    for lines, values, style in (
        (display.lines_, expected, "-"),
        (display.lines_unaligned_, before, "--"),
    ):
        for line, one in zip(lines, values, strict=True):
            assert_array_equal(line.get_xdata(), [1, 3, 10])
            assert_allclose(line.get_ydata(), one)
            assert line.get_linestyle() == style
    colors = [line.get_color() for line in display.lines_]
    assert colors == [line.get_color() for line in display.lines_unaligned_]
    assert colors[0] != colors[1]
    assert labels(display.ax_) == [
        "target finds English, aligned",
        "English finds target, aligned",
        "target finds English, no alignment",
        "English finds target, no alignment",
    ]
    assert "(100 pairs)" in display.ax_.get_ylabel()


@pytest.mark.parametrize("similarity", ["cosine", "csls", "margin"])
def test_recall_is_that_of_the_metric_and_of_the_scorer(similarity):
    X, Y = rotated(n=1100)  # more than one block of the metrics
    Y[5] = Y[9]  # two right answers
    aligner = LinearAligner("procrustes").fit(X, Y)
    display = RetrievalDisplay.from_estimator(aligner, X, Y, k=[1, 4], similarity=similarity)
    for row, direction in zip(display.recall, ("forward", "backward"), strict=True):
        for value, k in zip(row, (1, 4), strict=True):
            setting = {"k": k, "similarity": similarity, "direction": direction}
            assert value == pytest.approx(make_retrieval_scorer(**setting)(aligner, X, Y))
            assert value == pytest.approx(
                retrieval_recall_score(aligner.transform(X), Y, **setting)
            )


def test_recall_of_an_aligner_on_text():
    aligner, test = toy(), PAIRS[100:]
    display = RetrievalDisplay.from_estimator(aligner, test)
    encoder = aligner.encoder
    target, english = (encoder.encode(side) for side in (KOREAN[100:], ENGLISH[100:]))
    k = range(1, 11)
    assert_array_equal(display.k, k)
    assert_allclose(display.recall, recalls(aligner.transform(KOREAN[100:]), english, k))
    assert_allclose(display.recall_unaligned, recalls(target, english, k))
    assert display.recall[:, 0].mean() == pytest.approx(aligner.score(test))
    assert (display.recall != display.recall_unaligned).any()


@pytest.mark.parametrize("output_space", ["target", "shared"])
def test_english_rows_move_where_the_output_space_says_so(output_space):
    method = "spectral" if output_space == "shared" else "procrustes"
    encoder = ToyEncoder(noise=1.0)
    target, english = encoder.encode(KOREAN[100:]), encoder.encode(ENGLISH[100:])
    setting = {"corpus": None, "method": method, "output_space": output_space, "alpha": 1.0}
    aligner = CrossLingualAligner(encoder=encoder, **setting).fit(PAIRS[:100])
    expected = recalls(
        aligner.transform(KOREAN[100:]), aligner.transform(ENGLISH[100:]), range(1, 11)
    )
    text = RetrievalDisplay.from_estimator(aligner, PAIRS[100:])
    vectors = RetrievalDisplay.from_estimator(aligner, target, english)
    for display in (text, vectors):
        assert_allclose(display.recall, expected)
        assert_allclose(display.recall_unaligned, recalls(target, english, range(1, 11)))


def test_an_adapter_and_pandas_output():
    X, Y = rotated(150, noise=0.8)
    aligner = AdapterAligner(max_epochs=1, random_state=0).fit(X, Y)
    expected = recalls(aligner.transform(X), Y, [1, 2])
    aligner.set_output(transform="pandas")
    display = RetrievalDisplay.from_estimator(aligner, X, Y, k=[1, 2])
    assert_allclose(display.recall, expected)


def test_recall_of_embeddings():
    X, Y = rotated(150, noise=0.8)
    Z = X[:, ::-1]
    none = RetrievalDisplay.from_embeddings(X, Y, k=[2])
    assert_allclose(none.recall, recalls(X, Y, [2]))
    assert none.recall_unaligned is None
    cases = [
        ({"X_unaligned": Z}, (Z, Y)),
        ({"Y_unaligned": Z}, (X, Z)),
        ({"X_unaligned": Z[:, :3], "Y_unaligned": Y[:, :3]}, (Z[:, :3], Y[:, :3])),
    ]
    for given, (A, B) in cases:
        display = RetrievalDisplay.from_embeddings(X, Y, k=[2], **given)
        assert_allclose(display.recall_unaligned, recalls(A, B, [2]))
        counts = HubnessDisplay.from_embeddings(X, Y, k=2, **given).k_occurrence_unaligned
        assert_allclose(counts, occurrences(A, B, 2))


@pytest.mark.parametrize(
    ("k", "scale"), [([5], "linear"), ([1, 2], "linear"), ([1, 10], "linear"), ([1, 100], "log")]
)
def test_ticks_of_k_are_whole(k, scale):
    X, Y = rotated(150, noise=0.8)
    display = RetrievalDisplay.from_embeddings(X, Y, k=k)
    display.figure_.canvas.draw()
    assert display.ax_.get_xscale() == scale
    low, high = display.ax_.get_xlim()
    ticks = [t for t in display.ax_.get_xticks() if low <= t <= high]
    assert ticks
    assert_array_equal(ticks, np.round(ticks))


def test_no_k():
    X, Y = rotated(150, noise=0.8)
    with pytest.raises(ValueError, match="k must be from 1 to 150"):
        RetrievalDisplay.from_embeddings(X, Y, k=[])
