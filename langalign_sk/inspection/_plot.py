"""Axes, colours and captions of the displays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from .._utils.optional import import_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["BLUE", "ROLES", "VERMILLION", "PairsDisplay", "axes_or_new", "check_matplotlib"]


# Colours of Okabe and Ito, "Color Universal Design" (2008), distinct for colour-blind readers.
BLUE, VERMILLION = "#0072B2", "#D55E00"
# Names of the rows that search and of the rows that are found, by direction.
ROLES = {"forward": ("target", "English"), "backward": ("English", "target")}


def check_matplotlib() -> Any:
    """Import matplotlib.pyplot, or raise an ImportError that names the extra to install."""
    return import_extra(
        "matplotlib.pyplot", "Plots need matplotlib, which is not installed", "plot"
    )


def axes_or_new(ax: Axes | None) -> Axes:
    """The given axes, or those of a new figure."""
    plt = check_matplotlib()
    return plt.subplots(layout="constrained")[1] if ax is None else ax


class PairsDisplay:
    """Base class of the displays of aligned pairs."""

    ax_: Axes
    figure_: Figure | SubFigure

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        object
            The display itself, with what was drawn as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_or_new(ax)
        self._draw(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw(self, ax: Axes) -> None:
        raise NotImplementedError
