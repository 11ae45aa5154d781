"""Saved models: what comes back, what survives a failed save, and what is refused."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch
from sklearn.utils.fixes import parse_version

from langalign_sk import (
    AdapterAligner,
    CrossLingualAligner,
    CrossLingualRetriever,
    LinearAligner,
    SentenceEncoder,
    load,
    save,
)
from langalign_sk._utils.bundle import _described
from langalign_sk.classifier import AlignedClassifier
from langalign_sk.persistence._folder import _CHECKED, _checksum
from tests.persistence.saved_format_1.make import FOLDERS, JOBLIB, answers
from tests.toy import ENGLISH, KOREAN, EnglishOnly, ToyEncoder

JAPANESE = [f"文のばんごう {i}" for i in range(200)]
PAIRS = list(zip(KOREAN, ENGLISH, strict=True))
MANIFEST = "langalign_sk.json"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 6)).astype(np.float32)
Y = (X @ np.linalg.qr(RNG.normal(size=(6, 6)))[0] + 0.1 * RNG.normal(size=X.shape)).astype("f4")
ONE_EPOCH = {"max_epochs": 1}
MIXED = [*KOREAN[:5], *ENGLISH[5:9]]
LABELS = np.array(["a", "b", "c"])[Y[:, :3].argmax(axis=1)]

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def aligner(pairs=PAIRS, **parameters):
    defaults = {"encoder": ToyEncoder(), "method": "ridge", "alpha": 1.0, "random_state": 0}
    return CrossLingualAligner(**defaults | parameters).fit(pairs)


def classifier(**parameters):
    """A head of the English side, calibrated on rows of the other one."""
    map_ = CrossLingualAligner(method="ridge", alpha=1.0, encoder="use-multilingual").fit(X, Y)
    defaults = {"calibration": "temperature", "class_prior": [1.0, 1.0, 2.0]}
    head = LogisticRegression().fit(Y, LABELS)
    return AlignedClassifier(head, map_.freeze(), **defaults | parameters).fit(X, LABELS)


def there_and_back(estimator, folder, **objects):
    save(estimator, folder)
    again = load(folder, **objects)
    assert type(again) is type(estimator)
    assert_no_other_files(folder)
    return again


def manifest_of(folder):
    return json.loads((folder / MANIFEST).read_bytes())


def assert_no_other_files(folder):
    named = {file["name"] for file in manifest_of(folder)["files"].values()}
    assert {path.name for path in folder.iterdir()} == {MANIFEST, "README.md", *named}


def assert_same_parameters(one, other, without=()):
    one, other = one.get_params(deep=False), other.get_params(deep=False)
    assert one.keys() == other.keys()
    for name in one.keys() - set(without):
        assert repr(one[name]) == repr(other[name])


def assert_same_report(one, other):
    assert str(one) == str(other)
    assert repr(one) == repr(other)


# There and back


SYSTEMS = {
    "identity": {"method": "identity"},
    "ridge": {},
    "grid": {"alpha": (0.1, 1.0)},
    "procrustes": {"method": "procrustes"},
    "spectral": {"method": "spectral", "alpha": np.array([1.0, 10.0])},
    "auto": {"method": "auto", "alpha": "auto"},
    "contrastive": {"method": "contrastive", "adapter_params": ONE_EPOCH},
    "perceptron": {"method": "contrastive", "adapter_dim": 5, "adapter_params": ONE_EPOCH},
    "mse": {"method": "mse", "adapter_params": ONE_EPOCH},
    "autoencoder": {"method": "autoencoder", "adapter_params": ONE_EPOCH},
    "target": {"output_space": "target"},
    "shared": {"output_space": "shared", "method": "spectral"},
    "shared adapter": {
        "output_space": "shared",
        "method": "contrastive",
        "adapter_params": ONE_EPOCH,
    },
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_round_trip_of_an_aligner(system, tmp_path):
    fitted = aligner(**SYSTEMS[system])
    again = there_and_back(fitted, tmp_path, encoder=fitted.encoder)
    moved = fitted.transform(MIXED)
    assert_array_equal(again.transform(MIXED), moved)
    assert_array_equal(again.inverse_transform(moved), fitted.inverse_transform(moved))
    assert again.score(PAIRS) == fitted.score(PAIRS)
    assert_array_equal(again.quality_score(KOREAN[:9]), fitted.quality_score(KOREAN[:9]))
    assert again.method_ == fitted.method_
    assert_same_parameters(again, fitted)
    assert_same_report(again.alignment_report_, fitted.alignment_report_)
    rows = fitted.encoder.encode(KOREAN[:7]).astype(np.float64)
    assert_array_equal(again.transform(rows), fitted.transform(rows))


@pytest.mark.parametrize("bridge_method", ["spectral", "mse"])
def test_round_trip_of_a_bridge(bridge_method, tmp_path):
    parameters = {"bridge_method": bridge_method, "adapter_params": ONE_EPOCH}
    fitted = aligner(english_encoder=EnglishOnly(), **parameters)
    objects = {"encoder": fitted.encoder, "english_encoder": fitted.english_encoder}
    again = there_and_back(fitted, tmp_path, **objects)
    moved = fitted.transform(MIXED)
    assert moved.shape[1] == 7
    assert_array_equal(again.transform(MIXED), moved)
    assert_array_equal(again.inverse_transform(moved), fitted.inverse_transform(moved))
    assert_same_report(again.alignment_report_, fitted.alignment_report_)
    for missing in objects:
        some = {name: value for name, value in objects.items() if name != missing}
        with pytest.raises(ValueError, match=rf"built with an object as {missing}.*load\(\.\.\., "):
            load(tmp_path, **some)


def test_round_trip_of_several_languages(tmp_path):
    pairs = PAIRS + list(zip(JAPANESE, ENGLISH, strict=True))
    fitted = aligner(pairs, target_lang=["ko", "ja"])
    again = there_and_back(fitted, tmp_path, encoder=fitted.encoder)
    mixed = [*MIXED, *JAPANESE[:4]]
    moved = fitted.transform(mixed)
    assert_array_equal(again.transform(mixed), moved)
    for language in ("ko", "ja"):
        back = [e.inverse_transform(moved, target_lang=language) for e in (again, fitted)]
        assert_array_equal(*back)
    assert_same_parameters(again, fitted)
    assert "en" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("method", ["ridge", "contrastive"])
def test_round_trip_of_a_fit_on_embeddings(method, tmp_path):
    fitted = CrossLingualAligner(method=method, adapter_params=ONE_EPOCH, random_state=0).fit(X, Y)
    again = there_and_back(fitted, tmp_path)
    assert again.n_features_in_ == 6
    assert_array_equal(again.transform(X), fitted.transform(X))
    assert_array_equal(again.inverse_transform(Y), fitted.inverse_transform(Y))
    assert_array_equal(again.quality_score(X), fitted.quality_score(X))
    assert again.score(X, Y) == fitted.score(X, Y)
    assert_same_parameters(again, fitted)


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8"])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"method": "identity"}, {"shared": True}, {"method": "procrustes", "match_scale": True}],
)
def test_round_trip_of_a_linear_aligner(parameters, dtype, tmp_path):
    A, B = X.astype(dtype), Y.astype(dtype)
    fitted = LinearAligner(**parameters).fit(A, B)
    again = there_and_back(fitted, tmp_path)
    for name in ("transform", "inverse_transform", "transform_counterparts"):
        assert_array_equal(getattr(again, name)(A), getattr(fitted, name)(A))
    assert again.score(A, B) == fitted.score(A, B)
    assert_same_parameters(again, fitted)
    assert vars(again).keys() == vars(fitted).keys()
    for name in ("coef_", "inverse_coef_"):
        assert getattr(again, name).dtype == getattr(fitted, name).dtype.newbyteorder("=")


@pytest.mark.parametrize("parameters", [{}, {"adapter_dim": 0}, {"shared": True}])
def test_round_trip_of_an_adapter(parameters, tmp_path):
    fitted = AdapterAligner(**parameters, max_epochs=1, random_state=0).fit(X, Y)
    again = there_and_back(fitted, tmp_path)
    for name in ("transform", "inverse_transform", "transform_counterparts"):
        assert_array_equal(getattr(again, name)(X), getattr(fitted, name)(X))
    assert again.score(X, Y) == fitted.score(X, Y)
    assert_same_parameters(again, fitted)
    assert again.history_ == fitted.history_
    again.partial_fit(X, Y).set_params(warm_start=True).fit(X, Y)


def test_what_goes_on_with_a_partial_fit_is_left_out(tmp_path):
    fitted = AdapterAligner(adapter_dim=0, random_state=0).partial_fit(X, Y)
    again = there_and_back(fitted, tmp_path)
    assert_array_equal(again.transform(X), fitted.transform(X))
    assert again._partial_state is None
    again.partial_fit(X, Y)


def test_names_of_columns(tmp_path):
    pd = pytest.importorskip("pandas")
    A, B = (pd.DataFrame(rows, columns=list("abcdef")) for rows in (X, Y))
    fitted = LinearAligner("ridge", alpha=1.0).fit(A, B).set_output(transform="pandas")
    again = there_and_back(fitted, tmp_path)
    assert_array_equal(again.feature_names_in_, fitted.feature_names_in_)
    pd.testing.assert_frame_equal(again.transform(A), fitted.transform(A))
    with pytest.raises(ValueError, match="feature names"):
        again.transform(A.rename(columns={"a": "z"}))


@pytest.mark.parametrize("scoring", ["cosine", "csls"])
def test_round_trip_of_a_retriever_of_texts(scoring, tmp_path):
    fitted = aligner()
    retriever = CrossLingualRetriever(fitted.freeze(), scoring=scoring, n_neighbors=3)
    retriever.fit(ENGLISH[:50], query_bank=KOREAN).remove([7])
    with pytest.raises(ValueError, match="built with an object as encoder"):
        there_and_back(retriever, tmp_path)
    again = there_and_back(retriever, tmp_path, encoder=fitted.encoder)
    assert type(again.aligner_) is FrozenEstimator
    assert again.aligner is again.aligner_
    assert again.search(KOREAN[:9]).equals(retriever.search(KOREAN[:9]))
    assert again.documents_ == retriever.documents_
    assert_same_parameters(again, retriever, without=["aligner"])
    assert_same_parameters(again.aligner_.estimator, fitted)
    assert again.add([ENGLISH[77]]).search(KOREAN[77], 1)["text"].tolist() == [ENGLISH[77]]
    assert "49 documents" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("backend", ["exact", "faiss", "hnswlib"])
def test_round_trip_of_a_retriever_of_embeddings(backend, tmp_path):
    if backend != "exact":
        pytest.importorskip(backend, reason=f"needs pip install langalign-sk[{backend}]")
    map_ = FrozenEstimator(LinearAligner("procrustes").fit(X, Y))
    for moved_by in (map_, None):
        retriever = CrossLingualRetriever(moved_by, backend=backend).fit(Y, ids=list(range(7, 87)))
        again = there_and_back(retriever, tmp_path)
        assert (again.aligner_ is None) == (moved_by is None)
        for ours, theirs in zip(again.kneighbors(X, 4), retriever.kneighbors(X, 4), strict=True):
            assert_array_equal(ours, theirs)
        assert again.ids_ == retriever.ids_
        assert_same_parameters(again, retriever, without=["aligner"])


def test_round_trip_of_a_pipeline(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    labels = np.arange(80) % 3
    fitted = CrossLingualAligner(method="ridge", alpha=1.0, encoder="use-multilingual").fit(X, Y)
    pipeline = make_pipeline(fitted.freeze(), LogisticRegression()).fit(X, labels)
    again = there_and_back(pipeline, tmp_path)
    assert_array_equal(again.predict_proba(X), pipeline.predict_proba(X))
    assert_array_equal(again[:-1].transform(X), pipeline[:-1].transform(X))
    assert again.score(X, labels) == pipeline.score(X, labels)
    assert repr(again.get_params()) == repr(pipeline.get_params())
    ours, theirs = again[0].estimator.alignment_report_, fitted.alignment_report_
    assert_same_report(ours, theirs)
    assert "- method: ridge" in (tmp_path / "README.md").read_text()


def test_a_pipeline_with_an_adapter(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    fitted = AdapterAligner(max_epochs=1, random_state=0).fit(X, Y)
    pipeline = make_pipeline(FrozenEstimator(fitted), LogisticRegression())
    pipeline.fit(X, np.arange(80) % 3)
    again = there_and_back(pipeline, tmp_path)
    assert_array_equal(again.predict(X), pipeline.predict(X))


@pytest.mark.parametrize(
    "calibration", ["none", "temperature", "prior_shift", "temperature+prior_shift"]
)
def test_round_trip_of_a_classifier(calibration, tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    fitted = classifier(calibration=calibration)
    again = there_and_back(fitted, tmp_path)
    assert_array_equal(again.predict(X), fitted.predict(X))
    assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert_array_equal(again.decision_function(X), fitted.decision_function(X))
    assert again.calibration_ == calibration
    assert again.temperature_ == fitted.temperature_
    assert again.classifier is again.classifier_
    assert repr(again.get_params()) == repr(fitted.get_params())
    aligners = again.aligner_.estimator, fitted.aligner_.estimator
    assert_same_report(*(e.alignment_report_ for e in aligners))
    assert_array_equal(*(e.quality_score(X) for e in aligners))
    assert_array_equal(again.fit(X, LABELS).predict_proba(X), fitted.predict_proba(X))


def test_round_trip_of_a_classifier_of_texts(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    encoder = SentenceEncoder("use-multilingual")
    head = LogisticRegression().fit(encoder.encode(ENGLISH[:20]), np.arange(20) % 2)
    moving = CrossLingualAligner("ko", encoder=encoder, method="ridge", alpha=1.0, random_state=0)
    fitted = AlignedClassifier(head, moving, calibration="temperature")
    fitted.fit(KOREAN[:20], parallel=(KOREAN[:40], ENGLISH[:40]))
    again = there_and_back(fitted, tmp_path)
    assert_array_equal(again.predict(MIXED), fitted.predict(MIXED))
    assert_array_equal(again.predict_proba(MIXED), fitted.predict_proba(MIXED))


def test_a_pipeline_with_a_classifier(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    fitted = classifier()
    pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), fitted)
    pipeline.fit(X, LABELS)
    again = there_and_back(pipeline, tmp_path)
    assert_array_equal(again.predict(X), fitted.predict(X))
    assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "# Pipeline\n" in card
    assert "- method: ridge\n" in card
    assert "- calibration: temperature, at a temperature of " in card


def test_things_that_nobody_trusts(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    frozen = aligner().freeze()
    pipeline = make_pipeline(frozen, LogisticRegression()).fit(MIXED, np.arange(9) % 2)
    head = LogisticRegression().fit(ToyEncoder().encode(MIXED), np.arange(9) % 2)
    model = AlignedClassifier(head, frozen, calibration="none").fit(KOREAN[:5])
    for estimator in (pipeline, model):
        save(estimator, tmp_path)
        name = type(estimator).__name__
        with pytest.raises(
            ValueError, match=rf"The {name} in .* holds 'tests\.toy\.ToyEncoder', which"
        ):
            load(tmp_path)


def test_a_file_of_another_kind(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    save(classifier(), tmp_path)
    for kind in ("Pipeline", "CrossLingualAligner", "LogisticRegression"):
        change_manifest(tmp_path, lambda manifest, kind=kind: manifest.update(kind=kind))
        with pytest.raises(ValueError, match="is damaged"):
            load(tmp_path)


# Encoders


def test_encoders_are_kept_by_name(tmp_path):
    handle = SentenceEncoder("use-multilingual", normalize=True)
    fitted = aligner(encoder=handle, english_encoder=handle)
    again = there_and_back(fitted, tmp_path)
    assert repr(again.encoder) == repr(handle)
    with pytest.raises(
        ValueError, match=r"not built with an object as encoder: leave encoder= out"
    ):
        load(tmp_path, encoder=ToyEncoder())
    assert_array_equal(again.transform(MIXED), fitted.transform(MIXED))
    assert "- multilingual encoder: `use-multilingual`" in (tmp_path / "README.md").read_text()


def test_a_fitted_transformer_and_detect_are_passed_again(tmp_path):
    english = make_pipeline(TfidfVectorizer(), TruncatedSVD(5, random_state=0)).fit(ENGLISH)

    def detect(texts):
        return ["en" if text.isascii() else "ko" for text in texts]

    fitted = aligner(english_encoder=english, detect=detect)
    save(fitted, tmp_path)
    assert manifest_of(tmp_path)["given"] == ["detect", "encoder", "english_encoder"]
    objects = {"encoder": ToyEncoder(), "english_encoder": english}
    with pytest.raises(ValueError, match=r"an object as detect.*pass load\(\.\.\., detect=\)"):
        load(tmp_path, **objects)
    again = load(tmp_path, **objects, detect=detect)
    assert again.detect is detect
    assert_array_equal(again.transform(MIXED), fitted.transform(MIXED))


def test_code_of_a_repository_runs_for_none_but_who_asks(tmp_path):
    fitted = CrossLingualAligner(method="ridge", alpha=1.0).fit(X, Y)
    handle = SentenceEncoder("x/y", trust_remote_code=True)
    save(fitted.set_params(encoder=handle), tmp_path / "own")
    with pytest.raises(ValueError, match="built with an object as encoder"):
        load(tmp_path / "own")
    assert load(tmp_path / "own", encoder=handle).encoder is handle
    save(fitted.set_params(encoder=SentenceEncoder("x/y")), tmp_path / "evil")

    def trust(manifest):
        manifest["estimator"]["state"]["encoder"]["state"]["trust_remote_code"] = True

    change_manifest(tmp_path / "evil", trust)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path / "evil")
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    pipeline = make_pipeline(fitted.set_params(encoder=handle).freeze(), LogisticRegression())
    save(pipeline.fit(X, np.arange(80) % 2), tmp_path / "pipeline")
    with pytest.raises(ValueError, match="an encoder with trust_remote_code=True"):
        load(tmp_path / "pipeline")
    model = classifier()
    model.aligner_.estimator.set_params(encoder=handle)
    save(model, tmp_path / "classifier")
    with pytest.raises(ValueError, match="an encoder with trust_remote_code=True"):
        load(tmp_path / "classifier")
    pipeline[0].estimator.set_params(encoder=SentenceEncoder("x/y"))
    assert_array_equal(
        there_and_back(pipeline, tmp_path / "pipeline").predict(X), pipeline.predict(X)
    )


# What cannot be saved


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"random_state": np.random.RandomState(0)}, "random_state is a RandomState"),
        ({"corpus": Bunch(ko=KOREAN)}, "corpus is a Bunch|corpus"),
        ({"adapter_params": {"callbacks": [print]}}, r"adapter_params\.callbacks\.0 is a builtin"),
        ({"adapter_params": {1: 2}}, "adapter_params is a dict with keys that are no str"),
    ],
)
def test_what_cannot_be_saved_is_named(change, place, tmp_path):
    fitted = aligner()
    save(fitted, tmp_path / "old")
    before = {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()}
    fitted.set_params(**change)
    if isinstance(fitted.corpus, dict):
        fitted.corpus = object()
    for folder in ("old", "never-made"):
        with pytest.raises(TypeError, match=place):
            save(fitted, tmp_path / folder)
    assert not (tmp_path / "never-made").exists()
    assert {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()} == before


def test_what_is_no_model_of_this_package(tmp_path):
    for estimator in (LogisticRegression(), aligner().freeze(), object(), LinearAligner):
        with pytest.raises(TypeError, match=r"save takes one of CrossLingualAligner.*got "):
            save(estimator, tmp_path / "never-made")
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        save(LinearAligner(), tmp_path / "never-made")
    retriever = CrossLingualRetriever().fit(Y, ids=[(i, i) for i in range(80)])
    with pytest.raises(TypeError, match="keeps str and int ids only"):
        save(retriever, tmp_path / "never-made")
    assert not (tmp_path / "never-made").exists()


def test_without_skops(tmp_path, monkeypatch):
    pipeline = make_pipeline(FrozenEstimator(LinearAligner().fit(X, Y)), LogisticRegression())
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    match = r"A Pipeline or AlignedClassifier is saved by skops.* \"langalign-sk\[skops\]\""
    for model in (pipeline.fit(X, LABELS), classifier()):
        with pytest.raises(ImportError, match=match):
            save(model, tmp_path / "never-made")
    assert not (tmp_path / "never-made").exists()
    for name in ("pipeline", "classifier"):
        with pytest.raises(ImportError, match=match):
            load(FORMAT_1 / name)


# The folder


def test_the_model_card(tmp_path):
    fitted = aligner(PAIRS, target_lang="ko", method="ridge")
    save(fitted, tmp_path)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: langalign-sk\n")
    assert 'language: ["ko", "en"]\n' in card
    assert "# CrossLingualAligner\n" in card
    assert "- multilingual encoder: an object of the class `ToyEncoder`" in card
    assert "- method: ridge" in card
    assert str(fitted.alignment_report_) in card
    save(LinearAligner().fit(X, Y), tmp_path)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "# LinearAligner\n" in card
    assert "language:" not in card
    assert "Held-out" not in card


def test_the_model_card_of_a_classifier(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    fitted = classifier()
    fitted.temperature_ = 0.51234
    save(fitted, tmp_path)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    facts = "- languages: ko, en\n- multilingual encoder: `use-multilingual`\n- method: ridge\n"
    assert facts in card
    facts = "- head: `LogisticRegression`\n- classes: 3\n"
    assert facts + "- calibration: temperature, at a temperature of 0.512\n" in card
    assert str(fitted.aligner_.estimator.alignment_report_) in card
    save(classifier(calibration="none"), tmp_path)
    assert facts + "- calibration: none\n" in (tmp_path / "README.md").read_text(encoding="utf-8")


BEGIN, END = "<!-- langalign_sk: begin -->", "<!-- langalign_sk: end -->"


def generated(folder):
    """What stands between the markers of a card."""
    text = (folder / "README.md").read_bytes().decode("utf-8", "replace")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def test_saving_again_keeps_what_a_person_wrote(tmp_path):
    path = tmp_path / "mine" / "README.md"
    save(aligner(), tmp_path / "mine")
    text = path.read_text(encoding="utf-8")
    text = text.replace("license: unknown", "license: cc-by-4.0\ndatasets: [mine]")
    path.write_text(text.replace(BEGIN, "Before.\n\n" + BEGIN) + "\nAfter. {x}\n", encoding="utf-8")
    other = aligner(target_lang="ja", pairs=list(zip(JAPANESE, ENGLISH, strict=True)))
    save(other, tmp_path / "mine")
    save(other, tmp_path / "new")
    assert path.read_text(encoding="utf-8") == (
        "---\nlibrary_name: langalign-sk\n"
        "tags: [cross-lingual, sentence-embeddings, scikit-learn]\n"
        'language: ["ja", "en"]\n'
        "license: cc-by-4.0\ndatasets: [mine]\n---\n\n"
        f"Before.\n\n{BEGIN}{generated(tmp_path / 'new')}{END}\n\nAfter. {{x}}\n"
    )
    assert "- languages: ja, en\n" in generated(tmp_path / "mine")
    there_and_back(other, tmp_path / "mine", encoder=other.encoder)


def test_languages_of_the_front_matter_follow_the_model(tmp_path):
    linear, path = LinearAligner("ridge", alpha=1.0).fit(X, Y), tmp_path / "README.md"
    models_and_lines = [(linear, []), (aligner(), ['language: ["ko", "en"]']), (linear, [])]
    for model, lines in models_and_lines:
        save(model, tmp_path)
        text = path.read_text(encoding="utf-8")
        assert re.findall("^language:.*$", text, re.MULTILINE) == lines
    mine = "license: mit\nlanguage: [ko]\n"
    path.write_text(text.replace("license: unknown\n", mine), encoding="utf-8")
    for model in (aligner(), linear):
        save(model, tmp_path)
        text = path.read_text(encoding="utf-8")
        assert re.findall("^language:.*$", text, re.MULTILINE) == ["language: [ko]"]
        assert mine in text


@pytest.mark.parametrize(
    "mine",
    [
        b"# My project\n",
        b"# My project",
        b"---\r\nlicense: mit\r\n---\r\n\r\n# Mine\r\n  \r\n",
        "한국어 \ufeff 日本語\n".encode("utf-16"),
        b"\xff\x00 no text\n",
        f"{BEGIN}\nof which the end was lost\n".encode(),
        f"{END}\nof which the begin was lost: {BEGIN}\n".encode(),
    ],
)
def test_a_readme_of_somebody_else_gets_the_part_at_its_end(mine, tmp_path):
    path = tmp_path / "README.md"
    path.write_bytes(mine)
    for alpha in (1.0, 2.0, 3.0):
        save(LinearAligner("ridge", alpha=alpha).fit(X, Y), tmp_path)
        text = path.read_bytes()
        assert text.startswith(mine)
        rest = text[len(mine) :].decode()
        assert rest.strip().startswith(BEGIN)
        assert rest.endswith(END + "\n")
        assert (rest.count(BEGIN), rest.count(END)) == (1, 1)
        assert "# LinearAligner\n" in rest
        assert load(tmp_path).alpha == alpha


def test_an_empty_readme_is_none(tmp_path):
    fitted = aligner()
    for folder in ("empty", "new"):
        (tmp_path / folder).mkdir()
    (tmp_path / "empty" / "README.md").write_text("\n")
    for folder in ("empty", "new"):
        save(fitted, tmp_path / folder)
    empty, new = ((tmp_path / name / "README.md").read_bytes() for name in ("empty", "new"))
    assert empty == new


def test_a_readme_that_cannot_be_read_stops_the_save_at_its_start(tmp_path):
    (tmp_path / "README.md").mkdir()
    with pytest.raises(OSError, match=r"README\.md"):
        save(LinearAligner().fit(X, Y), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_a_model_of_the_default_encoder_is_small(tmp_path):
    fitted = CrossLingualAligner("ko", random_state=0).fit(["Good morning."])
    again = there_and_back(fitted, tmp_path)
    assert_array_equal(again.transform(["좋은 아침"]), fitted.transform(["좋은 아침"]))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 250_000


def test_no_model(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere", str(tmp_path)):
        with pytest.raises(
            FileNotFoundError, match=r"holds no model, which langalign_sk\.save makes"
        ):
            load(folder)


# A save that fails


class Stop(BaseException):
    """Neither an Exception nor anything that a library would catch."""


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_save_that_fails_anywhere_leaves_the_old_model(call, tmp_path, monkeypatch):
    old, new = LinearAligner("ridge", alpha=1.0).fit(X, Y), LinearAligner("procrustes").fit(X, Y)
    save(old, tmp_path)
    readme = tmp_path / "README.md"
    readme.write_text(readme.read_text() + "Mine.\n")
    card, whole, failed = readme.read_bytes(), getattr(os, call), 0
    for fails_at in range(10):
        calls = iter(range(100))

        def failing(*args, calls=calls, fails_at=fails_at):
            if next(calls) == fails_at:
                raise Stop
            return whole(*args)

        monkeypatch.setattr(os, call, failing)
        try:
            save(new, tmp_path)
        except Stop:
            failed += 1
        else:
            break
        assert_no_other_files(tmp_path)
        if failed < 5:
            assert readme.read_bytes() == card
        # The card comes last, and its folder after it is there.
        there = new if failed >= (2 if call == "replace" else 3) else old
        assert_array_equal(load(tmp_path).coef_, there.coef_)
    # The arrays, which replace nothing; the manifest and the card, and the folder after each.
    assert failed == (2 if call == "replace" else 5)
    assert_array_equal(load(tmp_path).coef_, new.coef_)
    assert readme.read_text().endswith(END + "\nMine.\n")


KILLED = """
import sys
import numpy as np
from langalign_sk import LinearAligner, save

