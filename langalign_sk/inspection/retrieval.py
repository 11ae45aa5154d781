"""Plots of retrieval: recall against the places looked at, and hubs."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import skew
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from ..metrics import k_occurrence as count_occurrences
from ..metrics.hubs import HubSimilarity
from ..metrics.pairs import (
    _TIE,
    Similarity,
    _blocks,
    _check_choice,
    _check_pair,
    _find_hubs,
    _rank,
    duplicate_groups,
    normalize_rows,
)
from .learning_curve import _check_matplotlib

__all__ = ["HubnessDisplay", "RetrievalDisplay"]

OneWay = Literal["forward", "backward"]

# Colour-blind safe, of Okabe and Ito, "Color Universal Design" (2008).
_BLUE, _VERMILLION = "#0072B2", "#D55E00"
# Who looks, who is found.
_ROLES = {"forward": ("target", "English"), "backward": ("English", "target")}


class RetrievalDisplay:
    """Recall at k against k, in both directions, beside no alignment.

    Build it with `from_estimator` or `from_embeddings`, or from numbers that were computed before.

    Parameters
    ----------
    k : array-like of shape (n_k,), dtype int
        How many nearest rows may hold the translation, rising.
    recall : array-like of shape (2, n_k)
        With alignment. First row: target rows look for English ones; second: the other way.
    recall_unaligned : array-like of shape (2, n_k) or None
        The same without alignment; None where the two sides had no space in common.
    n_pairs : int
        Pairs in the pool; recall falls with their number.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it was drawn.
    figure_ : matplotlib.figure.Figure
        Its figure.
    lines_ : list of matplotlib.lines.Line2D
        With alignment, one line a direction.
    lines_unaligned_ : list of matplotlib.lines.Line2D or None
        Without.

    See Also
    --------
    langalign_sk.metrics.retrieval_recall_score : One of the numbers.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from langalign_sk.inspection import RetrievalDisplay
    >>> from langalign_sk.mapping import LinearAligner
    >>> Y = np.random.default_rng(0).normal(size=(300, 8))
    >>> X = Y @ np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    >>> aligner = LinearAligner("procrustes").fit(X[:200], Y[:200])
    >>> display = RetrievalDisplay.from_estimator(aligner, X[200:], Y[200:], k=[1, 5])
    >>> display.recall.round(3).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(
        self, k: ArrayLike, recall: ArrayLike, recall_unaligned: ArrayLike | None, n_pairs: int
    ) -> None:
        self.k = np.asarray(k)
        self.recall = np.asarray(recall)
        self.recall_unaligned = None if recall_unaligned is None else np.asarray(recall_unaligned)
        self.n_pairs = n_pairs

    @classmethod
    def from_estimator(
        cls,
        aligner: Any,
        X: Any,
        y: Any = None,
        *,
        k: Sequence[int] = range(1, 11),
        similarity: Similarity = "cosine",
        ax: Any = None,
    ) -> RetrievalDisplay:
        """Move pairs by a fitted aligner, let them find each other, and draw it.

        Use pairs that the aligner was not fitted on.

        Parameters
        ----------
        aligner : CrossLingualAligner, LinearAligner or AdapterAligner
            A fitted aligner.
        X : pairs of text, or array-like of shape (n_pairs, n_features)
            Embeddings to be moved; with a CrossLingualAligner also pairs of text, as in its `fit`.
        y : array-like of shape (n_pairs, n_targets), default=None
            Embeddings of the counterparts; None for pairs of text.
        k : sequence of int, default=range(1, 11)
            How many nearest rows may hold the translation.
        similarity : {"cosine", "csls", "margin"}, default="cosine"
            See :func:`~langalign_sk.metrics.retrieval_recall_score`.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        RetrievalDisplay
            With the drawing.

        Raises
        ------
        ValueError
            If `aligner` is none of these, X holds no pairs, a `k` is not in [1, n_pairs], or
            `similarity` is unknown. All of it before any text is encoded.
        NotFittedError
            If `aligner` is not fitted.
        ImportError
            If matplotlib is not installed.

        Notes
        -----
        Without alignment are the rows of the multilingual encoder on both sides. There is no such
        baseline where the sides differ in width, or come from two encoders. Pairs that share a
        sentence (:func:`~langalign_sk.model_selection.pair_groups`) are right answers for each
        other.
        """
        _check_matplotlib()
        _check_choice("similarity", similarity, get_args(Similarity))
        sides = _move_both(aligner, X, y, k)
        before, groups = sides.unaligned, sides.groups
        ks = _check_k(k, len(groups))
        return cls(
            ks,
            _recalls(sides.X, sides.Y, groups, ks, similarity),
            None if before is None else _recalls(*before, groups, ks, similarity),
            n_pairs=len(groups),
        ).plot(ax=ax)

    @classmethod
    def from_embeddings(
        cls,
        X: ArrayLike,
        Y: ArrayLike,
        *,
        X_unaligned: ArrayLike | None = None,
        Y_unaligned: ArrayLike | None = None,
        k: Sequence[int] = range(1, 11),
        similarity: Similarity = "cosine",
        ax: Any = None,
    ) -> RetrievalDisplay:
        """Let rows of one space find each other, and draw it.

        Parameters
        ----------
        X, Y : array-like of shape (n_pairs, n_features), float32 or float64
            Target and English rows in one space; row i of one is the translation of row i of the
            other. Rows with the same vector in `Y` are right answers for each other.
        X_unaligned, Y_unaligned : array-like of shape (n_pairs, n_before), default=None
            The rows before alignment. A side that is None did not move; if both are, no baseline
            is drawn.
        k, similarity, ax
            As in `from_estimator`.

        Returns
        -------
        RetrievalDisplay
            With the drawing.

        Raises
        ------
        ValueError
            If the sides differ in length or width, hold NaN, a `k` is not in [1, n_pairs], or
            `similarity` is unknown.
        ImportError
            If matplotlib is not installed.
        """
        _check_matplotlib()
        _check_choice("similarity", similarity, get_args(Similarity))
        X, Y = _check_pair(X, Y)
        ks = _check_k(k, len(Y))
        before = _before(X, Y, X_unaligned, Y_unaligned)
        groups, recall_unaligned = duplicate_groups(Y), None
        if before is not None:
            recall_unaligned = _recalls(*_check_pair(*before), groups, ks, similarity)
        recall = _recalls(X, Y, groups, ks, similarity)
        return cls(ks, recall, recall_unaligned, n_pairs=len(Y)).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> RetrievalDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        RetrievalDisplay
            With the drawing.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = _check_matplotlib()
        from matplotlib.ticker import LogLocator, MaxNLocator

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.lines_ = self._draw(ax, self.recall, "aligned", linestyle="-")
        self.lines_unaligned_ = None
        if self.recall_unaligned is not None:
            self.lines_unaligned_ = self._draw(
                ax, self.recall_unaligned, "no alignment", linestyle="--", markerfacecolor="white"
            )
        if self.k[-1] > 20 * self.k[0]:
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_major_formatter("{x:,.0f}")
            ax.minorticks_off()
        else:
            ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.set(xlabel="nearest rows, k", ylabel=f"recall at k ({self.n_pairs:,} pairs)")
        # Above the axes: four lines may leave no place for it between them.
        ax.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize="small", frameon=False
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw(self, ax: Any, recall: NDArray, system: str, **style: Any) -> list[Any]:
        lines = []
        ways = zip(recall, _ROLES.values(), (_BLUE, _VERMILLION), strict=True)
        for values, (seeking, found), color in ways:
            label = f"{seeking} finds {found}, {system}"
            lines += ax.plot(
                self.k, values, color=color, label=label, marker="o", markersize=4, **style
            )
        return lines


