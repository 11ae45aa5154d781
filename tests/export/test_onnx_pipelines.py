"""ONNX graphs of pipelines against what the pipeline itself does."""

from __future__ import annotations

import os

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from langalign_sk.export import to_linear, to_onnx
from tests.export.common import (
    DEEP,
    LABELS,
    WARNINGS_OF_TOYS,
    aligner,
    assert_same,
    english_rows,
    name_of,
    rows,
    run,
)
from tests.toy import ENGLISH, KOREAN, PAIRS, EnglishOnly

HEADS = [
    LogisticRegression(),
    make_pipeline(StandardScaler(), PCA(4), LogisticRegression()),
    RandomForestClassifier(10, random_state=0),
    CalibratedClassifierCV(LinearSVC()),
    GridSearchCV(LogisticRegression(), {"C": [1.0, 10.0]}, cv=2),
]

pytestmark = WARNINGS_OF_TOYS


@pytest.mark.parametrize("labels", [LABELS, np.arange(200) % 2, np.arange(200) % 3 + 7])
@pytest.mark.parametrize("head", HEADS, ids=lambda head: type(head).__name__)
def test_pipeline_on_text(skl2onnx, head, labels):
    pipe = make_pipeline(aligner(english_encoder=EnglishOnly()), head)
    pipe.fit(ENGLISH, labels, crosslingualaligner__parallel=(KOREAN, ENGLISH))
    out = run(to_onnx(pipe), rows())
    assert list(out) == ["label", "probabilities"]
    assert_same(out["probabilities"], pipe.predict_proba(KOREAN))
    np.testing.assert_array_equal(out["label"], pipe.predict(KOREAN))
    assert_same(run(to_onnx(pipe), rows(1))["probabilities"], pipe.predict_proba(KOREAN[:1]))


@pytest.mark.parametrize("parameters", DEEP, ids=name_of)
def test_pipeline_of_trained_maps(skl2onnx, parameters):
    pipe = make_pipeline(aligner(**parameters), StandardScaler(), LogisticRegression())
    pipe.fit(ENGLISH, LABELS, crosslingualaligner__parallel=(KOREAN, ENGLISH))
    out = run(to_onnx(pipe), rows())
    assert_same(out["probabilities"], pipe.predict_proba(KOREAN))


def test_frozen_steps_on_embeddings(skl2onnx, tmp_path):
    fitted = aligner().fit(rows(), english_rows())
    head = LogisticRegression().fit(english_rows(), LABELS)
    pipe = make_pipeline(fitted.freeze(), "passthrough", FrozenEstimator(head))
    to_onnx(pipe, tmp_path / "pipe.onnx")
    onnx = pytest.importorskip("onnx", reason="needs pip install onnx")
    out = run(onnx.load(tmp_path / "pipe.onnx"), rows())
    assert_same(out["probabilities"], pipe.predict_proba(rows()))
    assert_same(to_linear(fitted.freeze())[0], to_linear(fitted)[0])
    frozen = make_pipeline(fitted.language_map_, head)
    assert_same(run(to_onnx(frozen), rows())["probabilities"], pipe.predict_proba(rows()))


def test_pipeline_of_an_aligner_alone(onnx):
    fitted = aligner().fit(PAIRS)
    out = run(to_onnx(make_pipeline(fitted, "passthrough")), rows())
    assert_same(out["Z"], fitted.transform(rows()))


def test_pipeline_of_the_target_space_takes_target_rows_as_they_are(skl2onnx):
    pipe = make_pipeline(aligner(output_space="target"), LogisticRegression())
    pipe.fit(ENGLISH, LABELS, crosslingualaligner__parallel=(KOREAN, ENGLISH))
    assert_same(run(to_onnx(pipe), rows())["probabilities"], pipe.predict_proba(KOREAN))
    out = run(to_onnx(pipe, side="english"), english_rows())
    assert_same(out["probabilities"], pipe.predict_proba(ENGLISH))


