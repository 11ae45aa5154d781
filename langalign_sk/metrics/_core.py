"""Unit rows, duplicate groups, cosines by blocks, ranks and held-out folds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, check_consistent_length

from .._utils.containers import embedding_rows
from .._utils.validation import check_choice

# Scores closer than this count as tied: the same vector multiplied at another place of a
# matrix product differs by a few units in the last place of float32.
TIE = 1e-6
BLOCK_ROWS, _PROBED = 1024, 16  # rows, columns
# Neighbours of the local scalings, as in their papers (see `retrieval_recall_score`).
_NEIGHBORS = {"csls": 10, "margin": 4}
# The ratio margin divides by a neighbourhood's mean cosine, which is 0 for a map to zeros.
_SMALLEST_NEIGHBORHOOD = 1e-3
_TEMPERATURES = (0.02, 0.03, 0.04, 0.06, 0.09, 0.13)
Similarity = Literal["cosine", "csls", "margin"]
Direction = Literal["both", "forward", "backward"]


def normalize_rows(X: NDArray) -> NDArray:
    """Scale rows to unit length; rows of zeros stay zero."""
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(norms == 0, 1, norms)


def duplicate_groups(*arrays: NDArray) -> NDArray[np.intp]:
    """Label rows so that rows equal in any of the arrays share a label.

    Two translations of one sentence are right answers for each other, and must not be split
    between training and held-out rows.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(arrays[0])
    all_labels = [_row_labels(array) for array in arrays]
    if all(labels.max() == n - 1 for labels in all_labels):
        return np.arange(n)
    rows, cols, start = [], [], n
    for labels in all_labels:
        rows.append(np.arange(n))
        cols.append(labels + start)
        start += n
    row, col = np.concatenate(rows), np.concatenate(cols)
    graph = coo_array((np.ones(len(row), dtype=np.int8), (row, col)), shape=(start, start))
    return np.unique(connected_components(graph, directed=False)[1][:n], return_inverse=True)[1]


def _row_labels(X: NDArray) -> NDArray[np.intp]:
    """Equal labels for equal texts, or for rows of equal bytes."""
    if X.ndim == 1:
        return np.unique(X, return_inverse=True)[1]
    # Most rows are told apart by a few of their columns; neighbouring ones are read at once.
    probe = _row_keys(X[:, :_PROBED])
    _, labels, counts = np.unique(probe, return_inverse=True, return_counts=True)
    alike = np.flatnonzero(counts[labels] > 1)
    if X.shape[1] > _PROBED and len(alike):
        labels[alike] = len(counts) + np.unique(_row_keys(X[alike]), return_inverse=True)[1]
        labels = np.unique(labels, return_inverse=True)[1]
    return labels


def _row_keys(X: NDArray) -> NDArray[np.uint64]:
    """A 64-bit hash of every row: a sum of its words, each times an odd random number."""
    # Adding 0.0 turns -0.0 into 0.0.
    words = np.ascontiguousarray(X + X.dtype.type(0)).view(np.uint32)
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 2**63, size=words.shape[1], dtype=np.uint64) * 2 + 1
    return np.concatenate(
        [
            words[i : i + BLOCK_ROWS].astype(np.uint64) @ factors
            for i in range(0, len(words), BLOCK_ROWS)
        ]
    )


class LocalScaling(NamedTuple):
    """Mean cosine of every row to its nearest rows of the other side, and how it counts."""

    rows: NDArray
    columns: NDArray
    ratio: bool = False


def local_scaling_of(
    A: NDArray, B: NDArray, similarity: str, k: int | None = None
) -> LocalScaling | None:
    if similarity == "cosine":
        return None
    k = _NEIGHBORS[similarity] if k is None else k
    return LocalScaling(
        mean_neighbor_cosine(A, B, k), mean_neighbor_cosine(B, A, k), ratio=similarity == "margin"
    )


def recall_and_reciprocal_rank(
    A: NDArray,
    B: NDArray,
    groups: NDArray,
    k: int,
    scaling: LocalScaling | None = None,
    direction: str = "both",
) -> tuple[NDArray, NDArray]:
    """Recall at k and reciprocal rank of every unit row, in one direction or the mean of both."""
    parts = [
        rank_translations(S, start, groups, k)
        for start, S in similarity_blocks(A, B, scaling, direction)
    ]
    recall, reciprocal = zip(*parts, strict=True)
    n = len(A)
    return (
        np.concatenate(recall).reshape(-1, n).mean(axis=0),
        np.concatenate(reciprocal).reshape(-1, n).mean(axis=0),
    )