class HubnessDisplay:
    """How many rows are among the k nearest at least so many times, beside no alignment.

    Hubs are the tail at the right: rows that are near to many others and spoil retrieval. The
    legend gives the skewness of the counts, :func:`~langalign_sk.metrics.hubness_score`.

    Build it with `from_estimator` or `from_embeddings`, or from counts of
    :func:`~langalign_sk.metrics.k_occurrence`.

    Parameters
    ----------
    k_occurrence : array-like of shape (n_found,)
        How often every row is among the `k` nearest, with alignment.
    k_occurrence_unaligned : array-like of shape (n_found,) or None
        The same without alignment; None where the two sides had no space in common.
    k : int
        How many nearest rows were counted.
    direction : {"forward", "backward"}, default="forward"
        Whose counts they are: of English rows, found by target rows, or the other way.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it was drawn.
    figure_ : matplotlib.figure.Figure
        Its figure.
    line_ : matplotlib.lines.Line2D
        With alignment.
    line_unaligned_ : matplotlib.lines.Line2D or None
        Without.
    mean_ : matplotlib.lines.Line2D
        Where all rows would be if none were a hub.

    See Also
    --------
    langalign_sk.retrieval : Searches that discount hubs.

    References
    ----------
    Radovanovic, Nanopoulos and Ivanovic, "Hubs in space: popular nearest neighbors in
    high-dimensional data", JMLR 2010.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from langalign_sk.inspection import HubnessDisplay
    >>> Y = np.vstack([np.eye(4), np.ones(4)])  # the last row is near to all
    >>> display = HubnessDisplay.from_embeddings(np.eye(4) + 1, Y, k=1)
    >>> display.k_occurrence.tolist()
    [0.0, 0.0, 0.0, 0.0, 4.0]
    >>> display.line_.get_label()
    'aligned, skewness 1.50'
    """

    def __init__(
        self,
        k_occurrence: ArrayLike,
        k_occurrence_unaligned: ArrayLike | None,
        k: int,
        direction: OneWay = "forward",
    ) -> None:
        self.k_occurrence = np.asarray(k_occurrence)
        unaligned = k_occurrence_unaligned
        self.k_occurrence_unaligned = None if unaligned is None else np.asarray(unaligned)
        self.k = k
        self.direction = direction

    @classmethod
    def from_estimator(
        cls,
        aligner: Any,
        X: Any,
        y: Any = None,
        *,
        k: int = 10,
        similarity: HubSimilarity = "cosine",
        direction: OneWay = "forward",
        ax: Any = None,
    ) -> HubnessDisplay:
        """Move pairs by a fitted aligner, count who is near, and draw it.

        Parameters
        ----------
        aligner, X, y
            As in :meth:`RetrievalDisplay.from_estimator`.
        k : int, default=10
            How many nearest rows are counted.
        similarity : {"cosine", "csls"}, default="cosine"
            See :func:`~langalign_sk.metrics.k_occurrence`.
        direction : {"forward", "backward"}, default="forward"
            "forward": target rows look for English rows, and English rows are counted;
            "backward": the other way.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        HubnessDisplay
            With the drawing.

        Raises
        ------
        ValueError
            If `aligner` is none of these, X holds no pairs, `k` is not in [1, n_pairs], or
            `similarity` or `direction` is unknown. All of it before any text is encoded.
        NotFittedError
            If `aligner` is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        _check_matplotlib()
        _check_choice("similarity", similarity, get_args(HubSimilarity))
        _check_choice("direction", direction, get_args(OneWay))
        sides = _move_both(aligner, X, y, (k,))
        X_unaligned, Y_unaligned = sides.unaligned or (None, None)
        return cls.from_embeddings(
            sides.X,
            sides.Y,
            X_unaligned=X_unaligned,
            Y_unaligned=Y_unaligned,
            k=k,
            similarity=similarity,
            direction=direction,
            ax=ax,
        )

    @classmethod
    def from_embeddings(
        cls,
        X: ArrayLike,
        Y: ArrayLike,
        *,
        X_unaligned: ArrayLike | None = None,
        Y_unaligned: ArrayLike | None = None,
        k: int = 10,
        similarity: HubSimilarity = "cosine",
        direction: OneWay = "forward",
        ax: Any = None,
    ) -> HubnessDisplay:
        """Count which rows of one space are near to many, and draw it.

        Parameters
        ----------
        X : array-like of shape (n_X, n_features), float32 or float64
            Target rows.
        Y : array-like of shape (n_Y, n_features), float32 or float64
            English rows, in the same space. No pairs are needed.
        X_unaligned : array-like of shape (n_X, n_before), default=None
            Target rows before alignment; None if they did not move.
        Y_unaligned : array-like of shape (n_Y, n_before), default=None
            English rows before alignment; None if they did not move. If both are None, no
            baseline is drawn.
        k, similarity, direction, ax
            As in `from_estimator`.

        Returns
        -------
        HubnessDisplay
            With the drawing.

        Raises
        ------
        ValueError
            If the sides differ in width, hold NaN, a side differs in length from its rows before
            alignment, `k` is larger than the number of rows that are counted, or `similarity` or
            `direction` is unknown.
        ImportError
            If matplotlib is not installed.
        """
        _check_matplotlib()
        _check_choice("direction", direction, get_args(OneWay))
        forward = direction == "forward"
        _check_k((k,), len(np.asarray(Y if forward else X)))
        before = _before(X, Y, X_unaligned, Y_unaligned)

        def count(X: ArrayLike, Y: ArrayLike) -> NDArray:
            seeking, found = (X, Y) if forward else (Y, X)
            return count_occurrences(seeking, found, k=k, similarity=similarity)

        unaligned = None if before is None else count(*before)
        return cls(count(X, Y), unaligned, k, direction).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> HubnessDisplay:
        """Draw the distributions.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        HubnessDisplay
            With the drawing.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = _check_matplotlib()
        from matplotlib.ticker import SymmetricalLogLocator

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.line_ = _draw_counts(ax, self.k_occurrence, "aligned", color=_BLUE)
        self.line_unaligned_ = None
        if self.k_occurrence_unaligned is not None:
            style = {"color": _VERMILLION, "linestyle": "--"}
            unaligned = self.k_occurrence_unaligned
            self.line_unaligned_ = _draw_counts(ax, unaligned, "no alignment", **style)
        mean = self.k_occurrence.mean()
        self.mean_ = ax.axvline(mean, color="0.4", linestyle=":", label=f"mean, {mean:.3g}")
        # Rows that nothing is near to stand at 0, which a log axis has no place for.
        ax.set_xscale("symlog", linthresh=1)
        ax.set_yscale("log")
        ax.set_xlim(left=-0.1)
        ax.set_ylim(bottom=0.8)
        ax.xaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=1, subs=(1, 2, 5)))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter("{x:,.0f}")
        seeking, found = _ROLES[self.direction]
        ax.set(
            xlabel=f"N, {seeking} rows that have it among their {self.k} nearest",
            ylabel=f"{found} rows with at least N",
        )
        ax.legend(loc="lower left")  # below a falling curve
        self.ax_, self.figure_ = ax, ax.figure
        return self


