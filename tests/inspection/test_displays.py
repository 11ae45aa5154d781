"""What the plots of retrieval and of hubness have in common."""

from __future__ import annotations

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from langalign_sk import CrossLingualAligner, LinearAligner
from langalign_sk.inspection import HubnessDisplay, RetrievalDisplay
from tests.inspection.oracle import labels, toy
from tests.toy import ENGLISH, KOREAN, PAIRS, EnglishOnly, NeverEncode, ToyEncoder, rotated

DISPLAYS = [RetrievalDisplay, HubnessDisplay]


@pytest.mark.parametrize("display", DISPLAYS)
def test_text_is_encoded_once(display):
    aligner = toy()
    aligner.encoder.calls.clear()
    display.from_estimator(aligner, PAIRS[100:])
    assert sorted(aligner.encoder.calls) == sorted(KOREAN[100:] + ENGLISH[100:])


@pytest.mark.parametrize("display", DISPLAYS)
def test_no_baseline_between_two_encoders(display):
    X, Y = rotated(150, noise=0.8)
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


@pytest.mark.parametrize("display", DISPLAYS)
def test_given_axes_are_used(display):
    X, Y = rotated(150, noise=0.8)
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


@pytest.mark.parametrize("k", [0, 151, 1.5, "1"])
@pytest.mark.parametrize("display", DISPLAYS)
def test_k_out_of_range(display, k):
    X, Y = rotated(150, noise=0.8)
    aligner = LinearAligner("procrustes").fit(X, Y)
    ks = [1, k] if display is RetrievalDisplay else k
    with pytest.raises(ValueError, match="k must be from 1 to 150"):
        display.from_embeddings(X, Y, k=ks)
    with pytest.raises(ValueError, match="k must be from 1 to 150"):
        display.from_estimator(aligner, X, Y, k=ks)
    assert plt.get_fignums() == []


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
def test_objects_that_are_not_fitted_aligners(display):
    X, Y = rotated(150, noise=0.8)
    for unfitted in (LinearAligner(), CrossLingualAligner()):
        with pytest.raises(NotFittedError):
            display.from_estimator(unfitted, X, Y)
    with pytest.raises(ValueError, match=r"got ToyEncoder.*from_embeddings"):
        display.from_estimator(ToyEncoder(), X, Y)
    with pytest.raises(ValueError, match="y is needed"):
        display.from_estimator(LinearAligner("procrustes").fit(X, Y), X)


@pytest.mark.parametrize("display", DISPLAYS)
def test_sides_that_do_not_fit(display):
    X, Y = rotated(150, noise=0.8)
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


def test_missing_matplotlib_is_named_before_any_text_is_encoded(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    X, Y = rotated(150, noise=0.8)
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


@pytest.mark.slow
def test_import_needs_neither_matplotlib_nor_torch():
    code = (
        "import sys; sys.modules['matplotlib'] = None; "
        "import langalign_sk; import langalign_sk.inspection as i; "
        "i.RetrievalDisplay([1], [[1.0], [1.0]], None, 10); i.HubnessDisplay([1, 2], None, 1); "
        "i.PairLearningCurveDisplay; import langalign_sk.model_selection; "
        "assert not [m for m in sys.modules if m.startswith('matplotlib.')]; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
