"""Exports against what the aligner itself does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from itertools import pairwise

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

from langalign_sk import AdapterAligner, CrossLingualAligner, LinearAligner, SentenceEncoder
from langalign_sk import __version__ as version
from langalign_sk.export import to_linear, to_onnx, to_sentence_transformer
from langalign_sk.export.sentence_transformer import _chain
from langalign_sk.mapping import Network
from tests.toy import ENGLISH, KOREAN, EnglishOnly, ToyEncoder

JAPANESE = [f"これは文 {i}" for i in range(200)]
PAIRS = list(zip(KOREAN, ENGLISH, strict=True))
LABELS = np.array(["even", "odd", "third"])[np.arange(200) % 3]
EPOCH = {"max_epochs": 1, "device": "cpu"}
LINEAR = [
    {"method": "identity"},
    {"method": "ridge", "alpha": 1.0},
    {"method": "procrustes"},
    {"method": "spectral", "alpha": 0.1},
    {"method": "contrastive", "adapter_dim": 0},
    {"method": "auto"},
]
DEEP = [
    {"method": "contrastive", "adapter_dim": 32},
    {"method": "mse"},
    {"method": "autoencoder"},
]
pytestmark = [
    pytest.mark.filterwarnings("ignore:The bridge .* has only"),
    # One epoch, or a random encoder, aligns nothing.
    pytest.mark.filterwarnings("ignore:.* no more than for shuffled pairs"),
    pytest.mark.filterwarnings("ignore:The encoder .* reads the first"),
]


def name_of(parameters):
    return "-".join(str(value) for value in parameters.values())


def aligner(encoder=None, target_lang="ko", **parameters):
    settings = {"method": "ridge", "alpha": 1.0, "random_state": 0, "corpus": None}
    deep = parameters.get("method") in ("contrastive", "mse", "autoencoder")
    settings |= {"adapter_params": EPOCH} if deep else {}
    encoder = ToyEncoder() if encoder is None else encoder
    return CrossLingualAligner(target_lang, encoder=encoder, **(settings | parameters))


def bridged(**parameters):
    """Into another width."""
    moved = aligner(english_encoder=EnglishOnly(), **parameters)
    return moved.fit(ENGLISH, parallel=(KOREAN, ENGLISH))


def rows(n=200, dtype=np.float32):
    return ToyEncoder().encode(KOREAN[:n]).astype(dtype)


def english_rows(n=200):
    return ToyEncoder().encode(ENGLISH[:n])


def assert_same(got, expected, tolerance=1e-5):
    """To float32, with respect to the largest number."""
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def run(model, X):
    """Every output of a graph, by its name."""
    runtime = pytest.importorskip("onnxruntime", reason="needs pip install onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": np.float32(X)}), strict=True))


@pytest.fixture
def onnx():
    return pytest.importorskip("onnx", reason="needs pip install onnx")


@pytest.fixture
def skl2onnx(onnx):
    return pytest.importorskip("skl2onnx", reason="needs pip install skl2onnx")


# Matrix and offset


@pytest.mark.parametrize("parameters", LINEAR, ids=name_of)
@pytest.mark.parametrize("fit", [lambda **p: aligner(**p).fit(PAIRS), bridged])
def test_linear_is_what_transform_does(parameters, fit):
    fitted = fit(**parameters)
    coef, intercept = to_linear(fitted)
    expected = fitted.transform(rows())
    assert (coef.dtype, intercept.dtype) == (np.float32, np.float32)
    assert (coef.shape, intercept.shape) == ((12, expected.shape[1]), expected.shape[1:])
    assert_same(rows() @ coef + intercept, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "estimator",
    [
        LinearAligner("ridge", alpha=1.0),
        LinearAligner("spectral", alpha=1.0, match_scale=True),
        AdapterAligner(adapter_dim=0, random_state=0, **EPOCH),
    ],
)
def test_linear_of_arrays(estimator, dtype):
    X = rows(dtype=dtype)
    fitted = estimator.fit(X, X[:, :7])
    coef, intercept = to_linear(fitted)
    assert (coef.dtype, coef.shape, intercept.shape) == (np.float32, (12, 7), (7,))
    assert_same(X @ coef + intercept, fitted.transform(X))


@pytest.mark.parametrize("method", ["spectral", "contrastive"])
def test_linear_of_both_sides_of_a_shared_space(method):
    fitted = aligner(method=method, adapter_dim=0, output_space="shared").fit(PAIRS)
    for side, X, texts in (
        (None, rows(), KOREAN),
        ("target", rows(), KOREAN),
        ("english", english_rows(), ENGLISH),
    ):
        coef, intercept = to_linear(fitted, side=side)
        assert_same(X @ coef + intercept, fitted.transform(texts))
        coef, intercept = to_linear(fitted.language_map_, side=side)
        assert_same(X @ coef + intercept, fitted.transform(texts))


def test_linear_of_the_target_space_moves_english_rows():
    fitted = aligner(output_space="target").fit(PAIRS)
    for side in (None, "english"):
        coef, intercept = to_linear(fitted, side=side)
        assert_same(english_rows() @ coef + intercept, fitted.transform(ENGLISH))
    with pytest.raises(ValueError, match=r'target side pass .* Pass side="english"'):
        to_linear(fitted, side="target")


@pytest.fixture(scope="module")
def two():
    parallel = {"ko": (KOREAN, ENGLISH), "ja": (JAPANESE, ENGLISH)}
    fitted = aligner(target_lang=("ko", "ja"), english_encoder=EnglishOnly())
    return fitted.fit(ENGLISH, parallel=parallel)


def test_each_of_several_languages(two, onnx):
    for language, texts in (("ko", KOREAN), ("ja", JAPANESE)):
        X, expected = ToyEncoder().encode(texts), two.transform(texts)
        coef, intercept = to_linear(two, target_lang=language)
        assert_same(X @ coef + intercept, expected)
        model = to_onnx(two, target_lang=language)
        assert_same(run(model, X)["Z"], expected)
        assert {p.key: p.value for p in model.metadata_props}["languages"] == language


@pytest.mark.parametrize("export", [to_linear, to_onnx, to_sentence_transformer])
@pytest.mark.parametrize("language", [None, "zh", "en"])
def test_several_languages_ask_for_one(two, onnx, export, language):
    with pytest.raises(ValueError, match=r"pass target_lang= as one of \['ko', 'ja'\], got"):
        export(two, target_lang=language)


@pytest.mark.parametrize("export", [to_linear, to_onnx, to_sentence_transformer])
def test_language_that_was_not_declared(onnx, export):
    with pytest.raises(ValueError, match=r"one of \['ko'\], got 'ja'"):
        export(aligner().fit(PAIRS), target_lang="ja")


@pytest.mark.parametrize("export", [to_linear, to_onnx, to_sentence_transformer])
def test_rows_that_pass_have_no_map(onnx, export):
    with pytest.raises(ValueError, match=r'english side pass .* Pass side="target"'):
        export(aligner().fit(PAIRS), side="english")


@pytest.mark.parametrize("export", [to_linear, to_onnx])
def test_what_holds_no_map(onnx, export):
    with pytest.raises(TypeError, match=r"Only a CrossLingualAligner, .* got LogisticRegression"):
        export(LogisticRegression())
    with pytest.raises(NotFittedError):
        export(aligner())
    fitted = LinearAligner("identity").fit(rows(), rows())
    with pytest.raises(ValueError, match=r"has one map, for no language: leave target_lang=None"):
        export(fitted, target_lang="ko")
    with pytest.raises(ValueError, match=r"side must be one of .*, got 'left'"):
        export(fitted, side="left")
    with pytest.raises(ValueError, match=r"english side pass LinearAligner unchanged"):
        export(fitted, side="english")


@pytest.mark.parametrize("parameters", DEEP, ids=name_of)
def test_hidden_layers_have_no_matrix(parameters):
    with pytest.raises(ValueError, match=r"hidden layers.* Export it with to_onnx, or fit"):
        to_linear(aligner(**parameters).fit(PAIRS))


# ONNX


@pytest.mark.parametrize("n", [1, 200])
@pytest.mark.parametrize("parameters", [*LINEAR, *DEEP], ids=name_of)
@pytest.mark.parametrize("fit", [lambda **p: aligner(**p).fit(PAIRS), bridged])
def test_onnx_is_what_transform_does(onnx, parameters, fit, n):
    fitted = fit(**parameters)
    out = run(to_onnx(fitted), rows(n))
    assert list(out) == ["Z"]
    assert out["Z"].dtype == np.float32
    assert_same(out["Z"], fitted.transform(rows(n)))


@pytest.mark.parametrize("method", ["contrastive", "mse"])
@pytest.mark.filterwarnings("ignore:A trained bridge")
def test_onnx_of_two_trained_maps(onnx, method):
    fitted = bridged(method=method, bridge_method=method, adapter_dim=8)
    assert_same(run(to_onnx(fitted), rows())["Z"], fitted.transform(rows()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "parameters",
    [{"adapter_dim": 5}, {"loss": "mse"}, {"loss": "autoencoder"}, {"shared": True}],
    ids=name_of,
)
def test_onnx_of_arrays(onnx, parameters, dtype):
    X = rows(dtype=dtype)
    fitted = AdapterAligner(random_state=0, **EPOCH, **parameters).fit(X, X[:, :7])
    assert_same(run(to_onnx(fitted), X)["Z"], fitted.transform(X))
    if "shared" in parameters:
        moved = run(to_onnx(fitted, side="english"), X[:, :7])["Z"]
        assert_same(moved, fitted.transform_counterparts(X[:, :7]))


@pytest.mark.parametrize("opset", [13, np.int64(15), 17, 21])
def test_opset(onnx, skl2onnx, opset):
    fitted = aligner(method="contrastive", adapter_dim=4).fit(PAIRS)
    head = LogisticRegression().fit(fitted.transform(rows()), LABELS)
    for estimator in (fitted, make_pipeline(fitted, head)):
        model = to_onnx(estimator, opset=opset)
        used = {o.version for o in model.opset_import if o.domain == ""}
        # skl2onnx takes an older one where it does.
        assert used == {opset} if estimator is fitted else max(used) <= opset
        run(model, rows(3))


@pytest.mark.parametrize("opset", [12, 10_000, 17.0, "17"])
def test_opset_that_is_not_to_be_had(onnx, opset):
    with pytest.raises(ValueError, match=r"opset must be an int between 13 and \d+, got"):
        to_onnx(aligner().fit(PAIRS), opset=opset)


def test_metadata(onnx):
    def of(fitted, **sides):
        return {p.key: p.value for p in to_onnx(fitted, **sides).metadata_props}

    known = {"langalign_sk_version": version}
    korean = known | {"languages": "ko"}
    assert of(LinearAligner("identity").fit(rows(), rows())) == known
    assert of(aligner().fit(PAIRS)) == korean | {"encoder": "ToyEncoder"}
    assert of(bridged()) == korean | {"encoder": "ToyEncoder"}
    # Where rows came as arrays, nobody knows the encoder.
    assert of(aligner().fit(rows(), english_rows())) == korean
    english = of(aligner(output_space="target").fit(PAIRS))
    assert english == known | {"languages": "en", "encoder": "ToyEncoder"}
    shared = aligner(output_space="shared", method="spectral", english_encoder=EnglishOnly())
    english = of(shared.fit(PAIRS), side="english")
    assert english == known | {"languages": "en", "encoder": "EnglishOnly"}
    named = aligner("use-multilingual", method="identity").fit(PAIRS[:20])
    assert of(named)["encoder"].startswith("use-multilingual@")


def test_file(onnx, tmp_path):
    path = tmp_path / "aligner.onnx"
    path.write_text("before")
    model = to_onnx(aligner().fit(PAIRS), path)
    assert onnx.load(path) == model
    to_onnx(aligner().fit(PAIRS), str(path))
    assert os.listdir(tmp_path) == ["aligner.onnx"]


def test_file_that_fails_leaves_the_old_one(onnx, tmp_path, monkeypatch):
    path = tmp_path / "aligner.onnx"
    path.write_text("before")

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match=r"no space"):
        to_onnx(aligner().fit(PAIRS), path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("aligner.onnx", "before")]


def test_paths_that_cannot_be_written(onnx, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere' to write to. Make it"):
        to_onnx(aligner(), tmp_path / "nowhere" / "a.onnx")
    with pytest.raises(ValueError, match=r"is a folder. Name a file"):
        to_onnx(aligner(), tmp_path)


@pytest.mark.parametrize("package", ["onnx", "skl2onnx"])
def test_missing_package_names_the_extra(onnx, monkeypatch, package):
    fitted = aligner().fit(PAIRS)
    head = LogisticRegression().fit(fitted.transform(rows()), LABELS)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'package {package}: .*"langalign-sk\[export\]"'):
        to_onnx(make_pipeline(fitted, head))
    if package == "skl2onnx":
        to_onnx(fitted)


# Pipelines

HEADS = [
    LogisticRegression(),
    make_pipeline(StandardScaler(), PCA(4), LogisticRegression()),
    RandomForestClassifier(10, random_state=0),
    CalibratedClassifierCV(LinearSVC()),
    GridSearchCV(LogisticRegression(), {"C": [1.0, 10.0]}, cv=2),
]


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
    with pytest.raises(ValueError, match=r"converts the steps behind the aligner .* wrongly"):
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


# sentence-transformers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = sorted({word for text in [*KOREAN, *ENGLISH] for word in text.split()})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folder of a random BERT with a token a word."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny") / "model"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *WORDS]) + "\n", encoding="utf-8")
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(hidden_size=16, vocab_size=len(SPECIAL) + len(WORDS), **sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    BertTokenizerFast.from_pretrained(folder, do_lower_case=False).save_pretrained(folder)
    return str(folder)


_ALONE = """
import sys
import numpy as np
from sentence_transformers import SentenceTransformer
texts, folder, out = open(sys.argv[1], encoding="utf-8").read().split("\\n"), *sys.argv[2:]
model = SentenceTransformer(folder, device="cpu")
rows = [model.encode(texts), model.encode_query(texts), model.encode_document(texts)]
assert "langalign_sk" not in sys.modules
np.save(out, rows)
"""


def loaded_alone(model, texts, folder):
    """Rows of a saved model, by a process that has no langalign_sk."""
    model.save(str(folder / "saved"))
    (folder / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    arguments = [folder / "texts.txt", folder / "saved", folder / "rows.npy"]
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return np.load(folder / "rows.npy")


@pytest.mark.parametrize("parameters", [*LINEAR, *DEEP], ids=name_of)
def test_model_is_what_transform_does(tiny, parameters):
    fitted = aligner(tiny, device="cpu", **parameters).fit(PAIRS)
    model = to_sentence_transformer(fitted)
    out = model.encode(KOREAN[:50])
    assert out.dtype == np.float32
    assert_same(out, fitted.transform(KOREAN[:50]), 1e-4)
    assert model.encode(KOREAN[0]).shape == (16,)


@pytest.mark.parametrize("parameters", [LINEAR[1], DEEP[0], DEEP[1]], ids=name_of)
def test_saved_model_with_a_bridge_needs_sentence_transformers_alone(tiny, tmp_path, parameters):
    fitted = aligner(tiny, english_encoder=EnglishOnly(), device="cpu", **parameters)
    fitted.fit(ENGLISH, parallel=(KOREAN, ENGLISH))
    expected = fitted.transform(KOREAN[:9])
    assert expected.shape == (9, 7)
    for out in loaded_alone(to_sentence_transformer(fitted), KOREAN[:9], tmp_path):
        assert_same(out, expected, 1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"prompt": "문장 번호 "},
        {"normalize": True},
        {"pooling": "cls", "max_length": 4},
        {"dtype": "float16"},
        {"normalize": True, "prompt": "sentence ", "pooling": "max", "dtype": "bfloat16"},
    ],
    ids=name_of,
)
def test_settings_of_the_encoder_carry_over(tiny, tmp_path, settings):
    encoder = SentenceEncoder(tiny, device="cpu", **settings)
    fitted = aligner(encoder).fit(PAIRS)
    texts = [f"{text} number 3" for text in KOREAN[:9]]
    expected = fitted.transform(texts)
    near = {"float16": 0.01, "bfloat16": 0.1}.get(settings.get("dtype"), 1e-4)
    for out in loaded_alone(to_sentence_transformer(fitted), texts, tmp_path):
        assert_same(out, expected, near)


@pytest.mark.parametrize("prompt", [None, "", "sentence "])
def test_prompt_of_the_model_itself(tiny, tmp_path, prompt):
    from sentence_transformers import SentenceTransformer

    prompts = {"usual": "문장 번호 ", "query": "number "}
    folder = str(tmp_path / "prompted")
    SentenceTransformer(tiny, device="cpu", prompts=prompts, default_prompt_name="usual").save(
        folder
    )
    fitted = aligner(SentenceEncoder(folder, device="cpu", prompt=prompt)).fit(PAIRS)
    for out in loaded_alone(to_sentence_transformer(fitted), KOREAN[:5], tmp_path):
        assert_same(out, fitted.transform(KOREAN[:5]), 1e-4)


@pytest.mark.parametrize("normalize", [False, True])
def test_encoder_that_cuts_its_rows(tiny, tmp_path, normalize):
    from sentence_transformers import SentenceTransformer

    folder = str(tmp_path / "cut")
    SentenceTransformer(tiny, device="cpu", truncate_dim=10).save(folder)
    encoder = SentenceEncoder(folder, device="cpu", normalize=normalize)
    fitted = aligner(encoder, english_encoder=EnglishOnly()).fit(
        ENGLISH, parallel=(KOREAN, ENGLISH)
    )
    assert fitted.language_map_.n_features_in_ == 10
    model = to_sentence_transformer(fitted)
    assert_same(model.encode(KOREAN[:5]), fitted.transform(KOREAN[:5]), 1e-4)


def test_users_own_model_is_left_alone(tiny):
    from sentence_transformers import SentenceTransformer

    own = SentenceTransformer(tiny, device="cpu", prompts={"query": "number "})
    before = own.encode(KOREAN[:5])
    fitted = aligner(own).fit(PAIRS)
    model = to_sentence_transformer(fitted.freeze())
    assert_same(model.encode(KOREAN[:5]), fitted.transform(KOREAN[:5]), 1e-4)
    model.half()
    assert len(own) == 2
    np.testing.assert_array_equal(own.encode(KOREAN[:5]), before)


def test_model_of_the_registry_is_left_alone(tiny):
    fitted = aligner(tiny, device="cpu").fit(PAIRS)
    first, second = to_sentence_transformer(fitted), to_sentence_transformer(fitted)
    first.half()
    assert [type(module).__name__ for module in second] == ["Transformer", "Pooling", "Dense"]
    assert_same(second.encode(KOREAN[:5]), fitted.transform(KOREAN[:5]), 1e-4)


def test_sides_of_a_model(tiny):
    shared = aligner(tiny, method="spectral", output_space="shared", device="cpu").fit(PAIRS)
    target = aligner(tiny, output_space="target", device="cpu").fit(PAIRS)
    for fitted, side, texts in (
        (shared, None, KOREAN[:5]),
        (shared, "english", ENGLISH[:5]),
        (target, None, ENGLISH[:5]),
    ):
        model = to_sentence_transformer(fitted, side=side)
        assert_same(model.encode(texts), fitted.transform(texts), 1e-4)


def test_english_side_has_its_own_encoder(tiny):
    english = SentenceEncoder(tiny, device="cpu", normalize=True)
    fitted = aligner(method="spectral", output_space="shared", english_encoder=english).fit(PAIRS)
    model = to_sentence_transformer(fitted, side="english")
    assert_same(model.encode(ENGLISH[:5]), fitted.transform(ENGLISH[:5]), 1e-4)
    with pytest.raises(ValueError, match=r"Encoder 'ToyEncoder' is not a model that sentence-tr"):
        to_sentence_transformer(fitted, side="target")


@pytest.mark.parametrize("has_modules", [True, False])
def test_static_vectors(tmp_path, has_modules):
    model2vec = pytest.importorskip("model2vec", reason="needs pip install model2vec")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: i for i, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(0).normal(size=(len(words), 6)).astype(np.float32)
    config = {"model_type": "model2vec"}
    static = model2vec.StaticModel(vectors, tokenizer, config=config, normalize=True)
    folder = tmp_path / "static"
    static.save_pretrained(folder)
    if not has_modules:
        (folder / "modules.json").unlink()
    fitted = aligner(str(folder), device="cpu").fit(PAIRS)
    model = to_sentence_transformer(fitted)
    for out in loaded_alone(model, KOREAN[:5], tmp_path):
        assert_same(out, fitted.transform(KOREAN[:5]), 1e-4)


def test_encoders_that_are_no_model_of_the_library(tiny):
    said = r"is not a model that sentence-transformers can save. Fit with .*'multilingual-e5-small'"
    default = aligner("use-multilingual", method="identity").fit(PAIRS[:20])
    with pytest.raises(ValueError, match=f"Encoder 'use-multilingual' {said}"):
        to_sentence_transformer(default)
    with pytest.raises(ValueError, match=f"Encoder 'ToyEncoder' {said}"):
        to_sentence_transformer(aligner().fit(PAIRS))
    fitted = aligner(tiny, device="cpu").fit(PAIRS)
    fitted.encoder = SentenceEncoder(tiny, backend="onnx")
    with pytest.raises(ValueError, match=f"on the backend 'onnx' {said}"):
        to_sentence_transformer(fitted)


def test_models_need_an_aligner_on_text(tiny):
    with pytest.raises(TypeError, match=r"takes a CrossLingualAligner, .* got LinearAligner"):
        to_sentence_transformer(LinearAligner("identity").fit(rows(), rows()))
    with pytest.raises(NotFittedError):
        to_sentence_transformer(aligner(tiny))
    fitted = aligner(tiny, device="cpu").fit(rows(), english_rows())
    with pytest.raises(ValueError, match=r"rows of width 16, but the aligner was fitted on .* 12"):
        to_sentence_transformer(fitted)


def test_real_encoder(e5_folder, tmp_path):
    encoder = SentenceEncoder(str(e5_folder), prompt="query: ", device="cpu")
    fitted = aligner(encoder, alpha=10.0).fit(PAIRS[:30])
    model = to_sentence_transformer(fitted)
    assert model.prompts["query"] == "query: "
    assert_same(model.encode(KOREAN[:3]), fitted.transform(KOREAN[:3]), 1e-4)


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("widths", [(5, 4), (5, 8, 4), (5, 8, 6, 4)])
def test_layers_in_a_row_are_the_network(affine, widths):
    rng = np.random.default_rng(0)
    shapes = list(pairwise(widths))
    layers = tuple((rng.normal(size=s), rng.normal(size=s[1])) for s in shapes)
    network = Network(
        rng.normal(size=(5, 4)), rng.normal(size=4), layers if len(widths) > 2 else ()
    )
    network = network if affine else Network(None, None, layers)
    X = rng.normal(size=(20, 5))
    (*hidden, (weight, bias)) = _chain(network)
    out = X
    for w, b in hidden:
        out = np.maximum(out @ w + b, 0)
    np.testing.assert_allclose(out @ weight + bias, network(X), atol=1e-12)


def test_import_stays_light():
    code = (
        "import sys, langalign_sk.export; "
        "heavy = {'torch', 'onnx', 'skl2onnx', 'sentence_transformers', 'transformers'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_exports_from_threads(onnx):
    fitted, models = aligner().fit(PAIRS), []
    threads = [threading.Thread(target=lambda: models.append(to_onnx(fitted))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({model.SerializeToString() for model in models}) == 1
    assert len(models) == 4
