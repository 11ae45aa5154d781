"""Pipelines and classifiers, which skops saves: what comes back, and what is refused."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from langalign_sk import (
    AdapterAligner,
    CrossLingualAligner,
    CrossLingualClassifier,
    KernelRidgeClassifier,
    LinearAligner,
    SentenceEncoder,
    load,
    save,
)
from langalign_sk.classifier import AlignedClassifier
from tests.persistence.common import (
    FORMAT_1,
    LABELS,
    MIXED,
    X,
    Y,
    aligner,
    assert_same_report,
    change_manifest,
    classifier,
    described,
    manifest_of,
    only_in,
    restore,
    there_and_back,
)
from tests.toy import ENGLISH, KOREAN, ToyEncoder

pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def test_round_trip_of_a_pipeline(tmp_path):
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


@pytest.mark.parametrize("several", [False, True])
def test_a_pipeline_with_a_kernel_head(several, tmp_path):
    labels = np.eye(3, dtype=int)[np.arange(80) % 3] if several else LABELS
    fitted = CrossLingualAligner(method="ridge", alpha=1.0, encoder="use-multilingual").fit(X, Y)
    pipeline = make_pipeline(fitted.freeze(), KernelRidgeClassifier()).fit(X, labels)
    again = there_and_back(pipeline, tmp_path)
    assert_array_equal(again.predict(X), pipeline.predict(X))
    assert_array_equal(again.predict_proba(X), pipeline.predict_proba(X))


def test_a_pipeline_with_an_adapter(tmp_path):
    fitted = AdapterAligner(max_epochs=1, random_state=0).fit(X, Y)
    pipeline = make_pipeline(FrozenEstimator(fitted), LogisticRegression())
    pipeline.fit(X, np.arange(80) % 3)
    again = there_and_back(pipeline, tmp_path)
    assert_array_equal(again.predict(X), pipeline.predict(X))


@pytest.mark.parametrize(
    "calibration", ["none", "temperature", "prior_shift", "temperature+prior_shift"]
)
def test_round_trip_of_a_classifier(calibration, tmp_path):
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
    encoder = SentenceEncoder("use-multilingual")
    head = LogisticRegression().fit(encoder.encode(ENGLISH[:20]), np.arange(20) % 2)
    moving = CrossLingualAligner("ko", encoder=encoder, method="ridge", alpha=1.0, random_state=0)
    fitted = AlignedClassifier(head, moving, calibration="temperature")
    fitted.fit(KOREAN[:20], parallel=(KOREAN[:40], ENGLISH[:40]))
    again = there_and_back(fitted, tmp_path)
    assert_array_equal(again.predict(MIXED), fitted.predict(MIXED))
    assert_array_equal(again.predict_proba(MIXED), fitted.predict_proba(MIXED))


@pytest.mark.parametrize("head", ["kernel", LogisticRegression(C=10)])
def test_round_trip_of_a_cross_lingual_classifier(head, tmp_path):
    moving = CrossLingualAligner("ko", method="ridge", alpha=1.0, random_state=0)
    fitted = CrossLingualClassifier(moving, head=head, random_state=0)
    labels = np.array(["a", "b"])[np.arange(60) % 2]
    fitted.fit(ENGLISH[:60], labels, target=KOREAN, parallel=(KOREAN[:40], ENGLISH[:40]))
    again = there_and_back(fitted, tmp_path)
    assert_array_equal(again.predict_proba(MIXED), fitted.predict_proba(MIXED))
    assert again.report_ == fitted.report_
    assert "## Views, on held-out labelled rows" in (tmp_path / "README.md").read_text("utf-8")
    if head == "kernel":
        for one in (fitted, again):
            one.partial_adapt(KOREAN[100:])
        assert_array_equal(again.predict_proba(MIXED), fitted.predict_proba(MIXED))


def test_a_cross_lingual_classifier_of_own_objects_is_not_loaded(tmp_path):
    moving = CrossLingualAligner("ko", encoder=ToyEncoder(), method="ridge", alpha=1.0)
    fitted = CrossLingualClassifier(moving).fit(
        ENGLISH[:60], np.arange(60) % 2, parallel=(KOREAN[:40], ENGLISH[:40])
    )
    save(fitted, tmp_path)
    with pytest.raises(ValueError, match=r"holds 'tests\.toy\.ToyEncoder', which"):
        load(tmp_path)


def test_a_pipeline_with_a_classifier(tmp_path):
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


def test_types_that_skops_does_not_trust(tmp_path):
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


class OwnScaler(StandardScaler):
    """A class that skops does not know."""


def test_the_message_about_types_says_how_to_load_the_file(tmp_path):
    from skops import io as skops_io

    parts = (aligner().freeze(), OwnScaler(), LogisticRegression())
    pipeline = make_pipeline(*parts).fit(MIXED, np.arange(9) % 2)
    save(pipeline, tmp_path)
    with pytest.raises(ValueError, match=r"set path = '.*skops'") as raised:
        load(tmp_path)
    told = str(raised.value)
    for name in ("tests.toy.ToyEncoder", f"{__name__}.OwnScaler"):
        assert repr(name) in told  # all of them, since the command trusts all
    path = re.search("set path = '(.*?)'", told)[1]
    assert "skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path)) loads" in told
    again = skops_io.load(path, trusted=skops_io.get_untrusted_types(file=path))
    assert_array_equal(again.predict(MIXED), pipeline.predict(MIXED))


def test_a_file_of_another_kind(tmp_path):
    save(classifier(), tmp_path)
    for kind in ("Pipeline", "CrossLingualAligner", "LogisticRegression"):
        change_manifest(tmp_path, lambda manifest, kind=kind: manifest.update(kind=kind))
        with pytest.raises(ValueError, match="is damaged"):
            load(tmp_path)


def test_code_of_a_repository_runs_only_if_the_user_who_loads_asks_for_it(tmp_path):
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
    with pytest.raises(ValueError, match="an encoder with trust_remote_code=True"):
        load(tmp_path / "evil")
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


def test_without_skops(tmp_path, monkeypatch):
    pipeline = make_pipeline(FrozenEstimator(LinearAligner().fit(X, Y)), LogisticRegression())
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    match = r"A Pipeline or a classifier is saved by skops.* \"langalign-sk\[skops\]\""
    for model in (pipeline.fit(X, LABELS), classifier()):
        with pytest.raises(ImportError, match=match):
            save(model, tmp_path / "never-made")
    assert not (tmp_path / "never-made").exists()
    for name in ("pipeline", "classifier"):
        with pytest.raises(ImportError, match=match):
            load(FORMAT_1 / name)


@pytest.mark.parametrize("kind", ["Pipeline", "AlignedClassifier"])
def test_a_damaged_file_of_skops(kind, tmp_path):
    from skops.io import dumps

    pipeline = classifier()
    if kind == "Pipeline":
        pipeline = make_pipeline(FrozenEstimator(LinearAligner().fit(X, Y)), LogisticRegression())
    pipeline.fit(X, LABELS)
    folder, rng = tmp_path / "model", np.random.default_rng(1)
    save(pipeline, folder)
    load(folder)
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    (name,) = (file["name"] for file in manifest_of(folder)["files"].values())
    contents = [b"", b"PK", dumps(LinearAligner()), content[name][:500]]
    for _ in range(20):
        changed = bytearray(content[name])
        changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
        contents.append(bytes(changed))
    for changed in contents:
        (folder / name).write_bytes(changed)
        with only_in(folder), pytest.raises(ValueError, match=r"damaged|cut short"):
            load(folder)
        entry = described(folder / name)
        change_manifest(folder, lambda m, entry=entry: m["files"].update(model=entry))
        with only_in(folder):
            try:
                again = load(folder)
            except ValueError:
                again = pipeline
        assert again.predict(X).shape == (80,)  # the bit had no meaning
        restore(folder, content)


def toy_rows(texts):
    return ToyEncoder().encode(texts)


@pytest.mark.parametrize("kind", ["pipeline", "classifier"])
def test_a_function_that_nobody_finds_by_its_name_is_refused_by_save(tmp_path, kind):
    def local(texts):
        return toy_rows(texts)

    for function in (local, lambda texts: toy_rows(texts)):
        moving = CrossLingualAligner("ko", encoder=function, corpus=None, random_state=0)
        if kind == "pipeline":
            fitted = make_pipeline(moving, LogisticRegression())
        else:
            fitted = CrossLingualClassifier(moving, encoder=[toy_rows, function], random_state=0)
        fitted.fit(ENGLISH[:80], np.arange(80) % 2)
        with pytest.raises(TypeError, match=r"encoder is the function \S*<.*cannot be saved"):
            save(fitted, tmp_path / "model")
        assert not (tmp_path / "model").exists()
