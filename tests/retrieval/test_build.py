"""Views that are built of encoded rows: spreads, coefficients, and whether a bank matches."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk.retrieval import build
from langalign_sk.retrieval.backends import make_index
from langalign_sk.retrieval.build import (
    EncodedView,
    build_view,
    checked_coefficients,
    correct_hubness,
    match_of_banks,
    spreads_of,
)
from langalign_sk.retrieval.centring import Centring, means_by_language
from langalign_sk.retrieval.fusion import Fusion, Joined
from langalign_sk.retrieval.hubness import Hubness
from langalign_sk.retrieval.view import QueryRows
from tests.retrieval.references import EPS, cosine_error, top_mean, unit


def rows_of(n, seed=0, width=6, shift=0.0):
    rng = np.random.default_rng(seed)
    return unit(rng.normal(size=(n, width)) + shift).astype(np.float32)


def bank_of(n, seed, **settings):
    return QueryRows(rows_of(n, seed, **settings), ["ko"] * n)


def encoded(documents, bank=None, pairs=None):
    languages = ["en"] * len(documents)
    return EncodedView("toy", None, documents, languages, pairs or {}, bank)


def built(view, centring=None):
    ids = range(len(view.documents))
    return build_view(view, centring, ids, make_index("exact", None))


def test_a_view_holds_the_rows_centred_or_as_they_are():
    documents = rows_of(20, shift=0.5)
    plain = built(encoded(documents))
    assert np.shares_memory(plain.index.rows.blocks[0], documents)
    assert plain.lengths is None
    assert plain.languages is None
    centring = Centring({}, means_by_language(documents, ["en"] * 20))
    view = built(encoded(documents), centring)
    expected = documents - documents.mean(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(expected, axis=1)
    assert_allclose(view.lengths, lengths, rtol=8 * EPS / lengths.min())
    rows = view.index.rows.blocks[0]
    assert_allclose(rows, unit(expected), rtol=0, atol=8 * EPS / lengths.min())
    assert view.languages.tolist() == ["en"] * 20
    assert view.index.ids == list(range(20))


def test_spread_is_that_of_the_cosines_of_the_bank():
    documents, bank = rows_of(30, 1), bank_of(12, 2)
    views = [encoded(documents, bank)]
    expected = np.std(unit(bank.rows) @ unit(documents).T)
    found = spreads_of([built(views[0])], views)
    assert_allclose(found, [expected], rtol=8 * cosine_error(6) / expected)


def test_without_a_bank_every_other_document_is_a_query():
    for n in (2, 3, 30):
        documents = rows_of(n, 3)
        views = [encoded(documents)]
        expected = np.std(unit(documents[::2]) @ unit(documents[1::2]).T)
        found = spreads_of([built(views[0])], views)
        assert_allclose(found, [expected], rtol=1e-5, atol=cosine_error(6))
    one = [encoded(rows_of(1, 3))]
    assert spreads_of([built(one[0])], one) == [0]


def test_spread_is_of_centred_rows():
    documents, bank = rows_of(30, 4, shift=1.0), bank_of(12, 5, shift=2.0)
    centring = Centring({}, means_by_language(documents, ["en"] * 30))
    centring.observe(bank.rows, bank.languages)
    views = [encoded(documents, bank)]
    d, q = (unit(rows - rows.mean(axis=0)) for rows in map(unit, (documents, bank.rows)))
    found = spreads_of([built(views[0], centring)], views)
    assert_allclose(found, [np.std(q @ d.T)], rtol=1e-4)


def test_spread_is_of_a_sample(monkeypatch):
    documents, bank = rows_of(90, 6), bank_of(40, 7)
    monkeypatch.setattr(build, "_SAMPLED_DOCUMENTS", 10)
    monkeypatch.setattr(build, "_SAMPLED_QUERIES", 5)
    views = [encoded(documents, bank)]
    q = unit(bank.rows)[[0, 9, 19, 29, 39]]
    d = unit(documents)[np.linspace(0, 89, 10).astype(int)]
    found = spreads_of([built(views[0])], views)
    assert_allclose(found, [np.std(q @ d.T)], rtol=1e-5)


def test_a_view_of_no_spread_is_warned_of_where_it_has_a_weight():
    views = [built(encoded(rows_of(9, seed))) for seed in (8, 9)]
    spreads = np.array([0.2, 0.0])
    for by_rank in (False, True):
        with pytest.warns(UserWarning, match="'toy' gives all documents the same score"):
            found = checked_coefficients(views, np.ones(2), spreads, by_rank)
        assert found.tolist() == [1, 0]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = checked_coefficients(views, np.array([1.0, 0]), spreads, by_rank)
            assert found.tolist() == [1, 0]
            # There is nothing better to go by.
            found = checked_coefficients(views, np.array([3.0, 1]), np.zeros(2), by_rank)
            assert found.tolist() == [0.75, 0.25]


def test_hubness_of_one_view_and_of_several():
    documents, banks = [rows_of(30, 10), rows_of(30, 11)], [bank_of(15, 12), bank_of(15, 13)]
    views = [built(encoded(rows)) for rows in documents]
    correction = partial(Hubness.of_bank, scoring="csls", n_neighbors=4, temperature=0.05)
    correct_hubness(None, views[:1], banks[:1], correction)
    expected = top_mean(unit(documents[0]) @ unit(banks[0].rows).T, 4)
    assert_allclose(views[0].index.hubness.level, expected, rtol=0, atol=cosine_error(6))
    correct_hubness(None, views[:1], banks[:1], None)
    assert views[0].index.hubness is None
    fusion = Fusion(np.array([0.75, 0.25]))
    correct_hubness(fusion, views, banks, correction)
    S = 0.75 * unit(documents[0]) @ unit(banks[0].rows).T
    S += 0.25 * unit(documents[1]) @ unit(banks[1].rows).T
    assert_allclose(fusion.hubness.level, top_mean(S, 4), rtol=0, atol=cosine_error(12))
    assert [view.index.hubness for view in views] == [None, None]
    joined = Joined(fusion, [view.index for view in views])
    assert_array_equal(fusion.hubness.bank, joined.rows([bank.rows for bank in banks]))
    correct_hubness(fusion, views, banks, None)
    assert fusion.hubness is None


def gap(Q, D):
    best = np.sort(unit(Q) @ unit(D).T, axis=1)
    return np.mean(best[:, -1] - best[:, -2])


def test_the_bank_matches_where_its_nearest_documents_stand_out():
    rng = np.random.default_rng(14)
    documents, general = rows_of(80, 15, width=30), rows_of(60, 16, width=30)
    asking = unit(documents + 0.05 * rng.normal(size=documents.shape)).astype(np.float32)
    pairs = {"ko": (general, general)}
    right = encoded(documents, QueryRows(asking, ["ko"] * 80), pairs)
    other = encoded(documents, bank_of(80, 17, width=30), pairs)
    expected = gap(asking, documents) / gap(general, documents)
    match = match_of_banks([right])
    assert match.matches
    assert_allclose(match.ratio, expected, rtol=1e-4)
    assert not match_of_banks([other]).matches
    assert match_of_banks([other, right]) == match  # one view that sees it is enough
    assert match_of_banks([encoded(documents, pairs=pairs)]) is None
    unknown = match_of_banks([encoded(documents, right.bank)])  # by no pairs
    assert not unknown.matches
    assert np.isnan(unknown.ratio)
    alone = encoded(documents[:1], right.bank, pairs)
    assert not match_of_banks([alone]).matches
    same = encoded(np.tile(documents[:1], (50, 1)), right.bank, pairs)
    assert not match_of_banks([same]).matches