def test_pipeline_of_english_rows_that_pass(skl2onnx):
    pipe = make_pipeline(aligner(english_encoder=EnglishOnly()), LogisticRegression())
    pipe.fit(ENGLISH, LABELS, crosslingualaligner__parallel=(KOREAN, ENGLISH))
    model = to_onnx(pipe, side="english")
    out = run(model, EnglishOnly().encode(ENGLISH))
    assert_same(out["probabilities"], pipe.predict_proba(ENGLISH))
    encoder = next(p.value for p in model.metadata_props if p.key == "encoder")
    assert encoder == "EnglishOnly"


@pytest.mark.parametrize("labels", [LABELS, np.arange(200) % 2])
@pytest.mark.parametrize("head", [LinearSVC(), SVC()], ids=lambda head: type(head).__name__)
def test_classifier_without_probabilities_gives_labels(skl2onnx, head, labels):
    fitted = aligner().fit(PAIRS)
    pipe = make_pipeline(fitted, head.fit(english_rows(), labels))
    out = run(to_onnx(pipe), rows())
    assert list(out) == ["label"]
    np.testing.assert_array_equal(out["label"], pipe.predict(rows()))


def test_steps_that_do_not_classify(skl2onnx):
    fitted = aligner().fit(PAIRS)
    scaler = StandardScaler().fit(english_rows())
    pipe = make_pipeline(fitted, scaler)
    assert_same(run(to_onnx(pipe), rows())["Z"], pipe.transform(rows()))
    pipe = make_pipeline(fitted, scaler, Ridge().fit(scaler.transform(english_rows()), range(200)))
    assert_same(run(to_onnx(pipe), rows())["prediction"][:, 0], pipe.predict(rows()), 1e-4)


def test_pipeline_that_was_fitted_on_frames(skl2onnx, recwarn):
    pipe = make_pipeline(aligner(), StandardScaler(), LogisticRegression())
    pipe.set_output(transform="pandas")
    pipe.fit(ENGLISH, LABELS, crosslingualaligner__parallel=(KOREAN, ENGLISH))
    recwarn.clear()
    model = to_onnx(pipe)
    assert not list(recwarn)
    assert_same(run(model, rows())["probabilities"], pipe.predict_proba(KOREAN))


def test_step_that_is_not_converted(skl2onnx):
    pipe = make_pipeline(aligner().fit(PAIRS), NearestCentroid().fit(english_rows(), LABELS))
    with pytest.raises(ValueError, match=r"could not convert .* \(NearestCentroid\). Use steps"):
        to_onnx(pipe)


@pytest.mark.parametrize("head", [LogisticRegression(), LinearSVC()])
def test_step_that_is_converted_wrongly(skl2onnx, tmp_path, monkeypatch, head):
    # As skl2onnx 1.20 does with LinearDiscriminantAnalysis of two classes.
    convert = skl2onnx.convert_sklearn
    other = LogisticRegression().fit(english_rows(), np.roll(np.arange(200) % 2, 1))
    monkeypatch.setattr(skl2onnx, "convert_sklearn", lambda _, **p: convert(other, **p))
    pipe = make_pipeline(aligner().fit(PAIRS), head.fit(english_rows(), np.arange(200) % 2))
    with pytest.raises(ValueError, match=r"graph of the steps behind the aligner .* is wrong"):
        to_onnx(pipe, tmp_path / "pipe.onnx")
    assert not os.listdir(tmp_path)


def test_pipeline_that_is_not_fitted(skl2onnx):
    with pytest.raises(NotFittedError):
        to_onnx(make_pipeline(aligner(), LogisticRegression()))
    with pytest.raises(NotFittedError):
        to_onnx(make_pipeline(aligner().fit(PAIRS), LogisticRegression()))


def test_pipeline_without_an_aligner(skl2onnx):
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows(), LABELS)
    with pytest.raises(TypeError, match=r"got StandardScaler. A Pipeline must begin with one"):
        to_onnx(pipe)
