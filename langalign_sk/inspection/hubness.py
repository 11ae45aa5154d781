"""Plot of hubs."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._utils.validation import check_choice
from ..metrics import k_occurrence as count_occurrences
from ..metrics.hubness import HubSimilarity, skewness
from ._plot import BLUE, ROLES, VERMILLION, _check_matplotlib, axes_or_new
from ._sides import before, check_k, move_both

__all__ = ["HubnessDisplay"]


OneWay = Literal["forward", "backward"]


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
        check_choice("similarity", similarity, get_args(HubSimilarity))
        check_choice("direction", direction, get_args(OneWay))
        sides = move_both(aligner, X, y, (k,))
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
        check_choice("direction", direction, get_args(OneWay))
        forward = direction == "forward"
        check_k((k,), len(np.asarray(Y if forward else X)))
        former = before(X, Y, X_unaligned, Y_unaligned)

        def count(X: ArrayLike, Y: ArrayLike) -> NDArray:
            seeking, found = (X, Y) if forward else (Y, X)
            return count_occurrences(seeking, found, k=k, similarity=similarity)

        unaligned = None if former is None else count(*former)
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
        ax = axes_or_new(ax)
        from matplotlib.ticker import SymmetricalLogLocator

        self.line_ = _draw_counts(ax, self.k_occurrence, "aligned", color=BLUE)
        self.line_unaligned_ = None
        if self.k_occurrence_unaligned is not None:
            style = {"color": VERMILLION, "linestyle": "--"}
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
        seeking, found = ROLES[self.direction]
        ax.set(
            xlabel=f"N, {seeking} rows that have it among their {self.k} nearest",
            ylabel=f"{found} rows with at least N",
        )
        ax.legend(loc="lower left")  # below a falling curve
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _draw_counts(ax: Any, counts: NDArray, name: str, **style: Any) -> Any:
    """Rows that are counted so many times or more."""
    times, rows = np.unique(np.append(0, counts), return_counts=True)
    rows[0] -= 1  # the 0 that begins the line
    at_least = len(counts) - np.cumsum(rows) + rows
    label = f"{name}, skewness {skewness(counts):.2f}"
    (line,) = ax.step(times, at_least, where="pre", label=label, **style)
    return line
