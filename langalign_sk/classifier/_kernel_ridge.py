"""KernelRidgeClassifier: kernel ridge regression on unit rows as a classifier with probabilities."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .._utils.fits import keeps_former_fit
from .._utils.validation import check_grid, check_number, forget
from ..mapping.expansion import KernelExpansion
from ._kernel import (
    DistinctRows,
    RidgeFit,
    blocks,
    distinct_rows,
    fit_landmarks,
    fit_ridge,
    loo_scores,
    rbf,
    rounding_length,
    sigmoid_temperature,
    softmax_temperature,
    squared_distances,
    unit_rows,
)

__all__ = ["KernelRidgeClassifier"]


_FLOATS = [np.float64, np.float32]
_GAMMAS = (0.25, 0.5, 1.0, 2.0)
_ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_MIN_ROWS = 100  # beside the centres, to fit a temperature to them alone
_GAIN = 1e-3  # of the log loss, for which another alpha is worth a factorisation
_CHOICE_ROWS = 800  # that gamma and alpha are chosen on


class _Solution(NamedTuple):
    """Calibrated ridge regression."""

    alpha: float
    fit: RidgeFit
    temperature: Any
    loss: float


class KernelRidgeClassifier(ClassifierMixin, BaseEstimator):
    """Kernel ridge classifier on unit rows, with probabilities calibrated by leave-one-out.

    Rows are centred on the mean of the training rows and scaled to unit length. A ridge regression
    with the kernel ``exp(-gamma |x - x'|^2)`` predicts one column of zeros and ones per class, and
    a softmax with a temperature turns these scores into probabilities.

    Parameters
    ----------
    gamma : "auto", float or sequence of float, default="auto"
        Inverse squared width of the kernel, or several to choose from. "auto" is
        ``(0.25, 0.5, 1, 2)``.
    alpha : "auto", float or sequence of float, default="auto"
        Strength of the ridge penalty, or several to choose from. "auto" is
        ``(0.01, 0.03, 0.1, 0.3, 1, 3, 10)``; noisy labels ask for the larger ones.
    max_rows : int, default=5_000
        Up to so many distinct rows, the solution is exact. Of more, so many random ones are the
        centres of the kernel, which is fitted to all rows.
    store_loo : bool, default=False
        Whether to keep `loo_proba_`.
    random_state : int, RandomState or None, default=None
        Draws the rows that `gamma` and `alpha` are chosen on, where there are more than 800, and
        the centres, where there are more than `max_rows`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes; for labels that are an indicator matrix, the numbers of its columns.
    gamma_ : float
        The kernel parameter in use.
    alpha_ : float
        The penalty in use.
    temperature_ : float, or ndarray of shape (n_outputs,)
        Divisor of the scores before the softmax; of an indicator matrix, one before the sigmoid
        of each column.
    loo_log_loss_ : float
        Leave-one-out log loss of the training rows; of an indicator matrix, the mean over columns.
    loo_proba_ : ndarray of shape (n_samples, n_classes)
        Leave-one-out probabilities of the training rows, with ``store_loo=True``.
    mean_ : ndarray of shape (n_features,), float64
        Weighted mean of the training rows.
    X_fit_ : ndarray of shape (n_centres, n_features), dtype of X
        Centred unit rows that the kernel compares with.
    dual_coef_ : ndarray of shape (n_centres, n_classes), float64
        Coefficients of the kernel.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, where all are strings.

    See Also
    --------
    AlignedClassifier : Calibration of any classifier in another language.
    sklearn.kernel_ridge.KernelRidge : The regression.

    Notes
    -----
    `gamma`, `alpha` and the temperature are those of the least leave-one-out log loss. It costs no
    refit: residuals that leave a row out follow from the inverse of the system (Rifkin and
    Lippert, "Notes on regularized least squares", MIT 2007), and with one eigendecomposition per
    `gamma` for every `alpha`. Where there are more than 800 rows, 800 random ones choose, in which
    every class has its share; then `alpha` moves to its neighbours as long as the log loss of all
    rows falls by a thousandth. The temperature is that of Guo et al., "On calibration of modern
    neural networks", ICML 2017, with labels that are smoothed as in Platt's scaling.

    Equal rows are merged into one, with the sum of their weights and the mean of their labels,
    which leaves the solution as it is. Hence a row of weight two is the same as a repeated one,
    and no row is predicted by its copy when one is left out. A row of weight 0 is left out.

    The time of a fit grows with the cube of the rows, and that of a prediction with their number.
    With `gamma` and `alpha` given, a fit is one Cholesky factorisation. Beyond `max_rows`, the
    centres are a subset of regressors (Rasmussen and Williams, "Gaussian processes for machine
    learning", 2006, section 8.3.1): the time of a fit grows with the rows times the square of the
    centres, its memory with that square only. The temperature and `loo_log_loss_` are then those of
    up to `max_rows` rows that are not centres, as these are predicted like new ones.

    Examples
    --------
    Behind an aligner, a classifier that is trained on English requests serves Korean ones:

    >>> from sklearn.pipeline import make_pipeline
    >>> from langalign_sk import CrossLingualAligner, KernelRidgeClassifier
    >>> from langalign_sk.datasets import load_service_requests
    >>> X, y = load_service_requests(language="en", return_X_y=True)
    >>> pipe = make_pipeline(CrossLingualAligner("ko", random_state=0), KernelRidgeClassifier())
    >>> pipe = pipe.fit(X, y)
    >>> pipe.predict(["카드를 잃어버렸어요. 바로 정지해 주세요."]).tolist()
    ['lost_card']
    """

    n_features_in_: int

    def __init__(
        self,
        gamma: Any = "auto",
        alpha: Any = "auto",
        *,
        max_rows: int = 5_000,
        store_loo: bool = False,
        random_state: Any = None,
    ) -> None:
        self.gamma = gamma
        self.alpha = alpha
        self.max_rows = max_rows
        self.store_loo = store_loo
        self.random_state = random_state

    @keeps_former_fit
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> KernelRidgeClassifier:
        """Fit the classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), float
            Rows.
        y : array-like of shape (n_samples,), or indicator matrix of shape (n_samples, n_outputs)
            Classes, or several labels per row as zeros and ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative.

        Returns
        -------
        KernelRidgeClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of its range, labels are continuous, or there is only one class.
        """
        gammas = _grid("gamma", self.gamma, _GAMMAS)
        alphas = _grid("alpha", self.alpha, _ALPHAS)
        check_number("max_rows", self.max_rows, Integral, lambda v: v > 0, "a positive int")
        X, y = validate_data(self, X, y, dtype=_FLOATS, multi_output=True)
        y = y.toarray() if issparse(y) else y
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        used = np.flatnonzero(weight)
        if not len(used):
            raise ValueError("All sample weights are 0: no row is left to fit.")
        Y = self._read_labels(y, used)
        rng = check_random_state(self.random_state)

        self.mean_ = np.average(X[used], axis=0, weights=weight[used]).astype(np.float64)
        unit = unit_rows(X, self.mean_)
        rows = distinct_rows(unit[used], weight[used], Y)
        U = unit[used][rows.first]
        at = _subsample(rows.Y, _CHOICE_ROWS, rng)
        self.gamma_, alpha = self._choose(gammas, alphas, U[at], rows.Y[at], rows.weight[at])
        if len(U) <= self.max_rows:
            self.X_fit_ = U
            found = self._fit_exact(rows, alpha, alphas if len(at) < len(U) else [alpha])
        else:
            centres = _subsample(rows.Y, self.max_rows, rng)
            self.X_fit_ = U[centres]
            found = self._fit_centres(U, centres, rows, alpha, rng)
        self.alpha_, self.dual_coef_ = found.alpha, found.fit.dual
        self.temperature_, self.loo_log_loss_ = found.temperature, found.loss
        forget(self, "loo_proba_")
        if self.store_loo:
            self.loo_proba_ = np.empty((len(X), Y.shape[1]))
            self.loo_proba_[used] = self._proba(found.fit.loo)[rows.inverse]
            unused = weight == 0
            if unused.any():
                self.loo_proba_[unused] = self._proba(self._scores(unit[unused]))
        return self

    def decision_function(self, X: Any) -> NDArray:
        """Return the scores of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
            Predictions of the regression, near 1 for the class of the row and near 0 for others;
            for two classes, the second score less the first; for an indicator matrix, twice the
            score less 1.
        """
        scores = self._scores(self._rows(X))
        if self._multilabel:
            return 2 * scores - 1
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> NDArray:
        """Predict classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, n_outputs)
            Elements of `classes_`, or an indicator matrix.
        """
        scores = self._scores(self._rows(X))
        if self._multilabel:
            return (scores > 0.5).astype(int)
        return self.classes_[scores.argmax(axis=1)]

    def predict_proba(self, X: Any) -> NDArray:
        """Predict calibrated probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float64
            In the order of `classes_`; for an indicator matrix, the probability of each label.
        """
        return self._proba(self._scores(self._rows(X)))

    def kernel_expansion(self) -> KernelExpansion:
        """Return the fitted classifier as plain arrays, such as for an export.

        Returns
        -------
        KernelExpansion
            The arrays, with the temperature in the coefficients and the intercept.

        Examples
        --------
        >>> import numpy as np
        >>> from langalign_sk import KernelRidgeClassifier
        >>> X, y = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.1]]), ["a", "b", "b"]
        >>> expansion = KernelRidgeClassifier().fit(X, y).kernel_expansion()
        >>> expansion.coef.shape
        (3, 2)
        """
        check_is_fitted(self)
        slope = (2 if self._multilabel else 1) / self.temperature_
        offset = -1 / self.temperature_ if self._multilabel else 0.0
        return KernelExpansion(
            self.mean_,
            rounding_length(self.mean_, np.float32),
            self.X_fit_,
            self.gamma_,
            self.dual_coef_ * slope,
            np.broadcast_to(offset, self.dual_coef_.shape[1:]),
            self.classes_,
            self._multilabel,
        )

    def _read_labels(self, y: NDArray, used: NDArray) -> NDArray:
        """Outputs of the rows in use as (n_used, n_classes), and `classes_`."""
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y has several columns of classes: pass one column, or an indicator matrix of zeros "
                "and ones."
            )
        self._multilabel = kind == "multilabel-indicator"
        if self._multilabel:
            self.classes_ = np.arange(y.shape[1])
            return np.asarray(y[used], dtype=np.float64)
        y = column_or_1d(y, warn=True)
        self.classes_, columns = np.unique(y[used], return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "A classifier needs samples of at least 2 classes in the data, but the data contains "
                f"only one class: {self.classes_[0]!r}"
            )
        return np.eye(len(self.classes_))[columns]

    def _choose(
        self,
        gammas: list[float],
        alphas: list[float],
        U: NDArray,
        Y: NDArray,
        weight: NDArray,
    ) -> tuple[float, float]:
        """Gamma and alpha of the least leave-one-out log loss; of equal ones, the first."""
        if len(gammas) == len(alphas) == 1:
            return gammas[0], alphas[0]
        distances = _distances_within(U)
        losses = {}
        for gamma in gammas:
            for alpha, loo in loo_scores(rbf(distances, gamma), Y, weight, alphas):
                losses[gamma, alpha] = self._calibrate(loo, Y, weight)[1]
        return min(losses, key=lambda pair: losses[pair])

    def _fit_exact(self, rows: DistinctRows, alpha: float, alphas: list[float]) -> _Solution:
        """Solution for alpha, or for one that is reached by steps of clearly falling log loss."""
        distances = _distances_within(self.X_fit_)

        def solve(alpha: float) -> _Solution:
            fit = fit_ridge(rbf(distances, self.gamma_), rows.Y, rows.weight, alpha)
            return _Solution(alpha, fit, *self._calibrate(fit.loo, rows.Y, rows.weight))

        best = solve(alpha)
        larger = sorted(a for a in alphas if a > alpha)
        smaller = sorted((a for a in alphas if a < alpha), reverse=True)
        for way in (larger, smaller):
            for other in way:
                found = solve(other)
                if found.loss >= (1 - _GAIN) * best.loss:
                    break
                best = found
            if best.alpha != alpha:
                break
        return best

    def _fit_centres(
        self,
        U: NDArray,
        centres: NDArray,
        rows: DistinctRows,
        alpha: float,
        rng: np.random.RandomState,
    ) -> _Solution:
        """Solution with some rows as centres, calibrated by others, which are like new ones."""
        every = np.arange(len(U))
        others = np.delete(every, centres)
        others = others if len(others) >= _MIN_ROWS else every
        others = others[_subsample(rows.Y[others], self.max_rows, rng)]
        asked = every if self.store_loo else others
        fit = fit_landmarks(U, self.X_fit_, self.gamma_, rows.Y, rows.weight, alpha, asked)
        loo = fit.loo[np.searchsorted(asked, others)]
        return _Solution(alpha, fit, *self._calibrate(loo, rows.Y[others], rows.weight[others]))

    def _calibrate(self, scores: NDArray, Y: NDArray, weight: NDArray) -> tuple[Any, float]:
        """Temperature and log loss of leave-one-out scores."""
        if self._multilabel:
            return sigmoid_temperature(2 * scores - 1, Y, weight)
        return softmax_temperature(scores, Y, weight)

    def _rows(self, X: Any) -> NDArray:
        """Validated rows, centred and scaled."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=_FLOATS, reset=False)
        return unit_rows(X, self.mean_)

    def _scores(self, rows: NDArray) -> NDArray:
        """Predictions of the regression."""
        scores = np.empty((len(rows), self.dual_coef_.shape[1]))
        for part in blocks(len(rows), len(self.X_fit_)):
            kernel = rbf(squared_distances(rows[part], self.X_fit_), self.gamma_)
            scores[part] = kernel @ self.dual_coef_
        return scores

    def _proba(self, scores: NDArray) -> NDArray:
        if self._multilabel:
            return expit((2 * scores - 1) / self.temperature_)
        return softmax(scores / self.temperature_, axis=1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _distances_within(U: NDArray) -> NDArray:
    """Squared distances of rows to each other, from float64 products."""
    U = U.astype(np.float64)
    return squared_distances(U, U)


def _grid(name: str, value: Any, auto: tuple[float, ...]) -> list[float]:
    """Values of a parameter that may be "auto"."""
    if isinstance(value, str) and value == "auto":
        return list(auto)
    expected = 'a positive number, several of them, or "auto"'
    values = check_grid(name, value, Real, lambda v: 0 < v < np.inf, expected)
    return [float(v) for v in values]


def _subsample(Y: NDArray, n_rows: int, rng: np.random.RandomState) -> NDArray[np.intp]:
    """Random rows in which classes have the shares of all, in increasing order."""
    if len(Y) <= n_rows:
        return np.arange(len(Y))
    order = rng.permutation(len(Y))
    classes = Y[order].argmax(axis=1)
    by_class = np.argsort(classes, kind="stable")
    sizes = np.bincount(classes)
    within = np.arange(len(Y)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    shares = (within + 0.5) / np.repeat(sizes, sizes)
    return np.sort(order[by_class[np.argsort(shares, kind="stable")[:n_rows]]])