def similarity_blocks(
    A: NDArray, B: NDArray, scaling: LocalScaling | None, direction: str
) -> Iterator[tuple[int, NDArray]]:
    """Similarities of the rows that look for their translation, with the first row's number.

    A block of rows at a time; after the last of one direction comes the first of the other.
    """
    n = len(A)
    if n <= BLOCK_ROWS:
        S = similarities(A, B, slice(None), scaling)
        if direction != "backward":
            yield 0, S
        if direction != "forward":
            yield 0, S.T
        return
    sides = []
    if direction != "backward":
        sides.append((A, B, scaling))
    if direction != "forward":
        sides.append((B, A, scaling and LocalScaling(scaling.columns, scaling.rows, scaling.ratio)))
    for Q, D, h in sides:
        for start in range(0, n, BLOCK_ROWS):
            yield start, similarities(Q, D, slice(start, start + BLOCK_ROWS), h)


def similarities(Q: NDArray, D: NDArray, rows: slice, scaling: LocalScaling | None) -> NDArray:
    S = Q[rows] @ D.T
    if scaling is None:
        return S
    if scaling.ratio:
        mean = (scaling.rows[rows, None] + scaling.columns[None, :]) / 2
        return S / np.maximum(mean, _SMALLEST_NEIGHBORHOOD)
    return 2 * S - scaling.rows[rows, None] - scaling.columns[None, :]


def rank_translations(S: NDArray, start: int, groups: NDArray, k: int) -> tuple[NDArray, NDArray]:
    """Recall at k and reciprocal rank of the rows of S, whose right answers lie on the diagonal.

    The diagonal begins at column `start`. Ties are broken at random in expectation, so that a
    map that sends everything to one point scores 1 / n and not 1; rows of one duplicate group
    are all right answers.
    """
    rows = np.arange(len(S))
    own = groups[start : start + len(S)]
    best = S[rows, rows + start].copy()
    repeated = np.bincount(groups)[own] > 1
    for i in np.flatnonzero(repeated):
        best[i] = S[i, groups == own[i]].max()
    reached = np.count_nonzero((best - TIE)[:, None] <= S, axis=1)
    better = np.zeros(len(S), dtype=np.intp)
    late = np.flatnonzero(reached > 1)
    if 4 * len(late) < len(S):
        better[late] = np.count_nonzero(S[late] > (best[late] + TIE)[:, None], axis=1)
    else:  # a copy of so many rows would take longer than they do
        better = np.count_nonzero((best + TIE)[:, None] < S, axis=1)
    tied = reached - better
    free = np.clip(k - better, 0, tied)
    hits, right = free / tied, np.ones(len(S))
    for i in np.flatnonzero(repeated):
        right[i] = np.count_nonzero(S[i, groups == own[i]] >= best[i] - TIE)
        # Chance that one of `right` is among the free places, drawn from `tied` without return.
        places = np.arange(free[i])
        hits[i] = 1 - np.prod(np.clip((tied[i] - right[i] - places) / (tied[i] - places), 0, 1))
    # The expected place of the first right answer among the tied ones.
    return hits, 1 / (better + (tied + 1) / (right + 1))


def mean_neighbor_cosine(Q: NDArray, D: NDArray, k: int) -> NDArray:
    """Mean cosine of every row of Q to its k nearest rows of D (Conneau et al., 2018, eq. 3)."""
    k = min(k, len(D))
    out = np.empty(len(Q), dtype=Q.dtype)
    for start in range(0, len(Q), BLOCK_ROWS):
        S = Q[start : start + BLOCK_ROWS] @ D.T
        out[start : start + BLOCK_ROWS] = np.partition(S, len(D) - k, axis=1)[:, len(D) - k :].mean(
            1
        )
    return out


def check_one_space(X_like: ArrayLike, Y_like: ArrayLike) -> tuple[NDArray, NDArray]:
    X: NDArray = check_array(embedding_rows(X_like), dtype=[np.float64, np.float32], input_name="X")
    Y: NDArray = check_array(
        embedding_rows(Y_like, "Y"), dtype=[np.float64, np.float32], input_name="Y"
    )
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"X has width {X.shape[1]} and Y has width {Y.shape[1]}: retrieval compares rows of one "
            "space. Map one side with a fitted aligner first."
        )
    return X, Y


def check_pairs(X_like: ArrayLike, Y_like: ArrayLike) -> tuple[NDArray, NDArray]:
    X, Y = check_one_space(X_like, Y_like)
    check_consistent_length(X, Y)
    return X, Y