X = np.random.default_rng(0).normal(size=(300, 200))
models = [LinearAligner("ridge", alpha=alpha).fit(X, X[:, ::-1]) for alpha in (1.0, 2.0)]
print("ready", flush=True)
while True:
    for model in models:
        save(model, sys.argv[1])
"""


def test_a_process_that_is_killed_leaves_a_whole_model(tmp_path):
    rows = np.random.default_rng(0).normal(size=(300, 200))
    for turn in range(3):
        command = [sys.executable, "-c", KILLED, str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        while not (tmp_path / MANIFEST).exists():
            time.sleep(0.005)
        time.sleep(0.03 + 0.017 * turn)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        model = load(tmp_path)
        assert model.alpha in (1.0, 2.0)
        assert model.transform(rows).shape == rows.shape


# Damage


def change_manifest(folder, change, honest=True):
    """Change a manifest, as whoever can change a checksum too does it if `honest`."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_bytes())
    change(manifest)
    if honest and isinstance(manifest, dict) and set(_CHECKED) <= set(manifest):
        manifest["sha256"] = _checksum({name: manifest[name] for name in _CHECKED})
    path.write_text(json.dumps(manifest))


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


_opened: list[str] | None = None


def _hear(event, args):
    if _opened is not None and event in ("open", "exec", "marshal.loads"):
        _opened.append(str(args[0]) if event == "open" else event)
    elif _opened is not None and event.startswith(
        ("os.system", "subprocess", "pickle.", "socket.")
    ):
        _opened.append(event)


