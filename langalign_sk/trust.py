"""Whether to believe a fit, and whether new rows are still like the old ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from sklearn.utils import check_array, check_random_state

from .metrics.hubs import hubness_score
from .metrics.pairs import normalize_rows

if TYPE_CHECKING:
    from .inspection.report import Evaluation

__all__ = ["AlignmentWarning", "DriftResult", "drift_test"]

_PERMUTATIONS = 999
_MAX_PAIRS = 2_000
# Recall of the two directions differs by less on sound pairs, and hubness of their maps is less.
_DISAGREEMENT = 0.1
_HUBS = 4.0
_RANK = 16  # more directions of a fit tell no more
_NEIGHBORS = 10  # k of the k-occurrence, as in its paper
# Rows of each side that the kernel matrix of a drift test is made of, 32 MB at most.
_MAX_DRIFT_ROWS = 1_000


class AlignmentWarning(UserWarning):
    """A map finds no more translations of held-out rows than one of shuffled pairs would.

    Examples
    --------
    >>> import warnings
    >>> from langalign_sk.trust import AlignmentWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", AlignmentWarning)  # a fit in here fails where it warned
    """


@dataclass(frozen=True)
class PairChecks:
    """What held-out rows say about a map, beyond its recall.

    Attributes
    ----------
    forward_recall, backward_recall : float
        Recall at 1 by cosine from moved rows to their counterparts, and from counterparts to
        moved rows.
    shuffled_p_value : float
        Share of 999 shuffles of the pairs that have at least that recall (both directions);
        the least is 0.001.
    hubness : float
        Skewness of the 10-occurrence of counterparts.
    """

    forward_recall: float
    backward_recall: float
    shuffled_p_value: float
    hubness: float


def measure_pairs(Z: NDArray, T: NDArray, groups: NDArray[np.intp], seed: int) -> PairChecks:
    """Recall in either direction, against that of shuffled pairs, and hubness.

    The p-value is that of a permutation test of the pairing (Phipson and Smyth, "Permutation
    p-values should never be zero", Statistical Applications in Genetics and Molecular Biology
    2010).

    Parameters
    ----------
    Z, T : ndarray of shape (n_pairs, n_features), float32 or float64
        Held-out rows that were moved, and their counterparts.
    groups : ndarray of shape (n_pairs,), dtype int
        Rows with one label are right answers for each other.
    seed : int
        Draws 2,000 of more pairs, and the shuffles.
    """
    draw = np.random.RandomState(seed)
    some = _some_rows(len(Z), seed)
    Z, T, groups = Z[some], T[some], groups[some]
    S = normalize_rows(Z) @ normalize_rows(T).T
    found, finder = groups[S.argmax(axis=1)], groups[S.argmax(axis=0)]
    forward, backward = found == groups, finder == groups
    observed = forward.sum() + backward.sum()
    reached = 0
    for _ in range(_PERMUTATIONS):
        order = draw.permutation(len(groups))
        hits = (found == groups[order]).sum() + (finder[order] == groups).sum()
        reached += int(hits >= observed)
    return PairChecks(
        float(forward.mean()),
        float(backward.mean()),
        (1 + reached) / (1 + _PERMUTATIONS),
        hubness_of_pairs(Z, T, seed),
    )


def hubness_of_pairs(Z: NDArray, T: NDArray, seed: int) -> float:
    """Skewness of the 10-occurrence of counterparts, of 2,000 of more pairs."""
    some = _some_rows(len(Z), seed)
    return hubness_score(Z[some], T[some], k=min(_NEIGHBORS, len(some)))


def _some_rows(n: int, seed: int) -> NDArray[np.intp]:
    if n <= _MAX_PAIRS:
        return np.arange(n)
    return np.sort(np.random.RandomState(seed).choice(n, _MAX_PAIRS, replace=False))


def failures(evaluations: Sequence[Evaluation]) -> list[str]:
    """What is to be said of maps that find no more than shuffled pairs would."""
    return [
        f"The {e.part} of {e.language!r} finds {e.aligned.recall_at_1:.3f} of {e.n_held_out} held-out "
        f"translations, no more than for shuffled pairs (p = {e.shuffled_p_value:.3f}): do not use "
        "it. Look whether the two sides are translations of each other row by row, and whether "
        "the encoder knows the language; else pass more pairs."
        for e in evaluations
        if e.failed and e.aligned
    ]


def doubts_of_hubs(e: Evaluation) -> list[str]:
    """Warnings of directions that disagree, and of rows that are near to everything."""
    if e.forward_recall is None or e.backward_recall is None or e.hubness is None:
        return []
    out = []
    forward, backward = e.forward_recall, e.backward_recall
    error = np.sqrt((forward * (1 - forward) + backward * (1 - backward)) / e.n_held_out)
    if abs(forward - backward) > max(3 * error, _DISAGREEMENT):
        out.append(
            f"The {e.part} of {e.language!r} finds {forward:.3f} of the held-out translations from the "
            f"rows that it moves, and {backward:.3f} the other way: one side has rows that are near "
            "to everything. Clean the pairs by ParallelCorpus(...).clean(), and search by CSLS or "
            "margin."
        )
    if e.hubness > max(_HUBS, e.unaligned_hubness or 0.0):
        than = "" if e.unaligned_hubness is None else f" against {e.unaligned_hubness:.1f} before"
        out.append(
            f"The {e.part} of {e.language!r} makes hubs: the skewness of how often a row is found is "
            f"{e.hubness:.1f}{than}. Search by CSLS or margin, or regularise more (alpha)."
        )
    return out


@dataclass(frozen=True)
class DriftResult:
    """Result of a drift test.

    Attributes
    ----------
    statistic : float
        Squared maximum mean discrepancy of the two batches; 0 for equal ones.
    p_value : float
        Chance of such a statistic if both batches come from one distribution; at least 0.001.
    n_reference, n_batch : int
        Rows that were compared, after the draw from a larger batch.

    Examples
    --------
    >>> from langalign_sk.trust import DriftResult
    >>> DriftResult(statistic=0.01, p_value=0.4, n_reference=500, n_batch=200)
    DriftResult(statistic=0.01, p_value=0.4, n_reference=500, n_batch=200)
    """

    statistic: float
    p_value: float
    n_reference: int
    n_batch: int


def drift_test(
    X_reference: ArrayLike, X_batch: ArrayLike, *, random_state: Any = None
) -> DriftResult:
    """Test whether two batches of embeddings come from one distribution.

    The kernel two-sample test: the squared maximum mean discrepancy with a Gaussian kernel, whose
    width is the median distance of the rows, and a p-value by 999 permutations (Gretton,
    Borgwardt, Rasch, Schölkopf and Smola, "A kernel two-sample test", JMLR 2012).

    Parameters
    ----------
    X_reference : array-like of shape (n_reference, n_features), float32 or float64
        Rows that the system is known to serve well, such as what `transform` gave last month.
    X_batch : array-like of shape (n_batch, n_features), float32 or float64
        Rows of the same encoder or aligner to compare with them. Of 200 Korean rows, a fifth in
        Chinese was found in three of four draws (p < 0.05), and a tenth in none.
    random_state : int, RandomState instance or None, default=None
        Draws 1,000 rows of a batch that has more, and the permutations.

    Returns
    -------
    DriftResult
        A p-value below the share of false alarms that you accept is drift.

    Raises
    ------
    ValueError
        If a batch has fewer than two rows or holds NaN, or the widths differ.

    Notes
    -----
    Many tests, one a day say, need a smaller threshold. A small p-value says that rows differ,
    not that answers got worse: look at
    :meth:`quality_score <langalign_sk.CrossLingualAligner.quality_score>` of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.trust import drift_test
    >>> rng = np.random.default_rng(1)
    >>> reference, batch = rng.normal(size=(200, 8)), rng.normal(size=(100, 8))
    >>> drift_test(reference, batch, random_state=0).p_value > 0.05
    True
    >>> drift_test(reference, batch + 0.5, random_state=0).p_value
    0.001
    """
    draw = check_random_state(random_state)
    sides = []
    for name, rows in (("X_reference", X_reference), ("X_batch", X_batch)):
        side = check_array(rows, dtype=np.float64, ensure_min_samples=2, input_name=name)
        if len(side) > _MAX_DRIFT_ROWS:
            side = side[np.sort(draw.choice(len(side), _MAX_DRIFT_ROWS, replace=False))]
        sides.append(side)
    n_reference, n_batch = map(len, sides)
    if sides[0].shape[1] != sides[1].shape[1]:
        raise ValueError(
            f"X_reference has {sides[0].shape[1]} features and X_batch has {sides[1].shape[1]}: encode "
            "both with the same encoder."
        )
    K = _gaussian_kernel(np.concatenate(sides))
    n = n_reference + n_batch
    # Column 0 holds the batches as they are, the others their permutations.
    weights = np.empty((n, 1 + _PERMUTATIONS))
    as_is = np.repeat([1 / n_reference, -1 / n_batch], [n_reference, n_batch])
    weights[:, 0] = as_is
    for column in range(1, 1 + _PERMUTATIONS):
        weights[:, column] = draw.permutation(as_is)
    values = np.einsum("ij,ij->j", weights, K @ weights)
    # A permutation that gives back the same batches differs from them by a rounding error.
    reached = np.count_nonzero(values[1:] >= values[0] - 1e-12)
    p_value = float((1 + reached) / (1 + _PERMUTATIONS))
    return DriftResult(max(float(values[0]), 0.0), p_value, n_reference, n_batch)


def _gaussian_kernel(X: NDArray) -> NDArray:
    """Kernel matrix of the median width."""
    X = X - X.mean(axis=0)  # distances lose fewer digits
    squares = np.square(X).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * X @ X.T, 0)
    median = np.median(distances[np.triu_indices(len(X), 1)])
    # More than half of the rows may be equal.
    return np.exp(-distances / (median or distances.mean() or 1.0))


@dataclass(frozen=True, eq=False)
class VectorModel:
    """Gaussian of the fitted rows: some principal directions, and one variance for the others.

    Probabilistic principal components (Tipping and Bishop, JRSS B 1999), whose Mahalanobis
    distance tells rows unlike the fit (Lee, Lee, Lee and Shin, NeurIPS 2018).
    """

    mean: NDArray  # (n_features,), float32
    basis: NDArray  # (n_features, rank), float32
    variances: NDArray  # (rank + 1,), float32; the last is that of any direction outside

    @classmethod
    def of(cls, n: int, total: NDArray, squares: NDArray) -> VectorModel:
        """From the number of rows, their sum and the sum of their outer products."""
        mean = total / n
        width = len(mean)
        rank = max(min(_RANK, width - 1, n // 4), 0)
        covariance = squares / n - np.outer(mean, mean)
        rest = np.trace(covariance)
        values, basis = np.empty(0), np.empty((width, 0))
        if rank:
            values, basis = eigh(covariance, subset_by_index=[width - rank, width - 1])
        rest = (rest - values.sum()) / (width - rank)
        # Rows may have no spread outside the basis: nothing counts as less than a rounding error.
        least = max(1e-6 * np.trace(covariance), np.finfo(np.float32).tiny)
        variances = np.maximum([*values, rest], least)
        return cls(*(a.astype(np.float32) for a in (mean, basis, variances)))

    def typicality(self, Z: NDArray) -> NDArray:
        """Minus the squared distance of each row."""
        Z = Z - self.mean
        inside = Z @ self.basis
        outside = np.maximum(np.square(Z).sum(axis=1) - np.square(inside).sum(axis=1), 0)
        return -(np.square(inside) @ (1 / self.variances[:-1]) + outside / self.variances[-1])
