"""Base class of array-level aligners."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import assert_all_finite, check_array, check_consistent_length
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .._utils.containers import Table, embedding_rows, opened
from .._utils.fits import keeps_former_fit_transform
from .._utils.lineage import LineageMixin
from .._utils.stamp import VersionStampMixin
from ..metrics._core import duplicate_groups, row_recall
from .network import Network
from .rows import PairedRows
from .selection import HeldOutPairs

__all__ = ["PairedMap", "check_counterparts"]


_CACHED = 1 << 17  # numbers, which a processor's cache holds


@keeps_former_fit_transform
class PairedMap(
    LineageMixin,
    VersionStampMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """A map between two sets of paired embeddings, and a map back of its own."""

    n_features_in_: int
    _n_targets: int

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Learn the map, then move the same rows.

        Parameters
        ----------
        X : array-like of shape (n_pairs, n_features), float32 or float64
            Rows to be moved.
        y : array-like of shape (n_pairs, n_targets), float32 or float64
            Where they should be; row i is the counterpart of row i of `X`.
        **fit_params
            More parameters of `fit`.

        Returns
        -------
        ndarray of shape (n_pairs, n_features_out)
            The same as ``fit(X, y).transform(X)``.
        """
        return super().fit_transform(X, y, **fit_params)

    @abstractmethod
    def move(self, X: NDArray) -> NDArray:
        """Move validated rows, without the checks and the output container of `transform`.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features), float32 or float64
            Rows of the first space.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            The moved rows.
        """

    @abstractmethod
    def move_back(self, Z: NDArray) -> NDArray:
        """Move validated rows back, as `inverse_transform` does.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features_out), float32 or float64
            Rows as `move` returns them.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows of the first space.
        """

    @abstractmethod
    def move_counterparts(self, Y: NDArray) -> NDArray:
        """Move validated counterparts to where moved rows are, as `transform_counterparts` does.

        Parameters
        ----------
        Y : ndarray of shape (n_samples, n_targets), float32 or float64
            Rows of the second space.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            The rows as they came, or in the shared space.
        """

    @abstractmethod
    def networks(self) -> dict[str, Network]:
        """Fitted maps as arrays, by the method that they are applied by.

        Returns
        -------
        dict of str to Network
            "move" and "move_back", and "move_counterparts" if counterparts move.
        """

    @property
    @abstractmethod
    def _n_features_out(self) -> int:
        """Width of the moved rows, under the name that scikit-learn asks for."""

    @property
    def n_features_out(self) -> int:
        """Width of the moved rows."""
        return self._n_features_out

    @property
    def n_targets(self) -> int:
        """Width of the counterparts."""
        return self._n_targets

    @abstractmethod
    def fit_rows(self, rows: PairedRows) -> Any:
        """Fit on checked rows, whose sums and groups may be there already.

        Parameters
        ----------
        rows : PairedRows
            Rows as `check_rows` returns them.

        Returns
        -------
        PairedMap
            The fitted estimator.
        """

    @property
    @abstractmethod
    def fitted_method(self) -> str:
        """Method of the fitted map, by the names of `CrossLingualAligner`."""

    @abstractmethod
    def unfitted_twin(self) -> PairedMap:
        """The same map, unfitted and with nothing to choose, to be fitted on fewer rows."""

    @abstractmethod
    def held_out(self, rows: PairedRows, random_state: Any) -> HeldOutPairs | None:
        """Pairs of the fit that a map did not see, moved.

        Parameters
        ----------
        rows : PairedRows
            The rows of the fit.
        random_state : int, RandomState instance or None
            Draws the held-out rows, where the fit has not done so.

        Returns
        -------
        HeldOutPairs or None
            None where none were or can be held out.
        """

    def transform(self, X: ArrayLike) -> NDArray:
        """Move rows into the space of y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), float32 or float64
            Rows of the first space.

        Returns
        -------
        ndarray of shape (n_samples, n_targets)
            The moved rows.
        """
        check_is_fitted(self)
        X = embedding_rows(X)
        rows: NDArray = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return self.move(rows)

    def inverse_transform(self, X: ArrayLike) -> NDArray:
        """Move rows from the space of y back to the space of X, by a fitted map of its own.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_targets), float32 or float64
            Rows of the second space.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The moved rows.
        """
        check_is_fitted(self)
        X = embedding_rows(X)
        Z: NDArray = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        if Z.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {Z.shape[1]} features, but inverse_transform of {type(self).__name__} "
                f"expects {self._n_features_out} features as input: rows as transform returns."
            )
        return self.move_back(Z)

    def transform_counterparts(self, y: ArrayLike) -> NDArray:
        """Rows of the second space, where `transform` puts those of the first.

        Parameters
        ----------
        y : array-like of shape (n_samples, n_targets), float32 or float64
            Rows of the second space.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            The rows as they came, or in the shared space of ``shared=True``.
        """
        check_is_fitted(self)
        y = embedding_rows(y, "y")
        Y: NDArray = check_array(y, dtype=[np.float64, np.float32], input_name="y")
        if Y.shape[1] != self._n_targets:
            raise ValueError(
                f"y has {Y.shape[1]} features, but transform_counterparts of {type(self).__name__} "
                f"expects {self._n_targets} features as input: rows of the space of y in fit."
            )
        return self.move_counterparts(Y)

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Tie-aware recall at 1 of the moved rows, the mean of both directions.

        Parameters
        ----------
        X : array-like of shape (n_pairs, n_features), float32 or float64
            Rows of the first space.
        y : array-like of shape (n_pairs, n_targets), float32 or float64
            Their counterparts.

        Returns
        -------
        float
            In [0, 1].
        """
        check_is_fitted(self)
        X = embedding_rows(X)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        moved = self.move(np.asarray(X))
        Y = check_counterparts(moved, y)
        # Right answers are told by the rows as they came: a map that sends all rows to one
        # point makes them equal, but not right.
        groups = duplicate_groups(np.asarray(X, dtype=moved.dtype), Y)
        return float(row_recall(moved, self.transform_counterparts(Y), groups).mean())

    def check_rows(
        self, X: Any, y: Any, sample_weight: Any = None, *, reset: bool = True
    ) -> PairedRows:
        """Checked rows of a fit, without those of weight zero.

        Parameters
        ----------
        X, y : array-like of shape (n_pairs, n_features) and (n_pairs, n_targets)
            Both sides.
        sample_weight : array-like of shape (n_pairs,), default=None
            Weights of the pairs.
        reset : bool, default=True
            Whether the width and the column names of `X` are set, or compared with those of the
            last fit.

        Returns
        -------
        PairedRows
            The rows, in the dtype of `X`.

        Raises
        ------
        ValueError
            If the sides differ in length, hold NaN, fewer than two rows, or numbers whose squares
            are lost; or if no pair has a weight.
        """
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None. Pass the "
                "counterparts of the rows of X as a 2-d array."
            )
        dtypes = [np.float64, np.float32]
        # The largest value tells as well whether all are finite, without another pass.
        X = validate_data(
            self,
            embedding_rows(X),
            dtype=dtypes,
            ensure_min_samples=2,
            ensure_all_finite=False,
            reset=reset,
        )
        Y = check_counterparts(X, y, finite=False)
        for name, rows in (("X", X), ("y", Y)):
            size = _largest(rows)
            if not np.isfinite(size):
                assert_all_finite(rows, estimator_name=type(self).__name__, input_name=name)
            if size and not 1e-8 < size < 1e8:
                raise ValueError(
                    f"The largest value of {name} is {size:.0e}: squares of such numbers are lost in "
                    f"{rows.dtype}. Scale the rows to about 1."
                )
        if sample_weight is None:
            return PairedRows(X, Y)
        weight = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
        if not weight.sum() > 0:
            raise ValueError("sample_weight sums to zero: give at least one pair weight.")
        counted = weight > 0
        return PairedRows(X[counted], Y[counted], weight[counted])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def check_counterparts(X: NDArray, y: Any, *, finite: bool = True) -> NDArray:
    """The counterparts of the rows of X: 2-d, as many, of the same dtype, and finite if asked."""
    y = opened(y, "y")
    if not isinstance(y, Table) and np.asarray(y).ndim == 1:
        raise ValueError(
            "Expected 2D array, got 1D array instead: y holds the counterparts of the rows of X, one "
            "vector each. Class labels do not belong here."
        )
    y = embedding_rows(y, "y")
    Y = check_array(y, dtype=X.dtype, ensure_all_finite=finite, input_name="y")
    check_consistent_length(X, Y)
    return Y


def _largest(rows: NDArray) -> float:
    """Largest absolute value; each block of rows is read from memory once."""
    step = max(1, _CACHED // rows.shape[1])
    blocks = (rows[start : start + step] for start in range(0, len(rows), step))
    # numpy's max passes NaN on, and Python's does not.
    return float(np.max([max_of for b in blocks for max_of in (b.max(), -b.min())]))