@contextmanager
def only_in(folder):
    """Nothing but files of the folder is opened, and no pickle is read."""
    global _opened
    if not getattr(_hear, "installed", False):
        sys.addaudithook(_hear)  # there is no way to remove one
        _hear.installed = True
    _opened = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("load", "loads", "Unpickler"):
            patch.setattr(pickle, name, no_pickle)
        try:
            yield
            heard = _opened
        finally:
            _opened = None
    outside = [path for path in heard if not Path(path).is_relative_to(folder)]
    assert not outside


def no_pickle(*args, **kwargs):
    raise AssertionError("a pickle was to be read")


def models():
    """One small model of each kind, and what shows that it is whole."""
    system = {"encoder": "x/y", "random_state": 0}
    made = [
        CrossLingualAligner(method="ridge", alpha=1.0, **system).fit(X, Y),
        CrossLingualAligner(
            method="contrastive", adapter_dim=6, adapter_params=ONE_EPOCH, **system
        ).fit(X, Y),
        AdapterAligner(adapter_dim=6, max_epochs=1, random_state=0).fit(X, Y),
        LinearAligner("spectral", alpha=1.0, shared=True).fit(X, Y),
    ]
    retriever = CrossLingualRetriever(made[0].freeze(), scoring="csls", n_neighbors=3)
    made.append(retriever.fit(Y[:30], query_bank=X))
    return made


