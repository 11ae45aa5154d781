"""Plots of retrieval and of hubs: what is drawn, from what, and what is refused."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import skew
from sklearn.exceptions import NotFittedError

from langalign_sk import AdapterAligner, CrossLingualAligner, LinearAligner
from langalign_sk.inspection import HubnessDisplay, RetrievalDisplay
from langalign_sk.metrics import hubness_score, retrieval_recall_score
from langalign_sk.model_selection import make_retrieval_scorer
from tests.toy import ENGLISH, KOREAN, EnglishOnly, NeverEncode, ToyEncoder

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PAIRS = list(zip(KOREAN, ENGLISH, strict=True))
DISPLAYS = [RetrievalDisplay, HubnessDisplay]


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    plt.close("all")
    yield
    plt.close("all")


def rotated(n=150, noise=0.8, width=8, seed=0):
    """Pairs that a rotation takes to each other, but for noise."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    Y = rng.normal(size=(n, width))
    return (Y + noise * rng.normal(size=Y.shape)) @ rotation.T, Y


def toy(**kwargs):
    """An aligner of text whose retrieval is far from perfect, fitted on the first half."""
    encoder = ToyEncoder(shift=3.0, noise=1.0)
    aligner = CrossLingualAligner(encoder=encoder, corpus=None, method="procrustes", **kwargs)
    return aligner.fit(PAIRS[:100])


def ranks(X, Y):
    """Place of row i of Y among all rows of Y, by cosine to row i of X, from 0 on."""
    S = cosines(X, Y)
    return (np.diag(S)[:, None] < S).sum(axis=1)


def cosines(X, Y):
    X, Y = np.asarray(X, dtype=float), np.asarray(Y, dtype=float)
    return (X / np.linalg.norm(X, axis=1)[:, None]) @ (Y / np.linalg.norm(Y, axis=1)[:, None]).T


def recalls(X, Y, k):
    return np.array([[(ranks(*sides) < n).mean() for n in k] for sides in ((X, Y), (Y, X))])


def occurrences(seeking, found, k):
    nearest = np.argsort(-cosines(seeking, found), axis=1)[:, :k]
    return np.bincount(nearest.ravel(), minlength=len(found))


def drawn_at_least(line):
    """What a line of HubnessDisplay says for every whole N: rows with at least N."""
    x, y = line.get_data()
    return {n: y[np.searchsorted(x, n)] for n in range(int(x.max()) + 1)}


def labels(ax):
    return [t.get_text() for t in ax.get_legend().get_texts()]


def test_recall_of_an_aligner_on_embeddings():
    X, Y = rotated()
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


@pytest.mark.parametrize("display", DISPLAYS)
def test_text_is_encoded_once(display):
    aligner = toy()
    aligner.encoder.calls.clear()
    display.from_estimator(aligner, PAIRS[100:])
    assert sorted(aligner.encoder.calls) == sorted(KOREAN[100:] + ENGLISH[100:])


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
    X, Y = rotated()
    aligner = AdapterAligner(max_epochs=1, random_state=0).fit(X, Y)
    expected = recalls(aligner.transform(X), Y, [1, 2])
    aligner.set_output(transform="pandas")
    display = RetrievalDisplay.from_estimator(aligner, X, Y, k=[1, 2])
    assert_allclose(display.recall, expected)


@pytest.mark.parametrize("display", DISPLAYS)
def test_no_baseline_between_two_encoders(display):
    X, Y = rotated()
    narrow = LinearAligner("ridge", alpha=1.0).fit(X, Y[:, :5])
    drawn = [display.from_estimator(narrow, X, Y[:, :5])]
    for width in (7, 12):  # another encoder, even if of the same width
        bridged = toy(english_encoder=EnglishOnly(width=width))
        drawn.append(display.from_estimator(bridged, PAIRS[100:]))
    for one in drawn:
        values = vars(one).get("recall_unaligned", vars(one).get("k_occurrence_unaligned"))
        lines = vars(one).get("lines_unaligned_", vars(one).get("line_unaligned_"))
        assert values is None
        assert lines is None
        assert not [text for text in labels(one.ax_) if "no alignment" in text]


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_counts_of_an_aligner(direction):
    X, Y = rotated()
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
    X, Y = rotated()
    display = HubnessDisplay.from_embeddings(X[:30], Y, k=2)
    assert_allclose(display.k_occurrence, occurrences(X[:30], Y, 2))
    assert_allclose(display.mean_.get_xdata(), 2 * 30 / 150)
    assert display.line_unaligned_ is None


def test_equal_counts_have_no_skewness():
    display = HubnessDisplay(np.array([3, 3 + 4e-16, 3, 3 - 4e-16]) / 9, None, 1).plot()
    assert labels(display.ax_)[0] == "aligned, skewness 0.00"


def test_recall_of_embeddings():
    X, Y = rotated()
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


@pytest.mark.parametrize("display", DISPLAYS)
def test_given_axes_are_used(display):
    X, Y = rotated()
    aligner = LinearAligner("procrustes").fit(X, Y)
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    first = display.from_estimator(aligner, X, Y, ax=left)
    assert first.ax_ is left
    assert first.figure_ is figure
    assert not right.get_lines()
    assert display.from_embeddings(X, Y, ax=right).ax_ is right
    assert plt.get_fignums() == [figure.number]
    before = len(right.get_lines())
    first.plot(ax=right)
    assert len(right.get_lines()) > before


