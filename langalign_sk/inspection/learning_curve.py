"""Display of a learning curve over the number of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._utils.validation import check_choice
from ..model_selection import PairLearningCurve, learning_curve
from ..model_selection._pairs import Aligner
from ._plot import axes_or_new, check_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PairLearningCurveDisplay"]


_LABELS = {"recall": "held-out recall at 1", "accuracy": "accuracy on target rows"}


class PairLearningCurveDisplay:
    """Learning curve: recall or accuracy against the number of pairs, with a confidence band.

    Build it with `from_estimator`, or from a curve computed earlier.

    Parameters
    ----------
    curve : PairLearningCurve
        Result of :func:`~langalign_sk.model_selection.learning_curve`.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the drawing.
    figure_ : matplotlib.figure.Figure
        Figure of the axes.
    line_ : matplotlib.lines.Line2D
        Means over the repeats.
    fill_ : matplotlib.collections.PolyCollection
        Confidence band.
    unaligned_ : matplotlib.lines.Line2D or None
        Level without alignment.

    See Also
    --------
    langalign_sk.model_selection.learning_curve : Computes the curve.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from langalign_sk.inspection import PairLearningCurveDisplay
    >>> from langalign_sk.mapping import LinearAligner
    >>> Y = np.random.default_rng(0).normal(size=(300, 8))
    >>> X = Y @ np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    >>> display = PairLearningCurveDisplay.from_estimator(
    ...     LinearAligner("procrustes"), X, Y, random_state=0
    ... )
    >>> display.ax_.get_xlabel()
    'pairs'
    """

    def __init__(self, curve: PairLearningCurve) -> None:
        self.curve = curve

    @classmethod
    def from_estimator(
        cls,
        aligner: Aligner,
        X: Any,
        y: Any = None,
        *,
        metric: str = "recall",
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> PairLearningCurveDisplay:
        """Compute the curve and plot it.

        Parameters
        ----------
        aligner, X, y
            As in :func:`~langalign_sk.model_selection.learning_curve`.
        metric : {"recall", "accuracy"}, default="recall"
            Metric to plot.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs
            Further parameters of :func:`~langalign_sk.model_selection.learning_curve`.

        Returns
        -------
        PairLearningCurveDisplay
            The display, drawn.
        """
        check_matplotlib()
        _check_metric(metric, kwargs.get("classifier") is not None)
        return cls(learning_curve(aligner, X, y, **kwargs)).plot(metric=metric, ax=ax)

    def plot(
        self, *, metric: str = "recall", ax: Axes | None = None, name: str | None = None
    ) -> PairLearningCurveDisplay:
        """Draw the display.

        Parameters
        ----------
        metric : {"recall", "accuracy"}, default="recall"
            Metric to plot.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        name : str, default=None
            Label of the curve in the legend; None shows "aligned".

        Returns
        -------
        PairLearningCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `metric` is unknown, or was not measured.
        ImportError
            If matplotlib is not installed.
        """
        _check_metric(metric, self.curve.accuracy is not None)
        values = getattr(self.curve, metric)
        ax = axes_or_new(ax)
        n, interval = self.curve.n_pairs, getattr(self.curve, f"{metric}_interval")
        (self.line_,) = ax.plot(n, values.mean(axis=1), marker="o", label=name or "aligned")
        self.fill_ = ax.fill_between(n, *interval.T, alpha=0.25, color=self.line_.get_color())
        unaligned = getattr(self.curve, f"{metric}_unaligned")
        self.unaligned_ = None
        if unaligned is not None:
            self.unaligned_ = ax.axhline(
                unaligned, color="0.4", linestyle="--", label="no alignment"
            )
        ax.set_xscale("log")
        ax.set_xticks(n, [f"{size:,}" for size in n], rotation=45, ha="right")
        ax.minorticks_off()
        pool = f" ({self.curve.n_test:,} pairs)" if metric == "recall" else ""
        ax.set(xlabel="pairs", ylabel=_LABELS[metric] + pool)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _check_metric(metric: str, has_accuracy: bool) -> None:
    check_choice("metric", metric, tuple(_LABELS))
    if metric == "accuracy" and not has_accuracy:
        raise ValueError(
            "The curve has no accuracies: pass classifier=, english= and target_dev= to "
            "learning_curve."
        )
