"""ONNX graphs of kernel heads against what scikit-learn's methods of the head say."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from langalign_sk import KernelRidgeClassifier, LinearAligner
from langalign_sk.export import to_onnx
from tests.export.common import WARNINGS_OF_TOYS, aligner, assert_same, english_rows, rows, run
from tests.toy import ENGLISH, KOREAN, EnglishOnly

pytestmark = WARNINGS_OF_TOYS

EPS = float(np.finfo(np.float32).eps)
# Classes that the vectors tell.
PLACES = english_rows()[:, :3].argmax(axis=1)
LABELS = np.array(["a", "b", "c"])[PLACES]


def kernel(**parameters):
    return KernelRidgeClassifier(**{"gamma": 0.5, "alpha": 0.1, **parameters})


def tolerance(head):
    """Bound of the error of float32 log odds, and hence of probabilities."""
    expansion = head.kernel_expansion()
    largest = 1 + expansion.gamma  # of a kernel value, and of a squared distance in its exponent
    return 4 * EPS * (1 + largest * np.abs(expansion.coef).sum(axis=0).max())


def assert_agrees(model, pipe, X, texts=None):
    """Assert the labels and probabilities of a pipeline that ends with a kernel head."""
    given = X if texts is None else texts
    head = pipe[-1]
    while hasattr(head, "steps") or hasattr(head, "best_estimator_"):
        head = head[-1] if hasattr(head, "steps") else head.best_estimator_
    out = run(model, X)
    assert list(out) == ["label", "probabilities"]
    assert out["probabilities"].dtype == np.float32
    assert_same(out["probabilities"], pipe.predict_proba(given), tolerance(head))
    np.testing.assert_array_equal(out["label"], pipe.predict(given))


@pytest.mark.parametrize(
    "labels",
    [LABELS, LABELS.astype(object), PLACES % 2, PLACES + 7, PLACES == 1],
    ids=["text", "objects", "two", "ints", "bools"],
)
def test_kernel_on_text(onnx, labels):
    pipe = make_pipeline(aligner(english_encoder=EnglishOnly()), kernel())
    pipe.fit(ENGLISH, labels, crosslingualaligner__parallel=(KOREAN, ENGLISH))
    model = to_onnx(pipe)
    assert_agrees(model, pipe, rows(), KOREAN)
    assert_agrees(model, pipe, rows(1), KOREAN[:1])


@pytest.mark.parametrize(
    "head",
    [
        make_pipeline(StandardScaler(), kernel()),
        GridSearchCV(kernel(), {"gamma": [0.5, 1.0]}, cv=2),
        GridSearchCV(
            make_pipeline(StandardScaler(), kernel()),
            {"kernelridgeclassifier__alpha": [0.1, 1.0]},
            cv=2,
        ),
    ],
    ids=["scaled", "searched", "scaled and searched"],
)
def test_kernel_behind_other_steps(skl2onnx, head):
    pipe = make_pipeline(aligner(), "passthrough", head)
    pipe.fit(ENGLISH, LABELS, crosslingualaligner__parallel=(KOREAN, ENGLISH))
    assert_agrees(to_onnx(pipe), pipe, rows(), KOREAN)


@pytest.mark.parametrize("opset", [13, 17, 18, 21])
def test_opset_of_a_kernel(skl2onnx, opset):
    fitted = FrozenEstimator(LinearAligner("identity").fit(rows(), rows()))
    pipe = make_pipeline(fitted, StandardScaler(), kernel()).fit(rows(), LABELS)
    for estimator in (pipe, make_pipeline(fitted, kernel().fit(rows(), LABELS))):
        model = to_onnx(estimator, opset=opset)
        assert [o.version for o in model.opset_import if o.domain == ""] == [opset]
        assert_agrees(model, estimator, rows())


def test_kernel_needs_no_skl2onnx(onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    fitted = LinearAligner("identity").fit(rows(), rows())
    head = kernel().fit(rows(), LABELS)
    assert_agrees(to_onnx(make_pipeline(fitted, head)), make_pipeline(fitted, head), rows())
    with pytest.raises(ImportError, match=r"needs the package skl2onnx"):
        to_onnx(make_pipeline(fitted, StandardScaler().fit(rows()), head))


def test_indicator_matrix(onnx):
    Y = (rows()[:, :3] > 0).astype(int)
    fitted = LinearAligner("identity").fit(rows(), rows())
    pipe = make_pipeline(fitted, kernel().fit(rows(), Y))
    model = to_onnx(pipe)
    assert_agrees(model, pipe, rows())
    assert run(model, rows(1))["label"].shape == (1, 3)


def test_rows_that_equal_the_mean(onnx):
    X = rows() + np.float32(50)  # rounding is 4e-6 per number
    head = kernel().fit(X, LABELS)
    pipe = make_pipeline(LinearAligner("identity").fit(X, X), FrozenEstimator(head))
    mean = head.mean_.astype(np.float32)
    near = np.stack([mean, np.nextafter(mean, np.float32(np.inf)), mean + np.float32(0.01)])
    P = run(to_onnx(pipe), near)["probabilities"]
    # The kernel of zero and a unit row is exp(-gamma).
    scores = np.exp(-0.5) * head.dual_coef_.sum(axis=0) / head.temperature_
    expected = np.exp(scores) / np.exp(scores).sum()
    assert_same(P[:2], np.stack([expected, expected]), tolerance(head))
    assert_same(P[:2], head.predict_proba(near[:2]), tolerance(head))
    assert np.abs(P[2] - expected).max() > 100 * tolerance(head)


def test_fit_in_float64_with_landmarks(onnx):
    X = rows(dtype=np.float64)
    head = kernel(max_rows=50, random_state=0).fit(X, LABELS)
    pipe = make_pipeline(LinearAligner("identity").fit(X, X), head)
    assert_agrees(to_onnx(pipe), pipe, rows())


def test_graph_that_is_wrong(onnx, monkeypatch):
    head = kernel().fit(rows(), LABELS)
    wrong = dataclasses.replace(head.kernel_expansion(), gamma=5.0)
    monkeypatch.setattr(KernelRidgeClassifier, "kernel_expansion", lambda self: wrong)
    pipe = make_pipeline(LinearAligner("identity").fit(rows(), rows()), head)
    with pytest.raises(ValueError, match=r"graph of the steps .* \(KernelRidge.*\) is wrong"):
        to_onnx(pipe)
