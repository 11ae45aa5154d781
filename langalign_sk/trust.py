"""Test of drift between batches of embeddings, and the warning of a failed alignment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, check_random_state

from ._quality import VectorModel  # noqa: F401, an address in saved models
from ._utils.containers import embedding_rows
from .aligner._evidence import PairChecks  # noqa: F401, an address in saved models
from .aligner._report import AlignmentWarning

__all__ = ["AlignmentWarning", "DriftResult", "drift_test"]


_PERMUTATIONS = 999
# Rows of each side that the kernel matrix of a drift test is made of, 32 MB at most.
_MAX_DRIFT_ROWS = 1_000


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
        A p-value below the share of false alarms that you accept means drift.

    Raises
    ------
    ValueError
        If a batch has fewer than two rows or holds NaN, or the widths differ.

    Notes
    -----
    Repeated tests, such as one per day, need a smaller threshold. A small p-value says that rows
    differ, not that answers got worse: look at
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
        side = embedding_rows(rows, name)
        side = check_array(side, dtype=np.float64, ensure_min_samples=2, input_name=name)
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
