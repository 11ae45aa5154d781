"""Axes and colours of the plots."""

from __future__ import annotations

from typing import Any

from .._utils.optional import import_extra

__all__ = ["BLUE", "ROLES", "VERMILLION"]


# Colour-blind safe, of Okabe and Ito, "Color Universal Design" (2008).
BLUE, VERMILLION = "#0072B2", "#D55E00"
# Who looks, who is found.
ROLES = {"forward": ("target", "English"), "backward": ("English", "target")}


def _check_matplotlib() -> Any:
    return import_extra(
        "matplotlib.pyplot", "Plots need matplotlib, which is not installed", "plot"
    )


def axes_or_new(ax: Any) -> Any:
    """Where to draw: the given axes, or those of a new figure."""
    plt = _check_matplotlib()
    return plt.subplots(layout="constrained")[1] if ax is None else ax
