"""Display of recall at k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._utils.validation import check_choice
from ..metrics._core import (
    Similarity,
    check_pairs,
    duplicate_groups,
    local_scaling_of,
    normalize_rows,
    rank_translations,
    similarity_blocks,
)
from ..model_selection._pairs import Aligner
from ._plot import BLUE, ROLES, VERMILLION, PairsDisplay, check_matplotlib
from ._sides import align_pairs, baseline, check_k

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RetrievalDisplay"]


class RetrievalDisplay(PairsDisplay):
    """Recall at k against k in both directions, with and without alignment.

    Build it with `from_estimator` or `from_embeddings`, or from recalls computed elsewhere.

    Parameters
    ----------
    k : array-like of shape (n_k,), dtype int
        Numbers of nearest rows that may hold the translation, in rising order.
    recall : array-like of shape (2, n_k)
        Recall with alignment. First row: target rows search among English rows; second row: the
        other way round.
    recall_unaligned : array-like of shape (2, n_k) or None
        The same without alignment; None where the two sides have no space in common.
    n_pairs : int
        Number of pairs in the pool; recall falls as it grows.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the drawing.
    figure_ : matplotlib.figure.Figure
        Figure of the axes.
    lines_ : list of matplotlib.lines.Line2D
        Recall with alignment, one line per direction.
    lines_unaligned_ : list of matplotlib.lines.Line2D or None
        Recall without alignment.

    See Also
    --------
    langalign_sk.metrics.retrieval_recall_score : Recall at one k.

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
        aligner: Aligner,
        X: Any,
        y: Any = None,
        *,
        k: Sequence[int] = range(1, 11),
        similarity: Similarity = "cosine",
        ax: Axes | None = None,
    ) -> RetrievalDisplay:
        """Move pairs by a fitted aligner, retrieve translations, and plot the recall.

        Use pairs that the aligner was not fitted on.

        Parameters
        ----------
        aligner : CrossLingualAligner, LinearAligner or AdapterAligner
            A fitted aligner.
        X : pairs of text, or array-like of shape (n_pairs, n_features)
            Embeddings of the target side. A CrossLingualAligner takes pairs of text too, as in its
            `fit`.
        y : array-like of shape (n_pairs, n_targets), default=None
            Embeddings of the counterparts; None for pairs of text.
        k : sequence of int, default=range(1, 11)
            Numbers of nearest rows that may hold the translation.
        similarity : {"cosine", "csls", "margin"}, default="cosine"
            See :func:`~langalign_sk.metrics.retrieval_recall_score`.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        RetrievalDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `aligner` is not one of these, X does not hold pairs, a `k` is not in [1, n_pairs],
            or `similarity` is unknown; raised before any text is encoded.
        NotFittedError
            If `aligner` is not fitted.
        ImportError
            If matplotlib is not installed.

        Notes
        -----
        "No alignment" takes the rows of the multilingual encoder on both sides. This baseline does
        not exist where the sides differ in width or come from two encoders. Pairs that share a
        sentence (:func:`~langalign_sk.model_selection.pair_groups`) are correct answers for each
        other.
        """
        check_matplotlib()
        check_choice("similarity", similarity, get_args(Similarity))
        pairs = align_pairs(aligner, X, y, k)
        groups = pairs.groups
        ks = check_k(k, len(groups))
        recall, recall_unaligned = _recalls(pairs.X, pairs.Y, groups, ks, similarity), None
        if pairs.unaligned is not None:
            recall_unaligned = _recalls(*pairs.unaligned, groups, ks, similarity)
        return cls(ks, recall, recall_unaligned, n_pairs=len(groups)).plot(ax=ax)

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
        ax: Axes | None = None,
    ) -> RetrievalDisplay:
        """Retrieve translations among rows of one space, and plot the recall.

        Parameters
        ----------
        X, Y : array-like of shape (n_pairs, n_features), float32 or float64
            Target and English rows in one space; row i of one is the translation of row i of the
            other. Rows with the same vector in `Y` are correct answers for each other.
        X_unaligned, Y_unaligned : array-like of shape (n_pairs, n_before), default=None
            The rows before alignment. None stands for a side that was not moved; if both are None,
            no baseline is drawn.
        k, similarity, ax
            As in `from_estimator`.

        Returns
        -------
        RetrievalDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the sides differ in length or width or hold NaN, a `k` is not in [1, n_pairs], or
            `similarity` is unknown.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib()
        check_choice("similarity", similarity, get_args(Similarity))
        X, Y = check_pairs(X, Y)
        ks = check_k(k, len(Y))
        sides_unaligned = baseline(X, Y, X_unaligned, Y_unaligned)
        groups, recall_unaligned = duplicate_groups(Y), None
        if sides_unaligned is not None:
            recall_unaligned = _recalls(*check_pairs(*sides_unaligned), groups, ks, similarity)
        recall = _recalls(X, Y, groups, ks, similarity)
        return cls(ks, recall, recall_unaligned, n_pairs=len(Y)).plot(ax=ax)

    def _draw(self, ax: Axes) -> None:
        from matplotlib.ticker import LogLocator, MaxNLocator

        self.lines_ = self._lines(ax, self.recall, "aligned", linestyle="-")
        self.lines_unaligned_ = None
        if self.recall_unaligned is not None:
            self.lines_unaligned_ = self._lines(
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
        # Above the axes, as four lines may leave no room for a legend between them.
        ax.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize="small", frameon=False
        )

    def _lines(self, ax: Axes, recall: NDArray, system: str, **style: Any) -> list[Any]:
        """Draw one line per direction."""
        lines = []
        directions = zip(recall, ROLES.values(), (BLUE, VERMILLION), strict=True)
        for values, (seeking, found), color in directions:
            label = f"{seeking} finds {found}, {system}"
            lines += ax.plot(
                self.k, values, color=color, label=label, marker="o", markersize=4, **style
            )
        return lines


def _recalls(
    X: NDArray, Y: NDArray, groups: NDArray[np.intp], k: list[int], similarity: str
) -> NDArray:
    """Recall at every k, one row per direction; similarities are computed once for all k."""
    A, B = normalize_rows(X), normalize_rows(Y)
    scaling = local_scaling_of(A, B, similarity)
    recalls = []
    for direction in ROLES:
        blocks = similarity_blocks(A, B, scaling, direction)
        hits = [[rank_translations(S, start, groups, n)[0] for n in k] for start, S in blocks]
        recalls.append(np.concatenate(hits, axis=1).mean(axis=1))
    return np.array(recalls)
