"""Tests of the retrieval metrics, against slow references and values worked out by hand."""

from itertools import permutations

import numpy as np
import pytest

from langalign_sk.metrics._core import duplicate_groups, likelihood_and_recall, row_recall
from langalign_sk.metrics.pairs import retrieval_recall_score, retrieval_scores


def cosines(X, Y):
    return np.inner(X, Y) / np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(Y, axis=1))


def slow_recall(S, k=1):
    """Share of rows and columns whose diagonal entry is among their k largest, without ties."""
    hits = [i in np.argsort(-row)[:k] for M in (S, S.T) for i, row in enumerate(M)]
    return np.mean(hits)


def slow_csls(S):
    """Conneau et al. (2018), eq. 3, with 10 neighbours."""
    near_x = [np.mean(sorted(row)[-10:]) for row in S]
    near_y = [np.mean(sorted(column)[-10:]) for column in S.T]
    return np.array([2 * row - near - near_y for row, near in zip(S, near_x, strict=True)])


def expected_places(S, groups):
    """Of every row: the first place of a right answer, under every order of its ties."""
    places = []
    for i, row in enumerate(np.round(S, 9)):
        right = np.flatnonzero(groups == groups[i])
        orders = [sorted(order, key=lambda j: -row[j]) for order in permutations(range(len(row)))]
        places.append([min(order.index(j) for j in right) + 1 for order in orders])
    return np.array(places)


