"""Tests of rank and hub metrics, against slow references and values worked out by hand."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy.stats import skew
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

from langalign_sk.metrics import (
    _core,
    hubness,
    hubness_score,
    k_occurrence,
    mean_reciprocal_rank_score,
    ndcg_retrieval_score,
    reciprocity_score,
    retrieval_recall_score,
    retrieval_scores,
    xsim_error,
)

SIMILARITIES = ["cosine", "csls", "margin"]
DIRECTIONS = ["both", "forward", "backward"]


def cosines(X, Y):
    return np.inner(X, Y) / np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(Y, axis=1))


def margins(X, Y, kind, k):
    """Artetxe and Schwenk (2019), one pair of rows at a time."""
    S = cosines(X, Y)
    out = np.empty_like(S)
    for i, j in np.ndindex(S.shape):
        b = sum(sorted(S[i])[-k:]) / (2 * k) + sum(sorted(S[:, j])[-k:]) / (2 * k)
        assert b > 0.01  # where the ratio has a meaning
        out[i, j] = {"ratio": S[i, j] / b, "distance": S[i, j] - b, "absolute": S[i, j]}[kind]
    return out


def similarities(X, Y, name):
    if name == "cosine":
        return cosines(X, Y)
    if name == "margin":
        return margins(X, Y, "ratio", min(4, len(Y)))
    return 2 * margins(X, Y, "distance", min(10, len(Y)))  # CSLS is twice the distance margin


def searches(S, direction):
    """The rows of similarities that are ranked."""
    return {"forward": [S], "backward": [S.T], "both": [S, S.T]}[direction]


def orders(row):
    """Every order of a row from the largest, its ties in all their orders."""
    row = np.round(row, 9)
    return [sorted(order, key=lambda j: -row[j]) for order in permutations(range(len(row)))]


def slow_places(S, groups, direction):
    """Of every search and every order of its ties: the places of all right answers, from 1."""
    return [
        [[order.index(j) + 1 for j in np.flatnonzero(groups == groups[i])] for order in orders(row)]
        for M in searches(S, direction)
        for i, row in enumerate(M)
    ]


def noisy_pairs(n, d, noise=0.7, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 1.5
    return X * rng.uniform(0.1, 9, size=(n, 1)), X + noise * rng.normal(size=(n, d))


def tied_rows(n, seed):
    """Rows on a coarse grid, so that many cosines tie, of different lengths."""
    rows = np.random.default_rng(seed).integers(0, 2, size=(n, 3))
    rows[:, 0] = 1
    return rows * np.arange(1.0, n + 1)[:, None]


@pytest.fixture(params=[7, 1024])
def block(request, monkeypatch):
    for module in (_core, hubness):
        monkeypatch.setattr(module, "BLOCK_ROWS", request.param)
    return request.param


# Recall


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("n", [3, 7, 30])
def test_recall_of_a_direction_equals_slow_reference(n, similarity, direction, block):
    X, Y = noisy_pairs(n, 4)
    found = [
        i in np.argsort(-row)[:2]
        for M in searches(similarities(X, Y, similarity), direction)
        for i, row in enumerate(M)
    ]
    got = retrieval_recall_score(X, Y, k=2, similarity=similarity, direction=direction)
    assert got == pytest.approx(np.mean(found))


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_both_is_the_mean_of_the_directions(similarity):
    X, Y = noisy_pairs(60, 3)
    for score in (retrieval_recall_score, mean_reciprocal_rank_score, ndcg_retrieval_score):
        both, forward, backward = (
            score(X, Y, similarity=similarity, direction=d) for d in DIRECTIONS
        )
        assert forward != backward
        assert both == pytest.approx((forward + backward) / 2)
        assert score(Y, X, similarity=similarity, direction="forward") == pytest.approx(backward)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_collapsed_map_is_no_better_than_a_guess(fill, similarity, direction):
    X, kwargs = np.full((4, 4), fill), {"similarity": similarity, "direction": direction}
    assert retrieval_recall_score(X, np.eye(4), **kwargs) == pytest.approx(1 / 4)
    assert mean_reciprocal_rank_score(X, np.eye(4), **kwargs) == pytest.approx(1 / 2.5)
    mean_discount = (1 + 1 / np.log2(3) + 1 / 2 + 1 / np.log2(5)) / 4
    assert ndcg_retrieval_score(X, np.eye(4), **kwargs) == pytest.approx(mean_discount)


def test_opposite_rows_are_not_near_by_margin():
    # All cosines are negative: -1 to the translation, -.6 to the other row. Both means are -.8,
    # and -1 / -.8 would be the larger ratio.
    Y = np.array([[1.0, 0.0], [0.6, 0.8]])
    assert retrieval_recall_score(-Y, Y, similarity="margin") == 0
    assert xsim_error(-Y, Y, k=2) == 1


# Mean reciprocal rank


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("n", [5, 7, 30])
def test_mrr_equals_label_ranking_precision(n, similarity, direction, block):
    X, Y = noisy_pairs(n, 4)
    S = similarities(X, Y, similarity)
    precisions = [
        label_ranking_average_precision_score(np.eye(n), M) for M in searches(S, direction)
    ]
    got = mean_reciprocal_rank_score(X, Y, similarity=similarity, direction=direction)
    assert got == pytest.approx(np.mean(precisions))


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("seed", range(6))
def test_mrr_of_ties_is_of_the_expected_first_place(seed, direction):
    X, Y = tied_rows(5, seed), tied_rows(5, seed + 50)
    first = [
        np.mean([min(places) for places in of_orders])
        for of_orders in slow_places(cosines(X, Y), _core.duplicate_groups(Y), direction)
    ]
    got = mean_reciprocal_rank_score(X, Y, direction=direction)
    assert got == pytest.approx(np.mean(1 / np.array(first)))


def test_mrr_by_hand():
    # Rows of X: the translation is 1st, ties for 1st and 2nd (expected 1.5), is 3rd.
    X = np.array([[9.0, 5.0, 4.0], [2.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    got = mean_reciprocal_rank_score(X, np.eye(3), direction="forward")
    assert got == pytest.approx((1 + 1 / 1.5 + 1 / 3) / 3)


def test_mrr_agrees_with_retrieval_scores():
    X, Y = noisy_pairs(80, 4)
    assert mean_reciprocal_rank_score(X, Y) == retrieval_scores(X, Y).mean_reciprocal_rank


# nDCG


@pytest.mark.parametrize("k", [None, 1, 3, 99])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_ndcg_equals_scikit_learn(similarity, direction, k, block):
    X, Y = noisy_pairs(30, 4)
    Y[[4, 9, 28]] = Y[2]
    Y[20] = Y[19]
    relevance = (Y[:, None] == Y).all(axis=2)
    assert relevance.sum() == 24 * 1 + 4 * 4 + 2 * 2
    S = np.round(similarities(X, Y, similarity), 9)
    expected = [ndcg_score(relevance, M, k=k) for M in searches(S, direction)]
    got = ndcg_retrieval_score(X, Y, k=k, similarity=similarity, direction=direction)
    assert got == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("k", [None, 1, 2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_ndcg_of_ties_equals_scikit_learn_and_all_orders(seed, k):
    X, Y = tied_rows(5, seed), tied_rows(5, seed + 50)
    Y[3] = Y[1]
    groups = _core.duplicate_groups(Y)
    S = np.round(cosines(X, Y), 9)
    relevance = groups[:, None] == groups
    expected = np.mean([ndcg_score(relevance, M, k=k) for M in (S, S.T)])
    assert ndcg_retrieval_score(X, Y, k=k) == pytest.approx(expected)

    kept = 5 if k is None else k
    by_orders = []
    for of_orders in slow_places(S, groups, "both"):
        gains = [sum(1 / np.log2(1 + p) for p in places if p <= kept) for places in of_orders]
        best = sum(1 / np.log2(1 + p) for p in range(1, min(kept, len(of_orders[0])) + 1))
        by_orders.append(np.mean(gains) / best)
    assert expected == pytest.approx(np.mean(by_orders))


def test_ndcg_by_hand():
    # Rows of X: the translation is 1st, ties for 1st and 2nd, is 3rd. Discounts 1, .63 and .5.
    X = np.array([[9.0, 5.0, 4.0], [2.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    second = np.log(2) / np.log(3)
    got = ndcg_retrieval_score(X, np.eye(3), direction="forward")
    assert got == pytest.approx((1 + (1 + second) / 2 + 0.5) / 3)
    got = ndcg_retrieval_score(X, np.eye(3), k=1, direction="forward")
    assert got == pytest.approx((1 + 0.5 + 0) / 3)


def test_ndcg_of_near_ties():
    # Row 0 finds both rows of Y at cosines that differ by 1e-9, the wrong one first.
    Y = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    X = np.array([[1.0, 1.0 + 1e-9, 1.0], [0.0, 1.0, 1.0]])
    expected = ((1 + 1 / np.log2(3)) / 2 + 1) / 2
    assert ndcg_retrieval_score(X, Y, direction="forward") == pytest.approx(expected)


def test_one_pair_and_one_translation_of_all():
    assert ndcg_retrieval_score([[1.0, 2.0]], [[2.0, 1.0]]) == 1
    X, _ = noisy_pairs(20, 3)
    Y = np.tile([1.0, 0.0, 2.0], (20, 1))
    assert ndcg_retrieval_score(X, Y) == pytest.approx(1)
    assert ndcg_retrieval_score(X, Y, k=3) == pytest.approx(1)
    assert mean_reciprocal_rank_score(X, Y) == 1


# xsim


@pytest.mark.parametrize("margin", ["ratio", "distance", "absolute"])
@pytest.mark.parametrize(("n", "k"), [(4, 4), (9, 1), (30, 4), (30, 12)])
def test_xsim_equals_slow_reference(n, k, margin, block):
    X, Y = noisy_pairs(n, 3, noise=1.0)
    wrong = margins(X, Y, margin, k).argmax(axis=1) != np.arange(n)
    assert 0 < wrong.mean() < 1
    assert xsim_error(X, Y, margin=margin, k=k) == pytest.approx(wrong.mean())


def test_xsim_discounts_a_hub():
    # Every X_i = e_i + .4 has cosine .90 with the last row of Y, .63 with Y_i = e_i and .18 with
    # the others. The mean of the 4 nearest is .47 for X_i, .92 for the last row of Y and .30 for
    # Y_i. Ratios: .90 / .70 < .63 / .39. Distances: .90 - .70 < .63 - .39.
    X, Y = np.eye(21, 20), np.eye(21, 20)
    X[:20] += 0.4
    X[20] = Y[20] = 1
    assert xsim_error(X, Y, margin="absolute") == pytest.approx(20 / 21)
    assert xsim_error(X, Y, margin="distance") == 0
    assert xsim_error(X, Y) == 0


@pytest.mark.parametrize("margin", ["ratio", "distance", "absolute"])
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_xsim_of_a_collapsed_map_and_of_copies(fill, margin):
    assert xsim_error(np.full((5, 5), fill), np.eye(5), margin=margin) == pytest.approx(4 / 5)
    assert xsim_error(np.eye(5), np.ones((5, 5)), margin=margin) == 0  # each is a right answer


def test_absolute_xsim_takes_fewer_rows_than_neighbours():
    assert xsim_error(np.eye(2), [[1.0, 2.0], [1.0, 2.5]], margin="absolute") == 0
    assert xsim_error([[1.0, 2.0], [1.0, 2.5]], np.eye(2), margin="absolute") == 1 / 2


def test_xsim_agrees_with_recall():
    X, Y = noisy_pairs(50, 4)
    for margin, similarity in (("ratio", "margin"), ("absolute", "cosine")):
        recall = retrieval_recall_score(X, Y, similarity=similarity, direction="forward")
        assert xsim_error(X, Y, margin=margin) == pytest.approx(1 - recall)
    csls = retrieval_recall_score(X, Y, similarity="csls", direction="forward")
    assert xsim_error(X, Y, margin="distance", k=10) == pytest.approx(1 - csls)


# Reciprocity


@pytest.mark.parametrize(("n_X", "n_Y"), [(1, 1), (6, 6), (30, 9), (9, 30)])
def test_reciprocity_equals_slow_reference(n_X, n_Y, block):
    X, Y = noisy_pairs(30, 3)
    S = cosines(X, Y)[:n_X, :n_Y]
    mutual = [S[:, row.argmax()].argmax() == i for i, row in enumerate(S)]
    assert reciprocity_score(X[:n_X], Y[:n_Y]) == pytest.approx(np.mean(mutual))


@pytest.mark.parametrize("size", [2, 1024])
@pytest.mark.parametrize("seed", range(6))
def test_reciprocity_of_ties_is_the_mean_of_all_choices(seed, size, monkeypatch):
    monkeypatch.setattr(hubness, "BLOCK_ROWS", size)
    X, Y = tied_rows(3, seed), tied_rows(4, seed + 50)
    S = np.round(cosines(X, Y), 9)
    of_rows = [np.flatnonzero(row == row.max()) for row in S]
    of_columns = [np.flatnonzero(column == column.max()) for column in S.T]
    shares = [
        np.mean([column[row[i]] == i for i in range(3)])
        for row in product(*of_rows)
        for column in product(*of_columns)
    ]
    assert reciprocity_score(X, Y) == pytest.approx(np.mean(shares))


def test_reciprocity_by_hand():
    # Rows 0 and 1 of X both take Y_0, which takes row 0; row 2 takes Y_1, which takes row 2.
    X = np.array([[1.0, 0.0], [1.0, 0.1], [0.1, 1.0]])
    assert reciprocity_score(X, np.eye(2)) == pytest.approx(2 / 3)
    assert reciprocity_score(np.eye(2), X) == 1
    # All tie: each of 4 rows takes one of 3, which takes that row in 1 of 4 cases.
    assert reciprocity_score(np.ones((4, 2)), np.ones((3, 2))) == pytest.approx(1 / 4)


def test_reciprocity_needs_no_gold_pairs():
    X, Y = noisy_pairs(40, 4)
    order = np.random.default_rng(1).permutation(40)
    assert reciprocity_score(X, Y[order]) == pytest.approx(reciprocity_score(X, Y))
    assert 40 * reciprocity_score(X, Y[:25]) == pytest.approx(25 * reciprocity_score(Y[:25], X))


# Hubs


@pytest.mark.parametrize("similarity", ["cosine", "csls"])
@pytest.mark.parametrize("k", [1, 3, 12])
def test_k_occurrence_equals_slow_reference(k, similarity, block):
    X, Y = noisy_pairs(30, 4)
    Y = Y[:12]
    S = cosines(X, Y)
    if similarity == "csls":
        S = 2 * margins(X, Y, "distance", 10)
    expected = np.zeros(12)
    for row in S:
        for j in np.argsort(-row)[:k]:
            expected[j] += 1
    counts = k_occurrence(X, Y, k=k, similarity=similarity)
    assert counts.dtype == np.float64
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("size", [2, 1024])
@pytest.mark.parametrize("k", [1, 2, 4, 5])
@pytest.mark.parametrize("seed", range(4))
def test_k_occurrence_of_ties_is_the_mean_of_all_orders(seed, k, size, monkeypatch):
    monkeypatch.setattr(hubness, "BLOCK_ROWS", size)
    X, Y = tied_rows(6, seed), tied_rows(5, seed + 50)
    expected = np.zeros(5)
    for row in cosines(X, Y):
        of_orders = [np.isin(range(5), order[:k]) for order in orders(row)]
        expected += np.mean(of_orders, axis=0)
    counts = k_occurrence(X, Y, k=k)
    np.testing.assert_allclose(counts, expected)
    assert counts.sum() == pytest.approx(6 * k)


def test_k_occurrence_by_hand():
    # Cosines of the rows of X with the rows of Y: (3, 2, 1, 0), and (1, 1, 1, 0) of one length.
    X = np.array([[3.0, 2.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0]])
    np.testing.assert_allclose(k_occurrence(X, np.eye(4), k=2), [5 / 3, 5 / 3, 2 / 3, 0])
    np.testing.assert_allclose(k_occurrence(X, np.eye(4), k=4), [2, 2, 2, 2])


def test_hubness_is_the_skewness_of_the_counts():
    X, Y = noisy_pairs(50, 30)
    counts = np.bincount(np.argsort(-cosines(X, Y))[:, :5].ravel(), minlength=50)
    assert hubness_score(X, Y, k=5) == pytest.approx(skew(counts))
    centred = counts - counts.mean()
    by_formula = np.mean(centred**3) / np.mean(centred**2) ** 1.5
    assert hubness_score(X, Y, k=5) == pytest.approx(by_formula)


def test_csls_removes_a_hub():
    # The hub of `test_xsim_discounts_a_hub` is the nearest of all 21 rows, itself included. The
    # skewness is that of a coin that shows heads once in 21 throws.
    X, Y = np.eye(21, 20), np.eye(21, 20)
    X[:20] += 0.4
    X[20] = Y[20] = 1
    assert k_occurrence(X, Y, k=1).tolist() == [0] * 20 + [21]
    p = 1 / 21
    assert hubness_score(X, Y, k=1) == pytest.approx((1 - 2 * p) / np.sqrt(p * (1 - p)))
    assert k_occurrence(X, Y, k=1, similarity="csls").tolist() == [1] * 21
    assert hubness_score(X, Y, k=1, similarity="csls") == 0


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_hubness_of_equal_counts_is_zero(k):
    # Ties leave counts that are equal but for rounding.
    assert hubness_score(np.ones((30, 7)), np.eye(7), k=k) == 0


# Input


@pytest.mark.parametrize(
    "score",
    [
        lambda X, Y: retrieval_recall_score(X, Y, similarity="margin"),
        mean_reciprocal_rank_score,
        ndcg_retrieval_score,
        xsim_error,
        reciprocity_score,
        hubness_score,
    ],
)
def test_float32_scores_as_float64(score):
    X, Y = noisy_pairs(200, 6)
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    result = score(X, Y)
    assert type(result) is float
    assert result == pytest.approx(score(X.astype(np.float64), Y.astype(np.float64)), abs=0.01)


def test_float32_copies_of_one_row_tie():
    # Products of one row at several places of a matrix differ in the last place of float32.
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(40, 512)), 30, axis=0).astype(np.float32)
    assert ndcg_retrieval_score(X, X) == pytest.approx(1)
    assert xsim_error(X, X) == 0
    assert reciprocity_score(X, X) == pytest.approx(1 / 30)
    np.testing.assert_allclose(k_occurrence(X, X, k=10), 10)
    assert hubness_score(X, X, k=10) == 0


PAIRED = [
    retrieval_recall_score,
    mean_reciprocal_rank_score,
    ndcg_retrieval_score,
    xsim_error,
]
FREE = [reciprocity_score, k_occurrence, hubness_score]


@pytest.mark.parametrize("score", [*PAIRED, *FREE])
@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        (np.eye(12), np.eye(12, 5), "X has width 12 and Y has width 5.*Map one side"),
        (np.full((12, 3), np.nan), np.eye(12, 3), "Input X contains NaN"),
        (np.eye(12, 3), np.full((12, 3), np.inf), "Input Y contains infinity"),
        (np.ones(3), np.eye(12, 3), "Expected 2D array, got 1D"),
        (np.empty((0, 3)), np.empty((0, 3)), "0 sample"),
    ],
)
def test_bad_embeddings(score, X, Y, message):
    with pytest.raises(ValueError, match=message):
        score(X, Y)


@pytest.mark.parametrize("score", PAIRED)
def test_pairs_of_two_lengths(score):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        score(np.eye(12), np.eye(12)[:11])


@pytest.mark.parametrize(
    ("score", "kwargs", "message"),
    [
        (retrieval_recall_score, {"direction": "up"}, "direction must be .*'backward'.* got 'up'"),
        (retrieval_recall_score, {"similarity": "dot"}, "similarity must be .*'margin'.*'dot'"),
        (retrieval_recall_score, {"k": 0}, "k must be at least 1, got 0"),
        (mean_reciprocal_rank_score, {"direction": "up"}, "direction must be .*got 'up'"),
        (mean_reciprocal_rank_score, {"similarity": "dot"}, "similarity must be .*got 'dot'"),
        (ndcg_retrieval_score, {"direction": "up"}, "direction must be .*got 'up'"),
        (ndcg_retrieval_score, {"similarity": "dot"}, "similarity must be .*got 'dot'"),
        (ndcg_retrieval_score, {"k": 0}, "k must be at least 1, got 0"),
        (xsim_error, {"margin": "cosine"}, "margin must be .*'absolute'.* got 'cosine'"),
        (xsim_error, {"k": 0}, "k must be at least 1, got 0"),
        (xsim_error, {"k": 13}, "k must be at most 12, the rows of Y, got 13. Lower k"),
        (k_occurrence, {"similarity": "margin"}, "similarity must be .*'csls'.* got 'margin'"),
        (k_occurrence, {"k": 0}, "k must be at least 1, got 0"),
        (k_occurrence, {"k": 13}, "k must be at most 12, the rows of Y, got 13. Lower k"),
        (hubness_score, {"similarity": "dot"}, "similarity must be .*got 'dot'"),
        (hubness_score, {"k": -1}, "k must be at least 1, got -1"),
        (hubness_score, {"k": 13}, "k must be at most 12, the rows of Y, got 13. Lower k"),
    ],
)
def test_bad_settings(score, kwargs, message):
    with pytest.raises(ValueError, match=message):
        score(np.eye(12), np.eye(12), **kwargs)