def answer(model):
    if isinstance(model, CrossLingualRetriever):
        return np.concatenate(model.kneighbors(X[:5], 2))
    moved = model.transform(X[:5])
    return np.concatenate([moved, model.inverse_transform(moved)], axis=1)


def places(node, path=()):
    """All places in a tree of JSON."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in children:
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from places(child, (*path, key))


def put(tree, path, value):
    for key in path[:-1]:
        tree = tree[key]
    if value is Ellipsis:
        del tree[path[-1]]
    else:
        tree[path[-1]] = copy.deepcopy(value)


WRONG = [None, True, -1, 0, 7, 10**6, 10**20, 1e308, float("inf"), float("nan"), "", "ko", "../x"]
WRONG += [[], [[]], [1, "a"], {}, {"a": 1}, {"$array": "coef_"}, {"$array": "x"}, {"$array": []}]
WRONG += [{"$eye": [6, "<f4"]}, {"$eye": [1e400, "<f4"]}, {"$eye": [10**9, "<f8"]}, {"$eye": 5}]
WRONG += [{"$object": "Path", "state": {}}, {"$object": "os.system", "state": {"x": 1}}]
WRONG += [{"$object": "LinearAligner", "state": {}}, {"$object": [], "state": []}]
WRONG += [{"$object": "Network", "state": {"coef": None, "intercept": None}}, {"$float": "x"}]
WRONG += [{"$tuple": 5}, {"$dict": []}, {"$names": [1]}, {"$given": "encoder"}, {"$given": "x"}]
WRONG += ["\ud800", "a" * 300, {"$dict": {"__class__": 1}}, {"$turned": "coef_"}]
NAMES = [
    "../x",
    "/etc/passwd",
    "a/b",
    "..",
    ".",
    "",
    "link",
    "a\\b",
    "C:x",
    "x\0",
    "\ud800",
    "n" * 300,
]
NAMES += ["README.md", MANIFEST, "nowhere", ".hidden", "a b"]


def damage(folder, rng, touched):
    """Damage a folder in one way; whether what is still loaded must be what was saved."""
    manifest = manifest_of(folder)
    files = manifest["files"]
    kind = str(rng.choice(list(files)))
    path = folder / files[kind]["name"]
    how = rng.choice(["bit", "cut", "lost", "wrong", "wrong", "name", "bytes", "pickle"])
    if how in ("bit", "cut"):
        path = path if rng.random() < 0.4 else folder / MANIFEST
        content = bytearray(path.read_bytes())
        at = int(rng.integers(len(content)))
        if how == "bit":
            content[at] ^= 1 << int(rng.integers(8))
        else:
            del content[at:]
        path.write_bytes(content)
        return True
    if how in ("lost", "wrong"):
        honest = rng.random() < 0.8
        where = list(places(manifest))
        at = where[rng.integers(len(where))]
        value = Ellipsis if how == "lost" else WRONG[rng.integers(len(WRONG))]
        change_manifest(folder, lambda manifest: put(manifest, at, value), honest)
        return not honest
    if how == "name":
        name = NAMES[rng.integers(len(NAMES))]
        (folder / "a").mkdir()
        (folder / "a" / "b").write_bytes(path.read_bytes())
        (folder.parent / "x").write_bytes(path.read_bytes())
        (folder / "link").symlink_to(folder.parent / "x")
        change_manifest(folder, lambda manifest: manifest["files"][kind].update(name=name))
        return True
    if how == "pickle":
        path.write_bytes(pickle.dumps(Evil(touched)))
    else:
        content = bytearray(path.read_bytes())
        for at in rng.integers(len(content), size=3):
            content[at] = rng.integers(256)
        path.write_bytes(content)
    change_manifest(folder, lambda manifest: manifest["files"].update({kind: _described(path)}))
    return False


def restore(folder, content):
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        elif path.name not in content or path.is_symlink():
            path.unlink()
    for name, data in content.items():
        (folder / name).write_bytes(data)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_damaged_folders_are_refused(tmp_path):
    rng, refused, touched = np.random.default_rng(0), 0, tmp_path / "touched"
    for i, model in enumerate(models()):
        folder = tmp_path / str(i) / "model"
        save(model, folder)
        right = answer(load(folder))
        assert_array_equal(right, answer(model))
        content = {path.name: path.read_bytes() for path in folder.iterdir()}
        for _ in range(200):
            whole = damage(folder, rng, touched)
            with only_in(folder):
                try:
                    loaded = load(folder)
                except (FileNotFoundError, ValueError) as error:
                    loaded, message = None, str(error)
            refused += loaded is None
            if loaded is None:
                assert re.search("damaged|missing|cut short|format version|holds no", message)
            elif whole:
                assert_array_equal(answer(loaded), right)
            restore(folder, content)
        assert not touched.exists()
    assert refused > 800


@pytest.mark.parametrize("how", ["link", "large", "list", "version", "folder"])
def test_a_manifest_that_is_none(how, tmp_path):
    save(LinearAligner("ridge", alpha=1.0).fit(X, Y), tmp_path / "model")
    path, match = tmp_path / "model" / MANIFEST, "is damaged"
    content = path.read_bytes()
    if how == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    elif how == "large":
        path.write_bytes(content + b" " * (1 << 24))
    elif how == "list":
        path.write_bytes(b"[]")
    elif how == "version":
        change_manifest(tmp_path / "model", lambda manifest: manifest.update(format_version=2))
        match = "has format version 2, and this langalign_sk reads version 1"
    else:
        path.unlink()
        path.mkdir()
        with pytest.raises(FileNotFoundError, match="holds no model"):
            load(tmp_path / "model")
        return
    with pytest.raises(ValueError, match=match):
        load(tmp_path / "model")


@pytest.mark.parametrize("depth", [100, 300, 500, 800, 950, 990, 2000, 100_000])
@pytest.mark.parametrize("node", ["[]", '{"$tuple": []}'])
def test_a_manifest_of_many_levels(depth, node, tmp_path):
    save(LinearAligner("ridge", alpha=1.0).fit(X, Y), tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest.update(estimator="here"))
    path, middle = tmp_path / MANIFEST, node.index("[") + 1
    nested = node[:middle] * depth + node[middle:] * depth
    text = path.read_text().replace('"here"', nested)
    fields = json.loads(path.read_bytes())
    plain = json.dumps({name: fields[name] for name in _CHECKED}, sort_keys=True)
    digest = hashlib.sha256(plain.replace('"here"', nested).encode()).hexdigest()
    path.write_text(text.replace(fields["sha256"], digest))
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_a_change_of_no_effect(tmp_path):
    fitted = LinearAligner("ridge", alpha=1.0).fit(X, Y)
    save(fitted, tmp_path)
    change_manifest(tmp_path, lambda m: m.update(written_by="me", note=[1]), honest=False)
    (tmp_path / "README.md").unlink()
    assert_array_equal(load(tmp_path).transform(X), fitted.transform(X))


@pytest.mark.parametrize("kind", ["Pipeline", "AlignedClassifier"])
def test_a_damaged_file_of_skops(kind, tmp_path):
    skops = pytest.importorskip("skops.io", reason="needs pip install langalign-sk[skops]")
    pipeline = classifier()
    if kind == "Pipeline":
        pipeline = make_pipeline(FrozenEstimator(LinearAligner().fit(X, Y)), LogisticRegression())
    pipeline.fit(X, LABELS)
    folder, rng = tmp_path / "model", np.random.default_rng(1)
    save(pipeline, folder)
    load(folder)
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    (name,) = (file["name"] for file in manifest_of(folder)["files"].values())
    contents = [b"", b"PK", skops.dumps(LinearAligner()), content[name][:500]]
    for _ in range(20):
        changed = bytearray(content[name])
        changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
        contents.append(bytes(changed))
    for changed in contents:
        (folder / name).write_bytes(changed)
        with only_in(folder), pytest.raises(ValueError, match=r"damaged|cut short"):
            load(folder)
        described = _described(folder / name)
        change_manifest(folder, lambda m, d=described: m["files"].update(model=d))
        with only_in(folder):
            try:
                again = load(folder)
            except ValueError:
                again = pipeline
        assert again.predict(X).shape == (80,)  # the bit had no meaning
        restore(folder, content)


# Without torch


_NO_TORCH = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "skorch"):
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocked())
import numpy as np
from langalign_sk import load
for folder in sys.argv[2:]:
    X = np.load(sys.argv[1])
    np.save(folder + "/moved.npy", load(folder).transform(X))
"""