def noisy_pairs(n, d, noise=0.7, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 0.5
    return X * rng.uniform(0.1, 9, size=(n, 1)), X + noise * rng.normal(size=(n, d))


def tied_pairs(n, seed):
    """Rows on a coarse grid, so that many cosines tie, of different lengths."""
    rng = np.random.default_rng(seed)
    X, Y = rng.integers(0, 2, size=(2, n, 3))
    X[:, 0] = Y[:, 0] = 1
    lengths = np.arange(1.0, n + 1)[:, None]
    return X * lengths, Y * lengths


@pytest.mark.parametrize("k", [1, 2, 5, 40])
@pytest.mark.parametrize("n", [1, 2, 7, 60])
def test_recall_equals_slow_reference(n, k):
    X, Y = noisy_pairs(n, 4)
    expected = slow_recall(cosines(X, Y), k)
    assert retrieval_recall_score(X, Y, k=k) == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("n", [5, 11, 60])  # 5: fewer rows than neighbours
def test_csls_equals_slow_reference(n, k):
    X, Y = noisy_pairs(n, 4)
    expected = slow_recall(slow_csls(cosines(X, Y)), k)
    assert retrieval_recall_score(X, Y, k=k, similarity="csls") == pytest.approx(expected)


def test_csls_discounts_a_hub():
    # Every X_i = e_i + .4 is nearer to the last row of Y (cosine .9) than to Y_i = e_i (.63), but
    # the last row is so near to all: 1.80 - .91 is less than 1.25 - .23. Y -> X finds every row.
    X, Y = np.eye(21, 20), np.eye(21, 20)
    X[:20] += 0.4
    X[20] = Y[20] = 1
    assert retrieval_recall_score(X, Y) == pytest.approx((1 / 21 + 1) / 2)
    assert retrieval_recall_score(X, Y, similarity="csls") == 1


@pytest.mark.parametrize("similarity", ["cosine", "csls"])
def test_more_rows_than_one_block_equal_slow_reference(similarity):
    X, Y = noisy_pairs(1500, 8, noise=0.4)
    S = cosines(X, Y)
    S = S if similarity == "cosine" else slow_csls(S)
    got = retrieval_recall_score(X, Y, k=2, similarity=similarity)
    assert got == pytest.approx(slow_recall(S, k=2))


def test_scores_of_more_rows_than_one_block():
    X, Y = noisy_pairs(1500, 8, noise=0.4)
    S = cosines(X, Y)
    ranks = [np.count_nonzero(M[i] >= M[i, i]) for M in (S, S.T) for i in range(len(M))]
    scores = retrieval_scores(X, Y)
    assert scores.recall_at_1 == pytest.approx(np.mean(np.equal(ranks, 1)))
    assert scores.mean_reciprocal_rank == pytest.approx(np.mean(1 / np.array(ranks)))
    assert scores.csls_recall_at_1 == pytest.approx(slow_recall(slow_csls(S)))


@pytest.mark.parametrize("n", [1500, 300])
def test_one_translation_of_many_rows(n):
    X, Y = noisy_pairs(n, 8)
    Y[n // 2 :] = Y[: n - n // 2]
    groups = np.arange(n) % (n // 2)
    S = cosines(X, Y)
    hits = []
    for M in (S, S.T):
        for i, row in enumerate(M):
            right = groups == groups[i]
            hits.append(row[right].max() >= row[~right].max())
    assert retrieval_recall_score(X, Y) == pytest.approx(np.mean(hits))


def test_recall_counts_every_row_of_one_translation():
    X = np.array([[1, 0.1], [1, 0.2], [1, 0.3], [1, 0.4]])
    Y = np.tile([1.0, 0.0], (4, 1))
    assert np.mean(cosines(X, Y).argmax(axis=1) == range(4)) == 0.25  # what it is not
    assert retrieval_recall_score(X, Y) == 1
    assert retrieval_scores(X, Y).mean_reciprocal_rank == 1


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_ties_count_in_expectation(seed, k):
    X, Y = tied_pairs(5, seed)
    S = cosines(X, Y)
    places = np.vstack([expected_places(M, np.arange(5)) for M in (S, S.T)])
    assert retrieval_recall_score(X, Y, k=k) == pytest.approx(np.mean(places <= k))
    expected = np.mean(1 / places.mean(axis=1))
    assert retrieval_scores(X, Y).mean_reciprocal_rank == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(8))
def test_ties_of_rows_with_several_right_answers(seed):
    X, Y = tied_pairs(5, seed)
    groups = np.array([0, 1, 0, 2, 1])
    S = cosines(X, Y)
    places = np.vstack([expected_places(M, groups) for M in (S, S.T)])
    scores = retrieval_scores(X, Y, groups=groups)
    assert scores.recall_at_1 == pytest.approx(np.mean(places == 1))
    expected = np.mean(1 / places.mean(axis=1))
    assert scores.mean_reciprocal_rank == pytest.approx(expected)


@pytest.mark.parametrize(("k", "expected"), [(1, 1 / 4), (2, 2 / 4), (4, 1), (9, 1)])
def test_all_tied(k, expected):
    X = np.outer([1, 2, 3, 4], np.ones(4))  # one direction, four lengths
    assert retrieval_recall_score(X, np.eye(4), k=k) == pytest.approx(expected)
    assert retrieval_recall_score(np.eye(4), X, k=k) == pytest.approx(expected)


def test_all_tied_scores():
    scores = retrieval_scores(np.outer([1, 2, 3, 4], np.ones(4)), np.eye(4))
    assert scores.recall_at_1 == pytest.approx(1 / 4)
    assert scores.csls_recall_at_1 == pytest.approx(1 / 4)
    assert scores.mean_reciprocal_rank == pytest.approx(1 / 2.5)  # the expected place is 2.5
    assert scores.mean_cosine == pytest.approx(1 / 2)


def test_mean_reciprocal_rank_by_hand():
    # X -> Y: row 0 is 1st, row 1 ties with one other for places 1 and 2, row 2 is 3rd.
    # Y -> X: row 0 is 1st, row 1 is 2nd behind row 0, row 2 is 3rd.
    Y = np.eye(3)
    X = np.array([[9.0, 5.0, 4.0], [2.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    lengths = np.linalg.norm(X, axis=1)
    columns = [np.argsort(-X[:, j] / lengths).tolist() for j in range(3)]
    assert [c.index(j) + 1 for j, c in enumerate(columns)] == [1, 1, 3]
    forward, back = [1, 1 / 1.5, 1 / 3], [1, 1, 1 / 3]
    expected = np.mean(forward + back)
    assert retrieval_scores(X, Y).mean_reciprocal_rank == pytest.approx(expected)


def test_scores_agree_with_recall_and_slow_cosine():
    X, Y = noisy_pairs(80, 5)
    scores = retrieval_scores(X, Y)
    assert scores.recall_at_1 == retrieval_recall_score(X, Y)
    assert scores.csls_recall_at_1 == retrieval_recall_score(X, Y, similarity="csls")
    assert scores.mean_cosine == pytest.approx(np.diag(cosines(X, Y)).mean())
    assert {type(v) for v in vars(scores).values()} == {float}


def test_both_directions_count_alike():
    X, Y = noisy_pairs(50, 4)
    assert retrieval_recall_score(X, Y) == retrieval_recall_score(Y, X)


def test_one_group_of_all_rows_is_always_right():
    X, Y = noisy_pairs(20, 3, noise=9)
    scores = retrieval_scores(X, Y, groups=np.zeros(20, dtype=int))
    assert (scores.recall_at_1, scores.mean_reciprocal_rank) == (1, 1)


@pytest.mark.parametrize("similarity", ["cosine", "csls"])
def test_float32_scores_as_float64(similarity):
    X, Y = noisy_pairs(200, 6)
    exact = retrieval_recall_score(X, Y, similarity=similarity)
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    score = retrieval_recall_score(X, Y, similarity=similarity)
    assert type(score) is float
    assert score == pytest.approx(exact, abs=0.01)


def test_float32_copies_of_one_row_are_right_answers():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(40, 512)), 30, axis=0).astype(np.float32)
    assert retrieval_recall_score(X, X) == 1


def test_rows_of_zeros_tie_with_all():
    # The row of zeros is found by chance, and both ways: (1/2 + 1 + 1/2 + 1) / 4.
    assert retrieval_recall_score([[0.0, 0.0], [0.0, 1.0]], np.eye(2)) == 0.75


def test_lists_and_integers_are_taken():
    assert retrieval_recall_score([[1, 0], [0, 1]], [[2, 1], [1, 2]]) == 1


@pytest.mark.parametrize(
    ("X", "Y", "kwargs", "message"),
    [
        (np.eye(3), np.eye(3), {"k": 0}, "k must be at least 1, got 0"),
        (np.eye(3), np.eye(3), {"similarity": "dot"}, "similarity must be .* got 'dot'"),
        (np.eye(3), np.eye(3)[:2], {}, "inconsistent numbers of samples"),
        (np.eye(3), np.eye(3)[:, :2], {}, "X has width 3 and Y has width 2"),
        (np.full((3, 3), np.nan), np.eye(3), {}, "Input X contains NaN"),
        (np.eye(3), np.full((3, 3), np.inf), {}, "Input Y contains infinity"),
        (np.ones(3), np.eye(3), {}, "Expected 2D array, got 1D"),
        (np.empty((0, 3)), np.empty((0, 3)), {}, "0 sample"),
    ],
)
def test_errors(X, Y, kwargs, message):
    with pytest.raises(ValueError, match=message):
        retrieval_recall_score(X, Y, **kwargs)
    if not kwargs:
        with pytest.raises(ValueError, match=message):
            retrieval_scores(X, Y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_duplicate_groups_are_connected(dtype):
    # Rows 0 and 2 agree in A, rows 2 and 4 in B, so 0, 2 and 4 belong together; -0.0 equals 0.0.
    A = np.array([[0, 1], [2, 2], [-0.0, 1], [3, 3], [4, 4], [5, 5]], dtype=dtype)
    B = np.array([[1, 1], [2, 2], [9, 9], [3, 3], [9, 9], [2, 3]], dtype=dtype)
    assert duplicate_groups(A, B).tolist() == [0, 1, 0, 2, 0, 3]
    assert duplicate_groups(A).tolist() == [0, 1, 0, 2, 3, 4]


def test_duplicate_groups_of_distinct_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    assert duplicate_groups(X, X[::-1]).tolist() == list(range(3000))
    # A permutation of the columns is another row.
    assert duplicate_groups(np.array([[1.0, 2.0], [2.0, 1.0]])).tolist() == [0, 1]


@pytest.mark.parametrize("width", [15, 16, 17, 100])
def test_duplicate_groups_look_at_every_column(width):
    X = np.random.default_rng(0).normal(size=(width + 2, width))
    for column in range(width):  # rows that differ from the first in one column
        X[column + 1] = X[0] + (np.arange(width) == column)
    X[-1] = X[2]
    assert duplicate_groups(X).tolist() == [*range(width + 1), 2]


def test_row_recall_averages_both_directions():
    # X -> Y finds row 0 only; Y -> X finds both.
    X, Y = np.array([[1.0, 0.0], [1.0, 0.9]]), np.array([[1.0, 0.1], [-1.0, 2.0]])
    S = cosines(X, Y)
    assert S.argmax(axis=1).tolist() == [0, 0]
    assert S.argmax(axis=0).tolist() == [0, 1]
    assert row_recall(X, Y, np.arange(2)).tolist() == [1, 0.5]


@pytest.mark.parametrize("groups", [[0, 1, 2, 3, 4, 5], [0, 1, 0, 2, 1, 0]])
def test_row_log_likelihood_equals_slow_softmax(groups):
    X, Y = noisy_pairs(6, 3)
    groups = np.array(groups)
    E = np.exp(cosines(X, Y) / 0.1)
    expected = [
        np.mean([np.log(M[i, groups == groups[i]].sum() / M[i].sum()) for M in (E, E.T)])
        for i in range(6)
    ]
    np.testing.assert_allclose(likelihood_and_recall(X, Y, groups, 0.1)[0], expected)


@pytest.mark.parametrize("similarity", ["cosine", "csls"])
def test_collapsed_map_is_no_better_than_a_guess(similarity):
    score = retrieval_recall_score(np.ones((4, 4)), np.eye(4), similarity=similarity)
    assert score == pytest.approx(1 / 4)
    assert retrieval_scores(np.ones((4, 4)), np.eye(4)).recall_at_1 == pytest.approx(1 / 4)


def test_groups_of_texts():
    groups = duplicate_groups(np.array(["a", "b", "a"]), np.array(["x", "y", "z"]))
    assert groups[0] == groups[2] != groups[1]
