"""Closed-form linear aligners."""

from __future__ import annotations

import numbers
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight

from .._utils.arrays import is_identity
from ._base import PairedMap
from .candidates import METHODS, Candidate, candidates_for
from .closed_form import Moments, Solver
from .network import Network
from .selection import choose

__all__ = ["LinearAligner", "method_of"]


_MATRICES = ("coef_", "inverse_coef_")
# With too few pairs to hold any out, nothing supports leaving the identity by more than this.
_CAUTIOUS_ALPHA = 10.0


class LinearAligner(PairedMap):
    """Closed-form linear map between two sets of paired embeddings.

    Learns ``x @ coef_ + intercept_`` that puts rows of one space (say, Korean sentences in a
    multilingual encoder) where their counterparts of another space are (their English
    translations, in the same or in another encoder), and a map back of its own. All
    regularisation strengths, powers and ranks are tried on held-out rows for the price of one
    eigendecomposition a side.

    Parameters
    ----------
    method : {"auto", "identity", "procrustes", "ridge", "spectral"}, default="auto"
        - "identity": no map; the widths must agree.
        - "ridge": least squares shrunk towards the identity,
          ``(G + a t I)^-1 (C + a t I)`` with ``G = Xc'Xc / n``, ``C = Xc'Yc / n`` and
          ``t = trace(G) / d``; towards zero where the widths differ.
        - "procrustes": centred orthogonal Procrustes (Schönemann, "A generalized solution of
          the orthogonal Procrustes problem", Psychometrika 1966); semi-orthogonal where the
          widths differ.
        - "spectral": ``(Cx + lI)^-1/2 U S^p V' (Cy + lI)^1/2`` with ``U S V'`` the singular
          value decomposition of the whitened cross-covariance. ``p=1`` is reduced-rank ridge,
          ``p=0`` whitens, rotates and recolours (compare Artetxe, Labaka and Agirre,
          "Generalizing and improving bilingual word embedding mappings", AAAI 2018).
        - "auto": the simplest of these within one standard error of the best log-likelihood of
          retrieving held-out translations. The identity is always a candidate where the widths
          agree, and is kept unless another map has a higher recall at 1. There "spectral" is
          tried only, and "ridge" is not, where the identity finds at most half of what
          "procrustes" finds: then the sides are two spaces and not one.
    alpha : float, sequence of float or "auto", default="auto"
        Regularisation strength of "ridge" and "spectral" in units of the mean eigenvalue of the
        covariance. A sequence is a grid to choose from.
    power : float, sequence of float or "auto", default="auto"
        Exponent p of the singular values, only for "spectral".
    rank : int, sequence of int or None, default=None
        How many singular directions "spectral" keeps. None keeps all.
    match_scale : bool, default=False
        Regularised least squares shrinks its output. True stretches the output about the mean
        of `y` until its total variance is that of `y`, as a classifier trained on `y` expects.
    shared : bool, default=False
        Move both sides into one space of canonical variates in place of X into that of y:
        ``(Cx + lI)^-1/2 U S^p`` for X and ``(Cy + lI)^-1/2 V S^p`` for y (canonical correlation
        analysis, Hotelling, Biometrika 1936, with ridge and with the variates weighted by their
        correlation). Translations are found best there; models trained on `y` do not know that
        space. Only for "spectral", which "auto" then stands for, with one `alpha` (default 1),
        one `power` (default 0.5) and one `rank`.
    random_state : int, RandomState instance or None, default=None
        Draws the held-out rows where there is a choice to make. Pass an int for the same
        choice in every call.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features, n_targets), dtype of X
        Linear part of the map.
    intercept_ : ndarray of shape (n_targets,), dtype of X
        Offset of the map.
    inverse_coef_ : ndarray of shape (n_targets, n_features), dtype of X
        Linear part of the fitted map back.
    inverse_intercept_ : ndarray of shape (n_features,), dtype of X
        Offset of the map back.
    counterpart_coef_ : ndarray of shape (n_targets, n_shared), dtype of X
        Linear part of the map of y into the shared space; only with `shared`.
    counterpart_intercept_ : ndarray of shape (n_shared,), dtype of X
        Its offset.
    method_ : str
        The method in use; differs from `method` only for "auto".
    alpha_, power_, rank_ : float or int or None
        The settings in use; None where the method has no such setting.
    cv_results_ : dict of str to list or None
        Held-out recall of every candidate. None where there was no choice to make.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Column names of X, if it had any.

    Raises
    ------
    ValueError
        In `fit`, if the two sides differ in length, hold NaN or fewer than two rows, or if a
        parameter is out of its range.

    See Also
    --------
    langalign_sk.CrossLingualAligner : The same on text, with the encoders inside.
    sklearn.cross_decomposition.CCA : Maps both sides into a third space.

    Notes
    -----
    Means and scales are those of the fit, so that `transform` treats every row alone. The map
    back is fitted as a map from Y to X; it is the matrix inverse for "identity" and, for equal
    widths, "procrustes".

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.mapping import LinearAligner
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 3))
    >>> rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    >>> aligner = LinearAligner("procrustes").fit(X, X @ rotation + 1)
    >>> np.allclose(aligner.coef_, rotation)
    True
    >>> aligner.score(X, X @ rotation + 1)
    1.0
    """

    coef_: NDArray
    intercept_: NDArray
    inverse_coef_: NDArray
    inverse_intercept_: NDArray
    method_: str

    def __init__(
        self,
        method: str = "auto",
        *,
        alpha: Any = "auto",
        power: Any = "auto",
        rank: Any = None,
        match_scale: bool = False,
        shared: bool = False,
        random_state: Any = None,
    ) -> None:
        self.method = method
        self.alpha = alpha
        self.power = power
        self.rank = rank
        self.match_scale = match_scale
        self.shared = shared
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> LinearAligner:
        """Learn the map from X to y and the map back.

        Parameters
        ----------
        X : array-like of shape (n_pairs, n_features), float32 or float64
            Rows to be moved.
        y : array-like of shape (n_pairs, n_targets), float32 or float64
            Where they should be; row i is the counterpart of row i of `X`.
        sample_weight : array-like of shape (n_pairs,), default=None
            Weights of the pairs in the least-squares sense.

        Returns
        -------
        LinearAligner
            The fitted estimator.
        """
        X, Y = self._check_fit_input(X, y)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
            if not weight.sum() > 0:
                raise ValueError("sample_weight sums to zero: give at least one pair weight.")
            counted = weight > 0
            X, Y, weight = X[counted], Y[counted], weight[counted]
        candidates = self._check_parameters(X.shape[1] == Y.shape[1])
        best = candidates[0]
        # A rotation needs one of the three products, and no alignment no more.
        few = len(candidates) == 1 and best.method in ("identity", "procrustes")
        moments = Moments.of(X, Y, weight, cross_only=few and not self.match_scale)
        self.cv_results_ = None
        if len(candidates) > 1:
            choice = choose(
                X,
                Y,
                candidates,
                sample_weight=weight,
                random_state=check_random_state(self.random_state),
                total=moments,
            )
            if choice is None:
                best = self._cautious(candidates)
                warnings.warn(
                    f"There are fewer than 10 distinct pairs among {len(X)}, too few to hold any out "
                    f"and choose by: {best.method!r} is used. Give more, or name `method`.",
                    stacklevel=2,
                )
            else:
                best, self.cv_results_ = choice.best, choice.results
        solver = Solver(moments, one_map=True)
        for name in ("counterpart_coef_", "counterpart_intercept_"):
            self.__dict__.pop(name, None)
        if self.shared:
            there, across, back = solver.canonical(*best.spectral_settings())
            self.counterpart_coef_, self.counterpart_intercept_ = across.coef, across.intercept
        else:
            there, back = best.solve(solver), best.solve(solver, reverse=True)
        if self.match_scale and not self.shared:
            there, back = solver.match_scale(there), solver.match_scale(back, reverse=True)
        self.coef_, self.intercept_ = there.coef, there.intercept
        self.inverse_coef_, self.inverse_intercept_ = back.coef, back.intercept
        self._n_targets = Y.shape[1]
        self.method_, self.alpha_ = best.method, best.alpha
        self.power_, self.rank_ = best.power, best.rank
        return self

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        for name in _MATRICES:  # no alignment is a matrix of 1 MB, of nothing but ones and zeros
            if is_identity(state.get(name)):
                state[name] = len(state[name]), state[name].dtype.str
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        for name in _MATRICES:
            if isinstance(state.get(name), tuple):
                n, dtype = state[name]
                state[name] = np.eye(n, dtype=dtype)
        super().__setstate__(state)

    def move(self, X: NDArray) -> NDArray:
        out = X @ self.coef_
        out += self.intercept_
        return out

    def move_back(self, Z: NDArray) -> NDArray:
        out = Z @ self.inverse_coef_
        out += self.inverse_intercept_
        return out

    def move_counterparts(self, Y: NDArray) -> NDArray:
        if not self.shared:
            return Y
        out = Y @ self.counterpart_coef_
        out += self.counterpart_intercept_
        return out

    def networks(self) -> dict[str, Network]:
        out = {
            "move": Network(self.coef_, self.intercept_),
            "move_back": Network(self.inverse_coef_, self.inverse_intercept_),
        }
        if self.shared:
            out["move_counterparts"] = Network(self.counterpart_coef_, self.counterpart_intercept_)
        return out

    @property
    def _n_features_out(self) -> int:
        return self.coef_.shape[1]

    def _check_parameters(self, square: bool = True) -> list[Candidate]:
        """The maps that the parameters stand for, or a ValueError for one out of its range."""
        if self.method != "auto" and self.method not in METHODS:
            raise ValueError(f"method must be one of {('auto', *METHODS)}, got {self.method!r}.")
        if self.shared:
            return [self._shared_candidate()]
        if self.method == "identity" and not square:
            raise ValueError(
                'method="identity" needs X and y of one width. Use "spectral", "ridge" or '
                '"procrustes" between two widths.'
            )
        alpha = _grid("alpha", self.alpha, numbers.Real, lambda v: 0 <= v < np.inf)
        power = _grid("power", self.power, numbers.Real, lambda v: 0 <= v < np.inf)
        rank = _grid("rank", self.rank, numbers.Integral, lambda v: v >= 1) or [None]
        return candidates_for(self.method, square=square, alpha=alpha, power=power, rank=rank)

    def _shared_candidate(self) -> Candidate:
        """The one map of both sides into a shared space that the parameters stand for."""
        if self.method not in ("auto", "spectral"):
            raise ValueError(
                f'shared=True goes with method="spectral" or "auto", got {self.method!r}.'
            )
        settings: dict[str, Any] = {}
        for name, default in (("alpha", 1.0), ("power", 0.5), ("rank", None)):
            kind = numbers.Integral if name == "rank" else numbers.Real
            low = 1 if name == "rank" else 0
            grid = _grid(name, getattr(self, name), kind, lambda v, low=low: low <= v < np.inf)
            if grid is not None and len(grid) > 1:
                raise ValueError(f"shared=True takes one value of {name}, got {grid}.")
            settings[name] = default if grid is None else grid[0]
        return Candidate("spectral", shared=True, **settings)

    @staticmethod
    def _cautious(candidates: list[Candidate]) -> Candidate:
        """The choice without evidence: no alignment, else the strongest regularisation."""
        for wanted in ("identity", "ridge"):
            same = [c for c in candidates if c.method == wanted]
            if same:
                return min(same, key=lambda c: abs((c.alpha or 0.0) - _CAUTIOUS_ALPHA))
        return min(candidates, key=lambda c: c.complexity)


