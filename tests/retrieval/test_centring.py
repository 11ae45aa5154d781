"""Centring: means of languages by hand, and rows that come back from their centred ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk.retrieval.centring import Centring, means_by_language, prior_means
from tests.retrieval.references import EPS, unit

PRIOR = 50  # queries that the means of the pairs count as


def rows_of(n, width=6, seed=0, shift=0.0):
    return unit(np.random.default_rng(seed).normal(size=(n, width)) + shift).astype(np.float32)


def mean(rows):
    return np.asarray(rows, dtype=np.float64).mean(axis=0)


@pytest.fixture
def pairs():
    return {
        "ko": (rows_of(30, seed=1, shift=0.5), rows_of(30, seed=2)),
        "ja": (rows_of(10, seed=3, shift=-0.5), rows_of(10, seed=4)),
    }


@pytest.fixture
def documents():
    return rows_of(20, seed=5, shift=0.3), ["en"] * 12 + ["ko"] * 5 + ["fr"] * 3


def made(pairs, documents):
    return Centring(prior_means(pairs), means_by_language(*documents))


def test_means_of_pairs_and_of_documents(pairs, documents):
    prior = prior_means(pairs)
    assert sorted(prior) == ["en", "ja", "ko"]
    assert_allclose(prior["ko"], mean(pairs["ko"][0]), rtol=0, atol=EPS)
    english = np.concatenate([pairs["ko"][1], pairs["ja"][1]])
    assert_allclose(prior["en"], mean(english), rtol=0, atol=EPS)
    assert prior_means({}) == {}
    of_documents = means_by_language(*documents)
    assert sorted(of_documents) == ["en", "fr", "ko"]
    assert_allclose(of_documents["fr"], mean(documents[0][17:]), rtol=0, atol=EPS)


def test_means_of_queries_move_from_the_pairs_to_the_queries(pairs, documents):
    centring = made(pairs, documents)
    assert centring.n_queries == 0
    assert_allclose(centring.query_mean("ko"), mean(pairs["ko"][0]), rtol=0, atol=EPS)
    seen = rows_of(70, seed=6, shift=1.0)
    languages = ["ko", "en"] * 30 + ["fr"] * 10
    centring.observe(seen, languages)
    assert centring.n_queries == 70
    korean, english, french = seen[0:60:2], seen[1:60:2], seen[60:]
    for language, prior, own in (
        ("ko", pairs["ko"][0], korean),
        ("en", np.concatenate([pairs["ko"][1], pairs["ja"][1]]), english),
    ):
        expected = (PRIOR * mean(prior) + 30 * mean(own)) / (PRIOR + 30)
        assert_allclose(centring.query_mean(language), expected, rtol=0, atol=2 * EPS)
    # No queries were seen of one, and no pairs of the other.
    assert_allclose(centring.query_mean("ja"), mean(pairs["ja"][0]), rtol=0, atol=2 * EPS)
    assert_allclose(centring.query_mean("fr"), mean(french), rtol=0, atol=2 * EPS)


def test_an_unknown_language_has_the_mean_of_the_others(pairs, documents):
    centring = made(pairs, documents)
    expected = (mean(pairs["ko"][0]) + mean(pairs["ja"][0])) / 2
    assert_allclose(centring.query_mean("zh"), expected, rtol=0, atol=2 * EPS)
    only_english = Centring({}, means_by_language(*documents))
    seen = rows_of(9, seed=7)
    only_english.observe(seen, ["en"] * 9)
    assert_allclose(only_english.query_mean("ko"), mean(seen), rtol=0, atol=2 * EPS)
    assert_allclose(only_english.query_mean(""), mean(seen), rtol=0, atol=2 * EPS)


def test_means_of_documents_move_by_the_share_of_the_queries(pairs, documents):
    centring = made(pairs, documents)
    english = mean(np.concatenate([pairs["ko"][1], pairs["ja"][1]]))
    own = mean(documents[0][:12])
    assert_allclose(centring.document_mean("en"), english, rtol=0, atol=2 * EPS)
    for n in (10, 40, 50):
        centring.observe(rows_of(n, seed=n), ["ko"] * n)
        share = centring.n_queries / (centring.n_queries + PRIOR)
        expected = share * own + (1 - share) * english
        assert_allclose(centring.document_mean("en"), expected, rtol=0, atol=2 * EPS)
        # Documents in a language without pairs have their own mean from the start.
        assert_allclose(centring.document_mean("fr"), mean(documents[0][17:]), rtol=0, atol=2 * EPS)
    added = centring.document_mean("zh")  # that came with documents that were added
    means = [mean(documents[0][part]) for part in (slice(12), slice(12, 17), slice(17, 20))]
    assert_allclose(added, np.mean(means, axis=0), rtol=0, atol=2 * EPS)


def test_queries_in_any_parts_give_one_mean(pairs, documents):
    seen = rows_of(90, seed=8, shift=0.2)
    languages = (["ko", "ja", "en"] * 30)[:90]
    whole, parts = made(pairs, documents), made(pairs, documents)
    whole.observe(seen, languages)
    for start, stop in ((0, 1), (1, 40), (40, 40), (40, 90)):
        parts.observe(seen[start:stop], languages[start:stop])
    assert whole.counts == parts.counts
    for language in ("ko", "ja", "en", "zh"):
        assert_allclose(
            parts.query_mean(language), whole.query_mean(language), rtol=0, atol=2 * EPS
        )


def test_rows_are_centred_by_their_language_and_come_back(pairs, documents):
    rows, languages = documents
    centring = made(pairs, documents)
    centring.observe(rows_of(25, seed=9), ["ko"] * 25)
    before = rows.copy()
    found, lengths = centring.documents(rows, languages)
    assert_array_equal(rows, before)
    shifted = np.stack(
        [
            row - centring.document_mean(language)
            for row, language in zip(rows.astype(np.float64), languages, strict=True)
        ]
    )
    assert found.dtype == lengths.dtype == np.float32
    assert_allclose(lengths, np.linalg.norm(shifted, axis=1), rtol=8 * EPS)
    assert_allclose(found, unit(shifted), rtol=0, atol=8 * EPS / lengths.min())
    assert_allclose(centring.restored(found, lengths, languages), rows, rtol=0, atol=8 * EPS)
    queries = centring.queries(rows, languages)
    shifted = np.stack(
        [
            row - centring.query_mean(language)
            for row, language in zip(rows.astype(np.float64), languages, strict=True)
        ]
    )
    shortest = np.linalg.norm(shifted, axis=1).min()
    assert_allclose(queries, unit(shifted), rtol=0, atol=8 * EPS / shortest)


def test_a_query_is_centred_alike_in_every_batch(pairs, documents):
    centring = made(pairs, documents)
    rows, languages = rows_of(40, seed=10), ["ko", "ja", "en", "zh"] * 10
    whole = centring.queries(rows, languages)
    alone = [centring.queries(rows[i : i + 1], languages[i : i + 1])[0] for i in range(40)]
    assert_array_equal(np.stack(alone), whole)
    assert_array_equal(centring.queries(rows[::-1], languages[::-1])[::-1], whole)


def test_rows_on_the_mean_are_nothing():
    row = rows_of(1)[0]
    noise = 1e-8 * np.random.default_rng(0).normal(size=(50, 6))
    rows = (row + noise).astype(np.float32)
    centring = Centring({}, means_by_language(rows, ["en"] * 50))
    centring.observe(rows, ["ko"] * 50)
    found, lengths = centring.documents(rows, ["en"] * 50)
    assert_array_equal(found, np.zeros_like(rows))
    assert_array_equal(centring.queries(rows, ["ko"] * 50), np.zeros_like(rows))
    restored = centring.restored(found, lengths, ["en"] * 50)
    assert_allclose(restored, rows, rtol=0, atol=8 * EPS)


def test_no_rows(pairs, documents):
    centring = made(pairs, documents)
    nothing = np.empty((0, 6), dtype=np.float32)
    centring.observe(nothing, [])
    assert centring.n_queries == 0
    found, lengths = centring.documents(nothing, [])
    assert found.shape == (0, 6)
    assert centring.restored(found, lengths, []).shape == (0, 6)
    assert centring.queries(nothing, []).shape == (0, 6)