def check_k(k: int, n_rows: int | None = None) -> None:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")
    if n_rows is not None and k > n_rows:
        raise ValueError(f"k must be at most {n_rows}, the rows of Y, got {k}. Lower k.")


def prepare_pairs(
    X_like: ArrayLike, Y_like: ArrayLike, similarity: str, direction: str
) -> tuple[NDArray, NDArray, NDArray[np.intp], LocalScaling | None]:
    """Checked unit rows of both sides, the groups of right answers, and the scaling."""
    check_choice("similarity", similarity, get_args(Similarity))
    check_choice("direction", direction, get_args(Direction))
    X, Y = check_pairs(X_like, Y_like)
    A, B = normalize_rows(X), normalize_rows(Y)
    return A, B, duplicate_groups(Y), local_scaling_of(A, B, similarity)


def row_recall(X: NDArray, Y: NDArray, groups: NDArray[np.intp]) -> NDArray:
    """Recall at 1 of every row by cosine, the mean of both directions."""
    return recall_and_reciprocal_rank(normalize_rows(X), normalize_rows(Y), groups, 1)[0]


def likelihood_and_recall(
    X: NDArray, Y: NDArray, groups: NDArray[np.intp], temperature: float | None = None
) -> tuple[NDArray, NDArray]:
    """Log-likelihood and recall at 1 of every row, from one matrix of cosines.

    The likelihood is the probability that a row retrieves its translation: the softmax of
    cosine / temperature over the pool (the InfoNCE objective of van den Oord, Li and Vinyals, arXiv
    1807.03748, held out). It goes on telling maps apart where recall at 1 is close to 1 for all.
    Both are means of the two directions.

    Parameters
    ----------
    X, Y : ndarray of shape (n_pairs, n_features)
        Rows of one space. The matrix of all cosines has to fit into memory.
    groups : ndarray of shape (n_pairs,), dtype int
        Rows with one label are right answers for each other.
    temperature : float, default=None
        None takes the temperature that suits the rows best: maps differ in how far apart they
        put rows, which a fixed temperature would count for or against them.

    Returns
    -------
    log_likelihood : ndarray of shape (n_pairs,)
        Of every row.
    recall : ndarray of shape (n_pairs,)
        Of every row.
    """
    S = normalize_rows(X) @ normalize_rows(Y).T
    recall = np.mean([rank_translations(side, 0, groups, 1)[0] for side in (S, S.T)], axis=0)
    if temperature is not None:
        return _log_likelihood(S, groups, temperature, out=S), recall
    room = np.empty_like(S)
    tried = [_log_likelihood(S, groups, t, out=room) for t in _TEMPERATURES]
    return max(tried, key=lambda values: float(values.mean())), recall


def _log_likelihood(
    S: NDArray, groups: NDArray[np.intp], temperature: float, out: NDArray
) -> NDArray:
    E = np.divide(S, S.dtype.type(temperature), out=out)
    np.exp(E, out=E)
    right_row = np.diag(E).copy()
    right_col = right_row.copy()
    for i in np.flatnonzero(np.bincount(groups)[groups] > 1):
        same = groups == groups[i]
        right_row[i], right_col[i] = E[i, same].sum(), E[same, i].sum()
    return np.log(right_row / E.sum(1)) / 2 + np.log(right_col / E.sum(0)) / 2


N_FOLDS = 5
# Above this many pairs one held-out pool is as telling as five folds, at a fifth of the cost.
MAX_CROSS_FIT = 5_000
POOL_OF_FOLDS = 2_000
# Where nearly every translation is found, fewer held-out rows leave the choice to chance
# (`python -m benchmarks grid`).
POOL_OF_ONE = 1_000


def held_out_folds(
    groups: NDArray[np.intp],
    random_state: np.random.RandomState,
    pool_of_one: int = POOL_OF_ONE,
) -> list[NDArray[np.intp]] | None:
    """Folds of rows that share no duplicate group with the rows outside the fold."""
    n_groups = int(groups.max()) + 1
    if n_groups < 2 * N_FOLDS:
        return None
    place = random_state.permutation(n_groups)[groups]
    n_folds, size = (N_FOLDS, POOL_OF_FOLDS) if len(groups) <= MAX_CROSS_FIT else (1, pool_of_one)
    filled = np.cumsum(np.bincount(place))
    last = max(n_folds, int(np.searchsorted(filled, size)))
    return [np.flatnonzero((place < last) & (place % n_folds == f)) for f in range(n_folds)]
