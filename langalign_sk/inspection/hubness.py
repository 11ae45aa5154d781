"""Display of k-occurrences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._utils.validation import check_choice
from ..metrics import k_occurrence as count_occurrences
from ..metrics.hubness import HubSimilarity, skewness
from ..model_selection._pairs import Aligner
from ._plot import BLUE, ROLES, VERMILLION, PairsDisplay, check_matplotlib
from ._sides import align_pairs, baseline, check_k

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["HubnessDisplay"]


OneDirection = Literal["forward", "backward"]


class HubnessDisplay(PairsDisplay):
    """Distribution of k-occurrences, with and without alignment.

    The plot shows how many rows are among the `k` nearest of at least N rows of the other side.
    Hubs are the tail on the right: rows that are near many others and spoil retrieval [1]_. The legend
    gives the skewness of the counts, :func:`~langalign_sk.metrics.hubness_score`.

    Build it with `from_estimator` or `from_embeddings`, or from the counts of
    :func:`~langalign_sk.metrics.k_occurrence`.

    Parameters
    ----------
    k_occurrence : array-like of shape (n_found,)
        How often each row is among the `k` nearest, with alignment.
    k_occurrence_unaligned : array-like of shape (n_found,) or None
        The same without alignment; None where the two sides have no space in common.
    k : int
        Number of nearest rows that were counted.
    direction : {"forward", "backward"}, default="forward"
        "forward": counts of English rows, searched by target rows; "backward": counts of target
        rows, searched by English rows.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the drawing.
    figure_ : matplotlib.figure.Figure
        Figure of the axes.
    line_ : matplotlib.lines.Line2D
        Distribution with alignment.
    line_unaligned_ : matplotlib.lines.Line2D or None
        Distribution without alignment.
    mean_ : matplotlib.lines.Line2D
        Mean count, which every row would have if there were no hubs.

    See Also
    --------
    langalign_sk.retrieval : Searches that discount hubs.

    References
    ----------
    .. [1] M. Radovanović, A. Nanopoulos and M. Ivanović, "Hubs in space: popular nearest neighbors
       in high-dimensional data", JMLR 11 (2010), 2487-2531.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from langalign_sk.inspection import HubnessDisplay
    >>> Y = np.vstack([np.eye(4), np.ones(4)])  # the last row is near all others
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
        direction: OneDirection = "forward",
    ) -> None:
        self.k_occurrence = np.asarray(k_occurrence)
        unaligned = k_occurrence_unaligned
        self.k_occurrence_unaligned = None if unaligned is None else np.asarray(unaligned)
        self.k = k
        self.direction = direction

    @classmethod
    def from_estimator(
        cls,
        aligner: Aligner,
        X: Any,
        y: Any = None,
        *,
        k: int = 10,
        similarity: HubSimilarity = "cosine",
        direction: OneDirection = "forward",
        ax: Axes | None = None,
    ) -> HubnessDisplay:
        """Move pairs by a fitted aligner, count the nearest rows, and plot the counts.

        Parameters
        ----------
        aligner, X, y
            As in :meth:`RetrievalDisplay.from_estimator`.
        k : int, default=10
            Number of nearest rows that are counted.
        similarity : {"cosine", "csls"}, default="cosine"
            See :func:`~langalign_sk.metrics.k_occurrence`.
        direction : {"forward", "backward"}, default="forward"
            "forward": target rows search, and English rows are counted; "backward": the other
            way round.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        HubnessDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `aligner` is not one of these, X does not hold pairs, `k` is not in [1, n_pairs], or
            `similarity` or `direction` is unknown; raised before any text is encoded.
        NotFittedError
            If `aligner` is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib()
        check_choice("similarity", similarity, get_args(HubSimilarity))
        check_choice("direction", direction, get_args(OneDirection))
        pairs = align_pairs(aligner, X, y, (k,))
        X_unaligned, Y_unaligned = pairs.unaligned or (None, None)
        return cls.from_embeddings(
            pairs.X,
            pairs.Y,
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
        direction: OneDirection = "forward",
        ax: Axes | None = None,
    ) -> HubnessDisplay:
        """Count the nearest rows in one space, and plot the counts.

        Parameters
        ----------
        X : array-like of shape (n_X, n_features), float32 or float64
            Target rows.
        Y : array-like of shape (n_Y, n_features), float32 or float64
            English rows, in the same space. No pairs are needed.
        X_unaligned : array-like of shape (n_X, n_before), default=None
            Target rows before alignment; None if they were not moved.
        Y_unaligned : array-like of shape (n_Y, n_before), default=None
            English rows before alignment; None if they were not moved. If both are None, no
            baseline is drawn.
        k, similarity, direction, ax
            As in `from_estimator`.

        Returns
        -------
        HubnessDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the sides differ in width or hold NaN, if a side differs in length from its rows
            before alignment, if `k` exceeds the number of counted rows, or if `similarity` or
            `direction` is unknown.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib()
        check_choice("direction", direction, get_args(OneDirection))
        forward = direction == "forward"
        check_k((k,), len(np.asarray(Y if forward else X)))
        sides_unaligned = baseline(X, Y, X_unaligned, Y_unaligned)

        def count(X: ArrayLike, Y: ArrayLike) -> NDArray:
            seeking, found = (X, Y) if forward else (Y, X)
            return count_occurrences(seeking, found, k=k, similarity=similarity)

        unaligned = None if sides_unaligned is None else count(*sides_unaligned)
        return cls(count(X, Y), unaligned, k, direction).plot(ax=ax)

    def _draw(self, ax: Axes) -> None:
        from matplotlib.ticker import SymmetricalLogLocator

        self.line_ = _draw_counts(ax, self.k_occurrence, "aligned", color=BLUE)
        self.line_unaligned_ = None
        if self.k_occurrence_unaligned is not None:
            style = {"color": VERMILLION, "linestyle": "--"}
            unaligned = self.k_occurrence_unaligned
            self.line_unaligned_ = _draw_counts(ax, unaligned, "no alignment", **style)
        mean = self.k_occurrence.mean()
        self.mean_ = ax.axvline(mean, color="0.4", linestyle=":", label=f"mean, {mean:.3g}")
        # Rows with a count of 0 need a place, which a log axis does not have.
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


def _draw_counts(ax: Axes, counts: NDArray, name: str, **style: Any) -> Any:
    """Draw the number of rows that are counted at least N times, against N."""
    times, rows = np.unique(np.append(0, counts), return_counts=True)
    rows[0] -= 1  # the added 0, where the line begins
    at_least = len(counts) - np.cumsum(rows) + rows
    label = f"{name}, skewness {skewness(counts):.2f}"
    (line,) = ax.step(times, at_least, where="pre", label=label, **style)
    return line
