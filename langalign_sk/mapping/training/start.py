"""Start of a training run: held-out rows, a closed form, and first weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ..._utils.validation import warn_user
from ..candidates import cautious_candidate, linear_candidates
from ..network import Network
from ..rows import PairedRows
from ..selection import choose
from .modules import initial_layers

__all__ = ["batch_size_for", "closed_form", "first_layers", "hold_out"]


_MAX_HELD_OUT = 1_000
_MIN_GROUPS = 10  # fewer distinct pairs than this leave none to hold out
_CHOICE_ROWS = 20_000  # more do not change which closed form is the best to start from
_BATCHES = 10
_BATCH_SIZES = (256, 2_048)


def hold_out(
    groups: NDArray[np.intp], fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to train on and rows held out, which share no duplicate group."""
    n_groups = int(groups.max()) + 1
    if n_groups < _MIN_GROUPS:
        warn_user(
            f"There are fewer than {_MIN_GROUPS} distinct pairs, too few to hold any out: training "
            "runs for all max_epochs. Give more, or early_stopping=False."
        )
        return np.arange(len(groups)), np.empty(0, dtype=np.intp)
    sizes = np.bincount(groups)
    left = max(2.0, min(_MAX_HELD_OUT, fraction * len(groups), len(groups) - 2))
    held = np.zeros(n_groups, dtype=bool)
    for group in np.random.RandomState(seed).permutation(n_groups):
        # A group of many duplicates must not take the place of many held-out pairs.
        if sizes[group] <= left:
            held[group] = True
            left -= sizes[group]
        if left < 1:
            break
    return np.flatnonzero(~held[groups]), np.flatnonzero(held[groups])


def closed_form(
    rows: PairedRows,
    trained: NDArray[np.intp],
    held_out: NDArray[np.intp],
    method: str,
    shared: bool,
    seed: int,
) -> tuple[Network, Network, str]:
    """The best closed form of the trained rows, the one back (or of Y, if shared), and its method.

    Sums over the held-out rows are subtracted from those over all, so that nothing is copied.
    """
    candidates = linear_candidates(method, shared=shared, square=rows.square)
    best = candidates[0]
    if len(candidates) > 1:
        draw = check_random_state(seed)
        # Pairs often stand sorted by source, so that the first ones would not do for all.
        some = trained if len(trained) <= _CHOICE_ROWS else draw.permutation(trained)[:_CHOICE_ROWS]
        chosen_by = rows if len(some) == len(rows) else rows.take(some)
        choice = choose(chosen_by, candidates, random_state=draw)
        best = cautious_candidate(candidates) if choice is None else choice.best
    solver = rows.solver_without(held_out)
    if shared:
        there, back, _ = solver.canonical(*best.spectral_settings())
    else:
        there, back = best.solve(solver), best.solve(solver, reverse=True)
    return Network(there.coef, there.intercept), Network(back.coef, back.intercept), best.method


def first_layers(
    architecture: str, adapter_dim: int | None, d: int, k: int, shared: bool, seed: int
) -> tuple[tuple[tuple[NDArray, NDArray], ...], ...]:
    """First layers of the map from width d to width k, and of the map back (of Y, if shared)."""
    draw = np.random.RandomState(seed)
    out = []
    width = min(d, k)
    for source, target in ((d, width), (k, width)) if shared else ((d, k), (k, d)):
        if architecture == "residual":
            widths = [source, adapter_dim, target] if adapter_dim else []
        elif architecture == "fc":
            widths = [source, *[adapter_dim or source] * 5, target]
        else:
            code = adapter_dim or max(1, source // 2)
            down = np.linspace(source, code, 4).round().astype(int).tolist()
            up = np.linspace(code, target, 4).round().astype(int).tolist()
            widths = down + up[1:]
        zero_last = architecture == "residual"
        out.append(initial_layers(widths, draw, zero_last=zero_last) if widths else ())
    return tuple(out)


def batch_size_for(n_rows: int, batch_size: int | None) -> int:
    """The batch size to use for a number of rows."""
    if batch_size is None:
        return min(n_rows, int(np.clip(n_rows // _BATCHES, *_BATCH_SIZES)))
    if batch_size > n_rows:
        warn_user(
            f"batch_size={batch_size} is more than the {n_rows} pairs to train on: one batch holds "
            "them all."
        )
    return min(n_rows, batch_size)
