"""ONNX graphs of classifiers with several views against what the classifier says of text."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from langalign_sk import CrossLingualClassifier, KernelRidgeClassifier
from langalign_sk import __version__ as version
from langalign_sk.export import to_onnx
from tests.export.common import WARNINGS_OF_TOYS, aligner, assert_same
from tests.toy import ENGLISH, JAPANESE, KOREAN, EnglishOnly, ToyEncoder

# 120 English texts are few for a bridge, and the toys' classes are noisy.
pytestmark = WARNINGS_OF_TOYS

KERNEL = KernelRidgeClassifier(gamma=0.5, alpha=0.1)
TRAIN = slice(0, 120)
PARALLEL = KOREAN[:60], ENGLISH[:60]
# Float32 log odds of the kernel, whose coefficients are of the order of 10, over a temperature of
# the order of 0.1.
TOLERANCE = 1e-5 * 3

LABELS = np.array(["a", "b", "c"])[ToyEncoder().encode(ENGLISH)[:, :3].argmax(axis=1)]


class OwnHead(LogisticRegression):
    """A classifier that no converter knows."""


def fitted(given=None, labels=LABELS, target=None, parallel=PARALLEL, **parameters):
    settings = {"head": KERNEL, "random_state": 0, **parameters}
    given = aligner(english_encoder=EnglishOnly()) if given is None else given
    classifier = CrossLingualClassifier(given, **settings)
    return classifier.fit(ENGLISH[TRAIN], labels[TRAIN], target=target, parallel=parallel)


def run(model, **inputs):
    """Outputs of a graph by their names."""
    runtime = pytest.importorskip("onnxruntime", reason="needs pip install onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString())
    assert [i.name for i in session.get_inputs()] == list(inputs)
    outputs = session.run(["label", "probabilities"], inputs)
    assert len(session.get_outputs()) == 2
    return outputs


def assert_agrees(model, classifier, texts=KOREAN, **inputs):
    """Assert the labels and probabilities of texts."""
    inputs = inputs or {"X": ToyEncoder().encode(texts)}
    label, P = run(model, **inputs)
    assert P.dtype == np.float32
    assert_same(P, classifier.predict_proba(texts), TOLERANCE)
    np.testing.assert_array_equal(label, classifier.predict(texts))


@pytest.mark.parametrize(
    "head", ["kernel", LogisticRegression(), make_pipeline(StandardScaler(), KERNEL)]
)
@pytest.mark.parametrize("labels", [LABELS, (LABELS == "a") + 5], ids=["text", "ints"])
def test_views_of_one_encoder(skl2onnx, head, labels):
    classifier = fitted(head=head, labels=labels)
    model = to_onnx(classifier)
    assert_agrees(model, classifier)
    assert_agrees(model, classifier, KOREAN[:1])
    assert_agrees(to_onnx(classifier, side="english"), classifier, ENGLISH)


@pytest.mark.parametrize("views", ["own", "bridge"])
def test_one_view(onnx, views):
    classifier = fitted(views=views)
    assert_agrees(to_onnx(classifier), classifier)
    assert_agrees(to_onnx(classifier, side="english"), classifier, ENGLISH)


def test_views_that_were_adapted(onnx, tmp_path):
    classifier = fitted(target=KOREAN)
    assert classifier.report_.adaptation.adapted
    assert_agrees(to_onnx(classifier), classifier)
    to_onnx(make_pipeline(FrozenEstimator(classifier)), tmp_path / "classifier.onnx")
    assert_agrees(onnx.load(tmp_path / "classifier.onnx"), classifier)


def test_trained_map(onnx):
    given = aligner(method="mse", english_encoder=EnglishOnly())
    classifier = fitted(given)
    assert_agrees(to_onnx(classifier), classifier)


def test_several_encoders_have_an_input_each(onnx):
    other = ToyEncoder(width=10)
    classifier = fitted(encoder=[ToyEncoder(), other])
    model = to_onnx(classifier)
    of_korean = {"X0": ToyEncoder().encode(KOREAN), "X1": other.encode(KOREAN)}
    assert_agrees(model, classifier, **of_korean)
    properties = {p.key: p.value for p in model.metadata_props}
    assert properties == {
        "langalign_sk_version": version,
        "languages": "ko",
        "encoder0": "ToyEncoder",
        "encoder1": "ToyEncoder",
    }


def test_two_bridges_of_one_encoder_have_one_input(onnx):
    encoder = ToyEncoder()
    given = [aligner(encoder, english_encoder=EnglishOnly(width)) for width in (7, 5)]
    classifier = fitted(given)
    assert [view.place for view in classifier.views_] == [0, 0, 1]
    assert_agrees(to_onnx(classifier), classifier)


def test_each_of_several_languages(onnx):
    given = aligner(target_lang=("ko", "ja"), english_encoder=EnglishOnly())
    parallel = {"ko": PARALLEL, "ja": (JAPANESE[:60], ENGLISH[:60])}
    classifier = fitted(given, parallel=parallel)
    for language, texts in (("ko", KOREAN), ("ja", JAPANESE)):
        model = to_onnx(classifier, target_lang=language)
        assert_agrees(model, classifier, texts)
        assert {p.key: p.value for p in model.metadata_props}["languages"] == language
    english = to_onnx(classifier, target_lang="ja", side="english")
    assert_agrees(english, classifier, ENGLISH)
    assert {p.key: p.value for p in english.metadata_props}["languages"] == "en"
    with pytest.raises(ValueError, match=r"pass target_lang= as one of \['ko', 'ja'\], got None"):
        to_onnx(classifier)


def test_embeddings(onnx):
    X, Z = (ToyEncoder().encode(texts) for texts in (ENGLISH, KOREAN))
    for parallel in (None, (Z, X)):
        classifier = CrossLingualClassifier(aligner("use-multilingual"), head=KERNEL)
        classifier.fit(X[TRAIN], LABELS[TRAIN], parallel=parallel)
        model = to_onnx(classifier)
        label, P = run(model, X=Z)
        assert_same(P, classifier.predict_proba(Z), TOLERANCE)
        np.testing.assert_array_equal(label, classifier.predict(Z))
        # Where rows came as arrays, nobody knows the encoder.
        properties = {p.key: p.value for p in model.metadata_props}
        assert properties == {"langalign_sk_version": version, "languages": "ko"}


@pytest.mark.parametrize("opset", [13, 21])
@pytest.mark.parametrize("head", [KERNEL, LogisticRegression()], ids=["kernel", "logistic"])
def test_opset_of_views(skl2onnx, head, opset):
    classifier = fitted(head=head)
    model = to_onnx(classifier, opset=opset)
    assert [o.version for o in model.opset_import if o.domain == ""] == [opset]
    assert_agrees(model, classifier)


def test_head_that_is_not_converted(skl2onnx):
    with pytest.raises(ValueError, match=r"could not convert .* \(OwnHead\). Use steps that it"):
        to_onnx(fitted(head=OwnHead()))


def test_bad_requests(onnx):
    with pytest.raises(NotFittedError):
        to_onnx(CrossLingualClassifier(aligner()))
    classifier = fitted(views="own")
    with pytest.raises(ValueError, match=r"one of \['ko'\], got 'ja'"):
        to_onnx(classifier, target_lang="ja")
    with pytest.raises(ValueError, match=r"side must be one of .*, got 'left'"):
        to_onnx(classifier, side="left")
    with pytest.raises(TypeError, match=r"got StandardScaler. A Pipeline must begin with one"):
        to_onnx(make_pipeline(StandardScaler(), classifier))