class _Sides(NamedTuple):
    """Both sides of pairs in one space, and who is a right answer for whom."""

    X: NDArray
    Y: NDArray
    unaligned: tuple[NDArray, NDArray] | None
    groups: NDArray[np.intp]


def _move_both(aligner: Any, X: Any, y: Any, k: Sequence[int]) -> _Sides:
    """Both sides of pairs as a fitted aligner puts them together."""
    # They import this package's report.
    from .._inputs import Pairs, check_pairs_y
    from .._moving import english_side
    from ..aligner import CrossLingualAligner
    from ..encoders import EncodingSession
    from ..mapping._base import check_counterparts
    from ..model_selection.splits import pair_groups, text_groups

    routes_text = isinstance(aligner, CrossLingualAligner)
    if not routes_text and not hasattr(aligner, "transform_counterparts"):
        raise ValueError(
            "aligner must be a fitted CrossLingualAligner, LinearAligner or AdapterAligner, got "
            f"{type(aligner).__name__}. Pass the rows of another map to from_embeddings."
        )
    check_is_fitted(aligner)
    source: Any = None
    system: Any = None
    data = None
    if routes_text:
        source, system = aligner._encoders()
        data = aligner._read(X)
    if data is None:
        groups = pair_groups(X, y)
        _check_k(k, len(groups))
        moved = np.asarray(aligner.transform(X))
        raw = np.asarray(X, dtype=moved.dtype), check_counterparts(moved, y)
        one_space = source is system and raw[0].shape[1] == raw[1].shape[1]
        return _Sides(moved, english_side(aligner, raw[1]), raw if one_space else None, groups)
    if not isinstance(data, Pairs):
        raise ValueError(
            "X is one column of text, which has no translations to find: pass pairs, two columns "
            "[target, English]."
        )
    check_pairs_y(y)
    groups = text_groups(data.target, data.english)
    _check_k(k, len(groups))
    session = EncodingSession()
    moved = aligner._transform_rows(data.target, data.languages, session)
    english = aligner._transform_rows(data.english, ["en"] * len(groups), session)
    unaligned = None
    if source is system:
        unaligned = session.encode(source, data.target), session.encode(source, data.english)
    return _Sides(moved, english, unaligned, groups)