@pytest.mark.parametrize(
    ("k", "scale"), [([5], "linear"), ([1, 2], "linear"), ([1, 10], "linear"), ([1, 100], "log")]
)
def test_ticks_of_k_are_whole(k, scale):
    X, Y = rotated()
    display = RetrievalDisplay.from_embeddings(X, Y, k=k)
    display.figure_.canvas.draw()
    assert display.ax_.get_xscale() == scale
    low, high = display.ax_.get_xlim()
    ticks = [t for t in display.ax_.get_xticks() if low <= t <= high]
    assert ticks
    assert_array_equal(ticks, np.round(ticks))


@pytest.mark.parametrize("k", [0, 151, 1.5, "1"])
@pytest.mark.parametrize("display", DISPLAYS)
def test_k_out_of_range(display, k):
    X, Y = rotated()
    aligner = LinearAligner("procrustes").fit(X, Y)
    ks = [1, k] if display is RetrievalDisplay else k
    with pytest.raises(ValueError, match="k must be from 1 to 150"):
        display.from_embeddings(X, Y, k=ks)
    with pytest.raises(ValueError, match="k must be from 1 to 150"):
        display.from_estimator(aligner, X, Y, k=ks)
    assert plt.get_fignums() == []


def test_no_k():
    X, Y = rotated()
    with pytest.raises(ValueError, match="k must be from 1 to 150"):
        RetrievalDisplay.from_embeddings(X, Y, k=[])


def test_k_may_be_all_rows_that_are_counted():
    X, Y = rotated()
    display = HubnessDisplay.from_embeddings(X[:30], Y, k=30, direction="backward")
    assert_allclose(display.k_occurrence, 150)
    with pytest.raises(ValueError, match="k must be from 1 to 30"):
        HubnessDisplay.from_embeddings(X[:30], Y, k=31, direction="backward")


@pytest.mark.parametrize("display", DISPLAYS)
def test_bad_input_is_found_before_any_text_is_encoded(display):
    aligner = toy()
    aligner.encoder = NeverEncode()
    large = [1, 101] if display is RetrievalDisplay else 101
    cases = [
        (KOREAN, {}, "one column of text.*pass pairs"),
        (PAIRS[100:], {"k": large}, "k must be from 1 to 100"),
        (PAIRS[100:], {"y": np.ones(100)}, "y"),
        (PAIRS[100:], {"similarity": "dot"}, "similarity must be one of"),
    ]
    for X, given, message in cases:
        with pytest.raises(ValueError, match=message):
            display.from_estimator(aligner, X, **given)


@pytest.mark.parametrize("display", DISPLAYS)
def test_what_is_no_fitted_aligner(display):
    X, Y = rotated()
    for unfitted in (LinearAligner(), CrossLingualAligner()):
        with pytest.raises(NotFittedError):
            display.from_estimator(unfitted, X, Y)
    with pytest.raises(ValueError, match=r"got ToyEncoder.*from_embeddings"):
        display.from_estimator(ToyEncoder(), X, Y)
    with pytest.raises(ValueError, match="y is needed"):
        display.from_estimator(LinearAligner("procrustes").fit(X, Y), X)


@pytest.mark.parametrize("display", DISPLAYS)
def test_sides_that_do_not_fit(display):
    X, Y = rotated()
    cases = [
        ({"Y": Y[:, :5]}, "width"),
        ({"X_unaligned": X[:, :5]}, "width"),
        ({"X_unaligned": X[1:]}, "inconsistent numbers of samples"),
        ({"Y_unaligned": Y[1:]}, "inconsistent numbers of samples"),
        ({"similarity": "dot"}, "similarity must be one of"),
    ]
    for given, message in cases:
        with pytest.raises(ValueError, match=message):
            display.from_embeddings(**{"X": X, "Y": Y, **given})
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        RetrievalDisplay.from_embeddings(X[1:], Y)


def test_unknown_direction():
    X, Y = rotated()
    aligner = LinearAligner("procrustes").fit(X, Y)
    with pytest.raises(ValueError, match="direction must be one of"):
        HubnessDisplay.from_embeddings(X, Y, direction="both")
    with pytest.raises(ValueError, match="direction must be one of"):
        HubnessDisplay.from_estimator(aligner, X, Y, direction="both")


def test_missing_matplotlib_is_named_before_any_text_is_encoded(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    X, Y = rotated()
    aligner = toy()
    aligner.encoder = NeverEncode()
    made = [RetrievalDisplay([1], [[1.0], [1.0]], None, 10), HubnessDisplay([1, 2], None, 1)]
    calls = [display.plot for display in made]
    for display in DISPLAYS:
        calls.append(lambda display=display: display.from_estimator(aligner, PAIRS))
        calls.append(lambda display=display: display.from_embeddings(X, Y))
    for call in calls:
        with pytest.raises(ImportError, match=r"langalign-sk\[plot\]"):
            call()


def test_import_needs_neither_matplotlib_nor_torch():
    code = (
        "import sys; sys.modules['matplotlib'] = None; "
        "import langalign_sk; import langalign_sk.inspection as i; "
        "i.RetrievalDisplay([1], [[1.0], [1.0]], None, 10); i.HubnessDisplay([1, 2], None, 1); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