def test_adapters_are_loaded_without_torch(tmp_path):
    made = models()[1:3]
    np.save(tmp_path / "X.npy", X)
    folders = [str(tmp_path / str(i)) for i in range(2)]
    for model, folder in zip(made, folders, strict=True):
        save(model, folder)
    command = [sys.executable, "-c", _NO_TORCH, str(tmp_path / "X.npy"), *folders]
    subprocess.run(command, check=True)
    for model, folder in zip(made, folders, strict=True):
        assert_array_equal(np.load(folder + "/moved.npy"), model.transform(X))


# Folders and pickles of former releases

FORMAT_1 = Path(__file__).parent / "saved_format_1"


@pytest.mark.parametrize("name", [*FOLDERS, JOBLIB])
def test_models_of_format_1(name):
    with np.load(FORMAT_1 / "expected.npz") as file:
        arrays = dict(file)
    if name in ("pipeline", "classifier", JOBLIB):
        # What is not of this package's own format.
        if name != JOBLIB:
            pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
        if parse_version(sklearn.__version__) < parse_version(str(arrays["sklearn"])):
            pytest.skip("scikit-learn reads no estimators of later releases")
    with warnings.catch_warnings():
        # The files outlast the releases that wrote them.
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        warnings.filterwarnings("ignore", r"This \w+ was pickled by", UserWarning)
        model = joblib.load(FORMAT_1 / name) if name == JOBLIB else load(FORMAT_1 / name)
    found = answers(name, model, arrays["X"], arrays["texts"])
    place = f"{name}/"
    expected = {k.removeprefix(place): v for k, v in arrays.items() if k.startswith(place)}
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if value.dtype.kind == "f":
            assert_allclose(found[key], value, rtol=0, atol=1e-5)
        else:
            assert_array_equal(found[key], value)


