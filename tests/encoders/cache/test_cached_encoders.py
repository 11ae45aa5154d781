"""Tests of SentenceEncoder with a cache."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from langalign_sk import CrossLingualAligner, SentenceEncoder
from langalign_sk.datasets import load_service_requests, load_starter_corpus
from langalign_sk.encoders import FolderCache, MemoryCache
from langalign_sk.encoders.cache import lookup as cache_module
from langalign_sk.encoders.models import registry
from tests.encoders.cache.toy import ROW, TEXTS, sql, vectors


def test_the_memory_is_shared_by_default(model):
    encoder = SentenceEncoder()
    assert encoder.cache == "memory"
    for some in (encoder, clone(encoder), SentenceEncoder(), pickle.loads(pickle.dumps(encoder))):
        np.testing.assert_array_equal(some.encode(TEXTS), vectors(TEXTS))
        np.testing.assert_array_equal(some.transform(TEXTS[3:]), vectors(TEXTS[3:]))
    assert model.calls == [TEXTS]
    info = cache_module.shared_memory_cache.info()
    assert info.to_numpy().tolist() == [["toy@1", 10, 10 * ROW]]


@pytest.mark.parametrize(
    "cache", [lambda path: MemoryCache(), str, Path, FolderCache], ids=["memory", "str", "path", ""]
)
def test_clones_share_a_cache(model, tmp_path, cache):
    encoder = SentenceEncoder(cache=cache(tmp_path))
    for some in (encoder, clone(encoder), SentenceEncoder(cache=encoder.cache)):
        np.testing.assert_array_equal(some.encode(TEXTS), vectors(TEXTS))
    assert model.calls == [TEXTS]
    assert cache_module.shared_memory_cache.info().empty


def test_two_caches_do_not_share(model):
    for _ in range(2):
        SentenceEncoder(cache=MemoryCache()).encode(TEXTS)
    assert model.calls == [TEXTS, TEXTS]


def test_without_a_cache_texts_are_encoded_again(model):
    encoder = SentenceEncoder(cache=None)
    for _ in range(2):
        np.testing.assert_array_equal(encoder.encode(TEXTS), vectors(TEXTS))
    assert model.calls == [TEXTS, TEXTS]
    assert cache_module.shared_memory_cache.info().empty


@pytest.mark.parametrize("cache", [None, "memory"])
def test_duplicates_are_encoded_once_and_rows_keep_their_order(model, cache):
    encoder = SentenceEncoder(cache=cache)
    texts = ["b", "a", "b", "c", "a", "b"]
    np.testing.assert_array_equal(encoder.encode(texts), vectors(texts))
    assert model.calls == [["b", "a", "c"]]
    np.testing.assert_array_equal(encoder.encode(texts[::-1]), vectors(texts[::-1]))


def test_cached_and_new_texts_in_one_call(model):
    encoder = SentenceEncoder()
    encoder.encode(["b", "d"])
    texts = ["a", "b", "c", "d", "a"]
    np.testing.assert_array_equal(encoder.encode(texts), vectors(texts))
    assert model.calls == [["b", "d"], ["a", "c"]]


def test_settings_that_change_rows_do_not_share(model, tmp_path):
    cache = FolderCache(tmp_path)
    raw = vectors(TEXTS)
    expected = [
        ({}, raw),
        ({"normalize": True}, raw / np.linalg.norm(raw, axis=1, keepdims=True)),
        ({"prompt": "a: "}, vectors(["a: " + text for text in TEXTS])),
        ({"prompt": "a:"}, vectors(["a:" + text for text in TEXTS])),
        ({"prompt": "a\0b"}, vectors(["a\0b" + text for text in TEXTS])),
        ({"prompt": "a' normalize=True"}, vectors(["a' normalize=True" + t for t in TEXTS])),
    ]
    for _ in range(2):
        for settings, rows in expected:
            encoder = SentenceEncoder(cache=cache, **settings)
            np.testing.assert_allclose(encoder.encode(TEXTS), rows, rtol=1e-6)
    assert model.calls == [TEXTS] * len(expected)
    assert cache.info()["rows"].tolist() == [10] * len(expected)
    assert cache.info()["encoder"].tolist()[:3] == [
        "toy@1",
        "toy@1 normalize=True",
        "toy@1 prompt='a: '",
    ]


def test_settings_that_leave_rows_share(model):
    for settings in ({}, {"batch_size": 7}, {"device": "cpu"}):
        SentenceEncoder(**settings).encode(TEXTS)
    assert model.calls == [TEXTS]


def test_another_version_of_a_model_does_not_share(model, monkeypatch, tmp_path):
    SentenceEncoder(cache=tmp_path).encode(TEXTS)
    model.identity = "toy@2"
    monkeypatch.setattr(registry, "_models", {})
    SentenceEncoder(cache=tmp_path).encode(TEXTS)
    assert model.calls == [TEXTS, TEXTS]
    assert FolderCache(tmp_path).info()["encoder"].tolist() == ["toy@1", "toy@2"]


def test_an_encoder_refuses_another_format(model, folder):
    sql(folder, "PRAGMA user_version=99")
    with pytest.raises(ValueError, match="has format 99"):
        SentenceEncoder(cache=folder).encode(TEXTS)
    assert model.calls == []


def search(encoder, n_jobs, n_requests):
    """4 values on 5 folds; returns all distinct texts."""
    X, y = load_service_requests(return_X_y=True)
    X, y = X[:n_requests], y[:n_requests]
    pairs = load_starter_corpus()[["ko", "en"]].head(120)
    aligner = CrossLingualAligner("ko", encoder=encoder, method="ridge", random_state=0)
    pipe = Pipeline([("align", aligner), ("head", LogisticRegression(max_iter=2000))])
    grid = {"align__alpha": [0.1, 1.0, 10.0, 100.0]}
    found = GridSearchCV(pipe, grid, cv=5, n_jobs=n_jobs, error_score="raise")
    found.fit(X, y, align__parallel=pairs)
    assert len(found.cv_results_["params"]) == 4
    return {*X, *pairs["ko"], *pairs["en"]}


@pytest.mark.slow
@pytest.mark.parametrize("folder_too", [False, True])
def test_grid_search_encodes_a_text_once(model, tmp_path, folder_too):
    model.width = 64
    cache = FolderCache(tmp_path) if folder_too else MemoryCache()
    distinct = search(SentenceEncoder(cache=cache), None, 240)
    assert sorted(model.texts) == sorted(distinct)
    assert cache.info()["rows"].tolist() == [len(distinct)]


@pytest.mark.slow
def test_grid_search_in_processes_encodes_a_text_once(tmp_path):
    cache = FolderCache(tmp_path)
    cache.info()
    distinct = search(SentenceEncoder(cache=cache), 2, 120)
    assert cache.info()["rows"].tolist() == [len(distinct)]
    assert sql(cache, "SELECT seq FROM sqlite_sequence WHERE name='rows'") == [(len(distinct),)]
