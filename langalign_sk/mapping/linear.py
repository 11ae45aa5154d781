"""Closed-form linear aligners."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._utils.arrays import is_diagonal, is_identity
from .._utils.fits import keeps_former_fit
from .._utils.idle import say_idle
from .._utils.validation import forget, warn_user
from ._base import PairedMap
from .candidates import Candidate, MapCandidate, cautious_candidate, linear_candidates
from .closed_form import Solver
from .idle import idle_of_linear
from .network import Network
from .rows import PairedRows
from .selection import HeldOutPairs, choose, held_out_pairs

__all__ = ["LinearAligner", "linear_aligner"]


_MATRICES = ("coef_", "inverse_coef_")


class LinearAligner(PairedMap):
    """Closed-form linear map between two sets of paired embeddings.

    Learns ``x @ coef_ + intercept_`` that puts rows of one space (say, Korean sentences in a
    multilingual encoder) where their counterparts of another space are (their English
    translations, in the same or in another encoder), and a map back of its own. Candidates are
    compared on held-out rows; their sums are made once, and powers and ranks share one
    decomposition.

    Parameters
    ----------
    method : {"auto", "identity", "centre", "scale", "ridge", "procrustes", "spectral"}, default="auto"
        - "identity": no map; the widths must agree.
        - "centre": the difference of the means, ``x + mean(Y) - mean(X)``; the widths must
          agree.
        - "scale": the difference of the means and the ratio of the standard deviations, feature by
          feature, ``(x - mean(X)) * std(Y) / std(X) + mean(Y)``. The ratio is 1 where a feature is
          constant on either side; the widths must agree.
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
        - "auto": the simplest of the others within one standard error of the best, by the `objective`
          on held-out pairs. The identity is always a candidate where the widths
          agree. Where neither it, nor
          "centre" or "scale", finds more than half of what "procrustes" finds, the sides are two
          spaces: "spectral" is tried there alone, and "centre", "scale" and "ridge" are not.
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
    objective : {"retrieval", "head"}, default="retrieval"
        What "auto" and grids choose by; a single map is what it is for either.

        - "retrieval": the log-likelihood of retrieving held-out translations. "auto" does not try
          "scale". The identity is kept unless another map has a higher recall at 1.
        - "head": the squared error of held-out rows, which a frozen model of `y` feels. "auto" then
          stays near the identity, "ridge" has strengths of 10 and more, and in one space neither
          "procrustes" nor "spectral" is tried. The identity is kept unless another map takes away a
          fifth of its squared error, and finds no fewer translations.
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
        Held-out scores of every candidate. None where there was no choice to make.
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
    back is fitted as a map from Y to X; it is the inverse for "identity", "centre", "scale" and,
    for equal widths, "procrustes".

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

    _later_parameters: ClassVar[dict[str, Any]] = {"objective": "retrieval"}
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
        objective: str = "retrieval",
        random_state: Any = None,
    ) -> None:
        self.method = method
        self.alpha = alpha
        self.power = power
        self.rank = rank
        self.match_scale = match_scale
        self.shared = shared
        self.objective = objective
        self.random_state = random_state

    @keeps_former_fit
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
        fitted = self.fit_rows(self.check_rows(X, y, sample_weight))
        say_idle(self, idle_of_linear(self))
        return fitted

    @keeps_former_fit
    def fit_rows(self, rows: PairedRows) -> LinearAligner:
        candidates = linear_candidates(
            self.method,
            alpha=self.alpha,
            power=self.power,
            rank=self.rank,
            shared=self.shared,
            objective=self.objective,
            square=rows.square,
        )
        best = candidates[0]
        self.cv_results_ = None
        constant = [] if self.method == "identity" else rows.constant_sides
        if constant and len(rows) > 1:
            warn_user(
                f"All {len(rows)} rows of {' and '.join(constant)} are the same, so that there is "
                "nothing to learn from. Check the encoder."
            )
            best = cautious_candidate(candidates)
        elif len(candidates) > 1:
            choice = choose(
                rows, candidates, random_state=self.random_state, objective=self.objective
            )
            if choice is None:
                best = cautious_candidate(candidates)
                warn_user(
                    f"There are fewer than 10 distinct pairs among {len(rows)}, too few to hold any "
                    f"out and choose by: {best.method!r} is used. Give more, or name `method`."
                )
            else:
                best, self.cv_results_ = choice.best, choice.results
        # A rotation needs one of the three products, no alignment and a shift none.
        cross_only = best.method in ("identity", "centre", "procrustes") and not self.match_scale
        self._keep(best, rows.cross_solver if cross_only else rows.solver)
        self.n_features_in_, self._n_targets = rows.X.shape[1], rows.Y.shape[1]
        return self

    def _keep(self, best: Candidate, solver: Solver) -> None:
        """Set the fitted attributes."""
        forget(self, "counterpart_coef_", "counterpart_intercept_")
        if self.shared:
            there, across, back = solver.canonical(*best.spectral_settings())
            self.counterpart_coef_, self.counterpart_intercept_ = across.coef, across.intercept
        else:
            there, back = best.solve(solver), best.solve(solver, reverse=True)
        if self.match_scale and not self.shared:
            there, back = solver.match_scale(there), solver.match_scale(back, reverse=True)
        self.coef_, self.intercept_ = there.coef, there.intercept
        self.inverse_coef_, self.inverse_intercept_ = back.coef, back.intercept
        self.method_, self.alpha_ = best.method, best.alpha
        self.power_, self.rank_ = best.power, best.rank

    @property
    def fitted_method(self) -> str:
        return self.method_

    @property
    def _fitted_candidate(self) -> Candidate:
        return Candidate(self.method_, self.alpha_, self.power_, self.rank_, shared=self.shared)

    def unfitted_twin(self) -> LinearAligner:
        twin = linear_aligner(self._fitted_candidate, random_state=0)
        return twin.set_params(match_scale=self.match_scale)

    def held_out(self, rows: PairedRows, random_state: Any) -> HeldOutPairs | None:
        return held_out_pairs(
            rows,
            self._fitted_candidate,
            random_state=random_state,
            match_scale=self.match_scale and not self.shared,
        )

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        for name in _MATRICES:  # a matrix of 1 MB may be nothing but its diagonal
            if is_identity(state.get(name)):
                state[name] = len(state[name]), state[name].dtype.str
            elif is_diagonal(state.get(name)):
                state[name] = np.diagonal(state[name]).copy()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        for name in _MATRICES:
            if isinstance(state.get(name), tuple):
                n, dtype = state[name]
                state[name] = np.eye(n, dtype=dtype)
            elif isinstance(state.get(name), np.ndarray) and state[name].ndim == 1:
                state[name] = np.diag(state[name])
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


def linear_aligner(candidate: MapCandidate, random_state: Any = None) -> LinearAligner:
    """Unfitted aligner of one closed form."""
    settings = candidate.settings
    alpha, power = ("auto" if settings[k] is None else settings[k] for k in ("alpha", "power"))
    return LinearAligner(
        candidate.method,
        alpha=alpha,
        power=power,
        rank=settings["rank"],
        shared=candidate.shared,
        random_state=random_state,
    )