def _before(
    X: ArrayLike, Y: ArrayLike, X_unaligned: ArrayLike | None, Y_unaligned: ArrayLike | None
) -> tuple[ArrayLike, ArrayLike] | None:
    """Both sides before alignment, where one of them moved."""
    if X_unaligned is None and Y_unaligned is None:
        return None
    check_consistent_length(X, X_unaligned)
    check_consistent_length(Y, Y_unaligned)
    return X if X_unaligned is None else X_unaligned, Y if Y_unaligned is None else Y_unaligned


def _recalls(
    X: NDArray, Y: NDArray, groups: NDArray[np.intp], k: list[int], similarity: str
) -> NDArray:
    """Recall at every k, one row a direction; similarities are computed once for all k."""
    A, B = normalize_rows(X), normalize_rows(Y)
    hubs = _find_hubs(A, B, similarity)
    out = []
    for direction in _ROLES:
        blocks = _blocks(A, B, hubs, direction)
        hits = [[_rank(S, start, groups, n)[0] for n in k] for start, S in blocks]
        out.append(np.concatenate(hits, axis=1).mean(axis=1))
    return np.array(out)


def _check_k(k: Sequence[int], n_found: int) -> list[int]:
    """The distinct values, rising."""
    values = np.ravel(k)
    valid = [isinstance(n, numbers.Integral) and 1 <= int(n) <= n_found for n in values]
    if not valid or not all(valid):
        raise ValueError(f"k must be from 1 to {n_found}, the rows that can be found, got {k!r}.")
    return sorted({int(n) for n in values})


def _draw_counts(ax: Any, counts: NDArray, name: str, **style: Any) -> Any:
    """Rows that are counted so many times or more."""
    times, rows = np.unique(np.append(0, counts), return_counts=True)
    rows[0] -= 1  # the 0 that begins the line
    at_least = len(counts) - np.cumsum(rows) + rows
    # As in hubness_score: shares of ties leave rounding errors, which have a skewness too.
    skewness = 0.0 if np.ptp(counts) < _TIE else skew(counts)
    label = f"{name}, skewness {skewness:.2f}"
    (line,) = ax.step(times, at_least, where="pre", label=label, **style)
    return line
