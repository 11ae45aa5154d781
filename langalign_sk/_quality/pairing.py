"""Quality of a pairing: agreement of scores, share of mismatched pairs, and shifted rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

__all__ = [
    "Agreement",
    "Mismatch",
    "Shift",
    "mismatch",
    "misplaced_copies",
    "score_agreement",
    "shift",
]

_PERMUTATIONS = 999
_TAILS = (0.1, 0.2, 0.3, 0.4, 0.5)
# Deviations of the mean of even ranks; 1 % of them lie further below.
_UNEVEN = -2.33
_CONFIDENCE = 0.99
# `python -m benchmarks scores --only trust` chooses both bounds again, each without the source that it
# is then tried on.
LEAST_SHARE = 0.015
# A map that was learned from few pairs leaves sound ones as far apart as many random ones are: a share
# must be larger to be told from that.
LEAST_SHARE_OF_WEAK = 0.2
_SHARP_TAIL, _NEAREST, _MOST = 0.2, 0.005, 0.6
_OFFSETS = (1, -1, 2, -2, 3, -3)
# The best of thousands of runs of random rows reaches 4 to 5 deviations.
_LEAST_RUN, _LEAST_DEVIATIONS = 5, 6.0
# Of sound copies, about a tenth are less near than nine in ten pairs.
_FARTHEST, _LEAST_COPIES, _MOST_COPIES = 0.1, 10, 0.5


@dataclass(frozen=True)
class Agreement:
    """Correlation of the scores of linear heads on moved rows and on their counterparts.

    Attributes
    ----------
    value : float
        In [-1, 1]; 1 where every head answers alike.
    p_value : float
        Share of 999 shuffles of the rows with at least that agreement; the least is 0.001.
    """

    value: float
    p_value: float


@dataclass(frozen=True)
class Mismatch:
    """Share of pairs whose sides are no nearer to each other than those of random pairs.

    Attributes
    ----------
    share : float
        The estimate; NaN where sound pairs and random ones cannot be told apart.
    at_least : float
        Lower bound of the share, of confidence 0.99; 0 where nothing can be told.
    sharp : bool
        Whether sound pairs stand out: ranks above 0.2 are even, or six in ten pairs are nearer than
        199 in 200 random ones.
    suspects : ndarray of int
        Pairs that random ones are as near as, the worst first.
    """

    share: float
    at_least: float
    sharp: bool
    suspects: NDArray[np.intp]

    @property
    def evident(self) -> bool:
        """Whether there are more mismatched pairs than sound corpora have."""
        return self.at_least > (LEAST_SHARE if self.sharp else LEAST_SHARE_OF_WEAK)


@dataclass(frozen=True)
class Shift:
    """Run of rows that suit the counterparts of other rows, a few places on.

    Attributes
    ----------
    first, last : int
        Rows at the ends of the run.
    offset : int
        Row i suits the counterpart of row ``i + offset``.
    """

    first: int
    last: int
    offset: int


def score_agreement(
    Z: NDArray, T: NDArray, seed: int, folds: NDArray[np.intp] | None = None
) -> Agreement:
    """Agreement of the scores of linear heads, and its permutation test.

    A linear head is a weighted sum of the rows that it was fitted on, and scores a row ``z`` by
    ``sum_j a_j <t_j, z>``. Over random weights ``a``, its scores of moved rows correlate with those
    of their counterparts as the inner products ``<t_j, z_i>`` do with ``<t_j, t_i>``, of centred
    rows and with j other than i. The p-value is that of a permutation test of such a correlation
    (Mantel, "The detection of disease clustering and a generalized regression approach", Cancer
    Research 1967).

    Parameters
    ----------
    Z, T : ndarray of shape (n_rows, n_features), float32 or float64
        Moved rows and their counterparts.
    seed : int
        Draws the shuffles.
    folds : ndarray of shape (n_rows,), dtype int, default=None
        Rows of one fold were moved by a map that saw none of their counterparts. Heads are made of
        rows of the same fold then, and shuffles stay in it, since what a map has seen of the other
        folds agrees with them by itself. None: one map moved all rows.

    Returns
    -------
    Agreement
        The correlation, 0 where a side does not vary, and its p-value.
    """
    folds = np.zeros(len(Z), dtype=np.intp) if folds is None else folds
    Z, T = _centred(Z, folds), _centred(T, folds)
    compared = folds[:, None] == folds
    np.fill_diagonal(compared, False)
    own, moved = (T @ T.T) * compared, Z @ T.T
    size = np.linalg.norm(own) * np.linalg.norm(moved * compared)
    M, draw = moved @ own, np.random.RandomState(seed)
    order = np.argsort(folds, kind="stable")
    observed = float(np.trace(M))
    if not size > 0:
        return Agreement(0.0, 1.0)
    # Another order of the same rows differs by a rounding error.
    least = observed - 1e-6 * abs(observed)
    shuffles = (np.lexsort((draw.random_sample(len(Z)), folds)) for _ in range(_PERMUTATIONS))
    reached = sum(M[shuffle, order].sum() >= least for shuffle in shuffles)
    value = float(np.clip(observed / size, -1, 1))
    return Agreement(value, (1 + int(reached)) / (1 + _PERMUTATIONS))


def _centred(rows: NDArray, folds: NDArray[np.intp]) -> NDArray:
    """Rows less the mean of their fold."""
    out = rows.copy()
    for fold in np.unique(folds):
        out[folds == fold] -= rows[folds == fold].mean(axis=0)
    return out


def mismatch(S: NDArray, groups: NDArray[np.intp]) -> Mismatch:
    """Share of mismatched pairs, estimated from the ranks of pairs among random ones.

    The similarity of a mismatched pair is one of many like it, so that its rank among those of its
    row and column is even between 0 and 1; the rank of a sound pair is near 0. The share of
    mismatched pairs follows from how many ranks lie above a threshold (Storey, "A direct approach
    to false discovery rates", JRSS B 2002), the least of 0.1, 0.2, ..., 0.5 above which they are
    even. Its bound is that of Clopper and Pearson (Biometrika 1934).

    Parameters
    ----------
    S : ndarray of shape (n_pairs, n_pairs)
        Similarity of every row to every counterpart.
    groups : ndarray of shape (n_pairs,), dtype int
        Rows with one label are copies of each other on a side, and not compared.

    Returns
    -------
    Mismatch
        The estimate with its bound, and the pairs to look at.
    """
    ranks = _ranks(S, groups)
    n = len(ranks)
    for tail in _TAILS:
        above = ranks[ranks > tail]
        k, width = len(above), 1 - tail
        if k and ((above.mean() - tail) / width - 0.5) * np.sqrt(12 * k) <= _UNEVEN:
            continue
        least = float(beta.ppf(1 - _CONFIDENCE, k, n - k + 1)) if k else 0.0
        worst = np.argsort(-ranks, kind="stable")[:k]
        sharp = tail <= _SHARP_TAIL or bool(np.mean(ranks <= _NEAREST) >= _MOST)
        return Mismatch(min(k / n / width, 1.0), min(least / width, 1.0), sharp, worst)
    return Mismatch(np.nan, 0.0, False, np.empty(0, dtype=np.intp))


def _ranks(S: NDArray, groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """Share of the random pairs in a pair's row and column that are as near as it is."""
    S = S - S.mean(axis=1, keepdims=True) - S.mean(axis=0)  # hubs are near to everything
    own, others = np.diagonal(S).copy(), np.full(len(S), len(S) - 1)
    np.fill_diagonal(S, -np.inf)
    for i in np.flatnonzero(np.bincount(groups)[groups] > 1):
        same = groups == groups[i]
        S[i, same] = -np.inf
        others[i] = len(S) - np.count_nonzero(same)
    nearer = np.count_nonzero(own[:, None] <= S, axis=1) + np.count_nonzero(own <= S, axis=0)
    return (nearer + 1) / (2 * others + 2)


def shift(S: NDArray, rows: NDArray[np.intp]) -> Shift | None:
    """Run of rows that suit the counterparts of the rows a few places on.

    Parameters
    ----------
    S : ndarray of shape (n_pairs, n_pairs)
        Similarity of every row to every counterpart.
    rows : ndarray of shape (n_pairs,), dtype int
        Places of the pairs in their file.

    Returns
    -------
    Shift or None
        The run whose similarities gain most by an offset, in standard deviations of random rows;
        None where none gains more than chance may.
    """
    S = S - S.mean(axis=1, keepdims=True) - S.mean(axis=0) + S.mean()
    own, n = np.diagonal(S), len(S)
    spread = np.sqrt(2 * max(float(np.square(S).sum() - np.square(own).sum()), 0.0) / (n * n - n))
    if not spread > 0:
        return None
    place = np.full(int(rows.max()) + 1 + max(_OFFSETS), -1)
    place[rows] = np.arange(n)
    order = np.sort(rows)
    best, found = _LEAST_DEVIATIONS, None
    for offset in _OFFSETS:
        here = order[(order + offset >= 0) & (place[order + offset] >= 0)]
        if len(here) < _LEAST_RUN:
            continue
        at = place[here]
        first, last, gain = _largest_run(S[at, place[here + offset]] - own[at])
        length = last - first + 1
        deviations = gain / (spread * np.sqrt(length))
        if length >= _LEAST_RUN and deviations > best:
            best, found = deviations, Shift(int(here[first]), int(here[last]), offset)
    return found


def _largest_run(gains: NDArray) -> tuple[int, int, float]:
    """First and last place, and sum, of the run with the largest sum."""
    sums = np.concatenate(([0.0], np.cumsum(gains, dtype=np.float64)))
    last = int(np.argmax(sums[1:] - np.minimum.accumulate(sums[:-1])))
    first = int(np.argmin(sums[: last + 1]))
    return first, last, float(sums[last + 1] - sums[first])


def misplaced_copies(S: NDArray, groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows that share a side with another row and are far from it, as if it had been filled in.

    Of all rows that share a side, the nearest pair is taken for the right one. The others are
    misplaced if half of them are less near than nine in ten right ones: several translations of one
    sentence are all near to it.

    Parameters
    ----------
    S : ndarray of shape (n_pairs, n_pairs)
        Similarity of every row to every counterpart.
    groups : ndarray of shape (n_pairs,), dtype int
        Rows with one label are copies of each other on a side.

    Returns
    -------
    ndarray of int
        The misplaced rows, the worst first; empty where copies are sound or fewer than ten.
    """
    own = np.diagonal(S) - S.mean(axis=1) - S.mean(axis=0)
    order = np.lexsort((-own, groups))
    right = np.zeros(len(S), dtype=bool)
    right[order[np.flatnonzero(np.diff(groups[order], prepend=-1))]] = True
    copies = np.flatnonzero(~right)
    far = copies[own[copies] < np.quantile(own[right], _FARTHEST)]
    if len(far) < max(_LEAST_COPIES, _MOST_COPIES * len(copies)):
        return np.empty(0, dtype=np.intp)
    return far[np.argsort(own[far], kind="stable")]