def _grid(name: str, value: Any, kind: type, valid: Any) -> list[Any] | None:
    """A parameter as the list of its values; None for "auto" and None."""
    if value is None or (value == "auto" if isinstance(value, str) and name != "rank" else False):
        return None
    values = [value] if isinstance(value, kind) else value
    try:
        values = list(values)
    except TypeError:
        values = [object()]
    if not values or not all(isinstance(v, kind) and valid(v) for v in values):
        allowed = (
            "a positive int, a non-empty sequence of them or None"
            if name == "rank"
            else 'a non-negative number, a non-empty sequence of them or "auto"'
        )
        raise ValueError(f"{name} must be {allowed}, got {value!r}.")
    return values


def method_of(aligner: PairedMap) -> str:
    """The method that a map was fitted by, in the words of CrossLingualAligner."""
    return aligner.method_ if isinstance(aligner, LinearAligner) else aligner.loss


def _linear(candidate: Candidate, seed: int) -> LinearAligner:
    alpha, power = ("auto" if v is None else v for v in (candidate.alpha, candidate.power))
    return LinearAligner(
        candidate.method,
        alpha=alpha,
        power=power,
        rank=candidate.rank,
        shared=candidate.shared,
        random_state=seed,
    )


def _again(aligner: PairedMap) -> PairedMap:
    """The same map, unfitted, to be fitted on fewer rows."""
    if isinstance(aligner, LinearAligner):
        return _linear(_candidate(aligner), 0).set_params(match_scale=aligner.match_scale)
    return clone(aligner).set_params(checkpoint=None, verbose=False, inverse=False)


def _candidate(aligner: LinearAligner) -> Candidate:
    a = aligner
    return Candidate(a.method_, a.alpha_, a.power_, a.rank_, shared=a.shared)