def test_files_of_format_1_are_small():
    sizes = [path.stat().st_size for path in FORMAT_1.rglob("*") if path.is_file()]
    assert sum(sizes) < 500_000


# Pickles


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("i", range(5))
def test_pickles_know_their_release(i, tmp_path, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = models()[i]
    name, path = type(model).__name__, tmp_path / "model.joblib"
    state = model.__getstate__()
    if "_langalign_sk_version" not in state:
        pytest.skip(f"{name} has no stamp yet")
    joblib.dump(model, path)
    again = joblib.load(path)
    assert_array_equal(answer(again), answer(model))
    assert not hasattr(again, "_langalign_sk_version")
    assert_array_equal(answer(copy.deepcopy(model)), answer(model))
    twin = type(model).__new__(type(model))
    with pytest.warns(UserWarning, match=rf"This {name} was pickled by an unknown release and is"):
        twin.__setstate__({k: v for k, v in state.items() if k != "_langalign_sk_version"})
    assert_array_equal(answer(twin), answer(model))
    with pytest.warns(UserWarning, match=r"pickled by langalign_sk 0\.0\.9 and is loaded by \d"):
        twin.__setstate__(state | {"_langalign_sk_version": "0.0.9"})
    monkeypatch.setattr("langalign_sk._utils.stamp.__version__", "9.9")
    with pytest.warns(UserWarning, match=r"is loaded by 9\.9: .*langalign_sk\.save"):
        joblib.load(path)


def test_the_checksum_of_the_manifest_is_that_of_its_fields(tmp_path):
    save(LinearAligner("ridge", alpha=1.0).fit(X, Y), tmp_path)
    manifest = manifest_of(tmp_path)
    assert manifest["sha256"] == _checksum({name: manifest[name] for name in _CHECKED})
    for file in manifest["files"].values():
        content = (tmp_path / file["name"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
    change_manifest(tmp_path, lambda m: m["estimator"]["state"].update(alpha=2.0), honest=False)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)
