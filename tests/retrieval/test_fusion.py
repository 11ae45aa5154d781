"""Fusion: scores of several views against full matrices in float64."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk.retrieval import fusion as module
from langalign_sk.retrieval.backends import make_index
from langalign_sk.retrieval.fusion import Fusion, Joined, coefficients_of, spread_of, united
from langalign_sk.retrieval.hubness import Hubness
from langalign_sk.retrieval.index import DocumentIndex
from tests.retrieval.references import SCORINGS, assert_distances, cosine_error, reference, unit

WIDTHS = 8, 5, 3
COEFFICIENTS = np.array([0.5, 0.3, 0.2])
ERROR = cosine_error(sum(WIDTHS))


def rows_of(n, seed):
    rng = np.random.default_rng(seed)
    return [unit(rng.normal(size=(n, width))).astype(np.float32) for width in WIDTHS]


def indexes_of(parts):
    ids = range(len(parts[0]))
    return [DocumentIndex.build(ids, rows, make_index("exact", None)) for rows in parts]


def cosines(queries, documents):
    return [unit(Q) @ unit(D).T for Q, D in zip(queries, documents, strict=True)]


def fused(queries, documents, coefficients=COEFFICIENTS):
    return sum(c * S for c, S in zip(coefficients, cosines(queries, documents), strict=True))


def ranked(S, k):
    order = np.argsort(-S, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(S, order, axis=1)


def assert_finds(found, positions, scores, error=ERROR):
    assert_array_equal(found[0], positions)
    assert found[1].dtype == np.float32
    assert_allclose(found[1], scores, rtol=0, atol=error)


@pytest.mark.parametrize("k", [1, 7, 40])
@pytest.mark.parametrize("n_candidates", [None, 40, 1000])
def test_all_candidates_are_a_comparison_with_every_document(k, n_candidates):
    D, Q = rows_of(40, 0), rows_of(11, 1)
    search = Fusion(COEFFICIENTS, n_candidates=n_candidates).search
    assert_finds(search(indexes_of(D), Q, None, k), *ranked(fused(Q, D), k))


@pytest.mark.parametrize("n_candidates", [1, 6, 12])
def test_the_first_view_finds_the_candidates_that_all_rank(n_candidates):
    D, Q = rows_of(60, 2), rows_of(9, 3)
    k = min(5, n_candidates)
    S, first = fused(Q, D), cosines(Q, D)[0]
    nearest = ranked(first, n_candidates)[0]
    candidates = np.full_like(S, -np.inf)
    np.put_along_axis(candidates, nearest, np.take_along_axis(S, nearest, axis=1), axis=1)
    expected = ranked(candidates, k)
    found = Fusion(COEFFICIENTS, n_candidates=n_candidates).search(indexes_of(D), Q, None, k)
    assert_finds(found, *expected)
    if n_candidates == 6:
        assert (expected[0] != ranked(S, k)[0]).any()  # so that the stages differ


def test_as_many_candidates_as_neighbours_at_least():
    D, Q = rows_of(60, 2), rows_of(9, 3)
    positions, _ = Fusion(COEFFICIENTS, n_candidates=2).search(indexes_of(D), Q, None, 20)
    nearest = ranked(cosines(Q, D)[0], 20)[0]
    assert_array_equal(np.sort(positions), np.sort(nearest))


def test_default_number_of_candidates(monkeypatch):
    D, Q = rows_of(600, 4), rows_of(3, 5)
    wanted = []
    indexes = indexes_of(D)
    search = indexes[0].backend.search
    monkeypatch.setattr(indexes[0].backend, "search", lambda Q, k: wanted.append(k) or search(Q, k))
    for k in (1, 10, 11, 25, 60):
        Fusion(COEFFICIENTS).search(indexes, Q, None, k)
    assert wanted == [200, 200, 220, 500, 600]


def test_a_view_of_weight_zero_or_without_an_answer_is_left_out():
    D, Q = rows_of(40, 0), rows_of(11, 1)
    expected = ranked(fused(Q, D, [0, 0.6, 0.4]), 5)
    assert_finds(Fusion(np.array([0, 0.6, 0.4])).search(indexes_of(D), Q, None, 5), *expected)
    silent = Fusion(COEFFICIENTS).search(indexes_of(D), [None, *Q[1:]], None, 5)
    assert_finds(silent, *expected)  # .3 and .2 of .5


@pytest.mark.parametrize("scored", ["sum", "rank"])
def test_a_query_is_answered_alike_in_every_batch(scored, monkeypatch):
    D, Q = rows_of(50, 6), rows_of(13, 7)
    indexes, search = indexes_of(D), Fusion(COEFFICIENTS, scored == "rank", 20).search
    positions, scores = search(indexes, Q, None, 4)
    alone = [search(indexes, [rows[i : i + 1] for rows in Q], None, 4) for i in range(13)]
    back = search(indexes, [rows[::-1] for rows in Q], None, 4)
    monkeypatch.setattr(module, "_BLOCK", 1)  # one query at a time
    blocks = search(indexes, Q, None, 4)
    for found in (
        [np.concatenate(part) for part in zip(*alone, strict=True)],
        [part[::-1] for part in back],
        blocks,
    ):
        assert_finds(found, positions, scores)


def test_equal_scores_come_in_the_order_of_the_documents():
    rng = np.random.default_rng(8)
    # Cosines to such rows are single numbers of the query, so that copies tie to the last bit.
    places = rng.integers(0, 3, 30)
    D = [np.eye(width, dtype=np.float32)[places] for width in WIDTHS]
    Q = rows_of(6, 9)
    for k in (1, 4, 30):
        for by_rank in (False, True):
            positions, _ = Fusion(COEFFICIENTS, by_rank).search(indexes_of(D), Q, None, k)
            for row in positions:
                assert all((np.diff(row[places[row] == i]) > 0).all() for i in range(3))


def reciprocal_ranks(Q, D, coefficients, n_candidates):
    out = np.zeros((len(Q[0]), len(D[0])))
    for S, c in zip(cosines(Q, D), coefficients, strict=True):
        order = ranked(S, n_candidates)[0]
        for i, row in enumerate(order):
            out[i, row] += c / (60 + np.arange(1, n_candidates + 1))
    return out


@pytest.mark.parametrize("n_candidates", [8, 40])
def test_reciprocal_rank_fusion(n_candidates):
    D, Q = rows_of(40, 10), rows_of(12, 11)
    expected = reciprocal_ranks(Q, D, COEFFICIENTS, n_candidates)
    positions, scores = Fusion(COEFFICIENTS, True, n_candidates).search(indexes_of(D), Q, None, 8)
    assert_allclose(scores, ranked(expected, 8)[1], rtol=4 * ERROR)
    assert_allclose(np.take_along_axis(expected, positions, axis=1), scores, rtol=4 * ERROR)


def test_products_of_joined_rows_are_fused_cosines():
    D, Q = rows_of(30, 12), rows_of(10, 13)
    for coefficients in (COEFFICIENTS, np.array([0.0, 1, 0]), np.array([0.7, 0, 0.3])):
        joined = Joined(Fusion(coefficients), indexes_of(D))
        rows, queries = joined.rows(D), joined.rows(Q)
        assert rows.shape == (30, sum(WIDTHS))
        expected = fused(Q, D, coefficients)
        assert_allclose(queries @ rows.T, expected, rtol=0, atol=ERROR)
        assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=8 * ERROR)
        assert_finds(joined.search(queries, 30), *ranked(expected, 30))


@pytest.mark.parametrize("scoring", SCORINGS[1:])
def test_hubness_of_fused_cosines(scoring, monkeypatch):
    monkeypatch.setattr(module, "_JOINED", 7)  # so that documents are joined in parts
    D, Q, bank = rows_of(50, 14), rows_of(12, 15), rows_of(25, 16)
    fusion, indexes = Fusion(COEFFICIENTS, n_candidates=50), indexes_of(D)
    joined = Joined(fusion, indexes)
    hubness = Hubness.of_bank(joined.rows(bank), scoring=scoring, n_neighbors=4, temperature=0.2)
    joined.append_to(hubness)
    fusion.hubness = hubness
    roots = np.sqrt(COEFFICIENTS)
    whole = [
        np.hstack([root * unit(rows) for root, rows in zip(roots, part, strict=True)])
        for part in (Q, D, bank)
    ]
    right = reference(scoring, *whole, 4, 0.2)
    for k in (1, 9):
        positions, scores = fusion.search(indexes, Q, None, k)
        assert_array_equal(positions, right.order[:, :k])
        assert_distances(1 - scores, right.scores[:, :k], 2 * right.error[:, :k])


def test_coefficients_are_weights_over_spreads():
    weights, spreads = np.array([1.0, 2, 1]), np.array([0.1, 0.2, 0.05])
    assert_allclose(coefficients_of(weights, spreads), [0.25, 0.25, 0.5], rtol=1e-12)
    assert_allclose(coefficients_of(weights, spreads, True), [0.25, 0.5, 0.25], rtol=1e-12)
    for by_rank in (False, True):
        constant = coefficients_of(weights, np.array([0.1, 0.0, 0.1]), by_rank)
        assert_allclose(constant, [0.5, 0, 0.5], rtol=1e-12)
        nothing = coefficients_of(weights, np.array([1e-9, 0.0, 0]), by_rank)
        assert_allclose(nothing, [0.25, 0.5, 0.25], rtol=1e-12)
        only = coefficients_of(np.array([0.0, 1, 0]), np.array([0.1, 0, 0.1]), by_rank)
        assert_allclose(only, [0, 1, 0], rtol=1e-12)


def test_spread_is_the_standard_deviation_of_cosines():
    Q, D = rows_of(9, 17)[0], rows_of(30, 18)[0]
    assert_allclose(spread_of(Q, D), np.std(unit(Q) @ unit(D).T), rtol=8 * ERROR)


def test_united_positions():
    found = united(np.array([[3, 1, -1], [4, 5, 6]]), np.array([[1, 2], [6, -1]]))
    assert [sorted({*row} - {-1}) for row in found.tolist()] == [[1, 2, 3], [4, 5, 6]]
    assert [np.count_nonzero(row >= 0) for row in found] == [3, 3]
