"""Start of a training run: held-out rows, a closed form, and first weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ..._utils.validation import ensured, warn_user
from ..candidates import cautious_candidate, linear_candidates
from ..closed_form import AffineMap
from ..network import Network
from ..rectified import Components, rectified_layers
from ..rows import PairedRows
from ..selection import choose
from .modules import initial_layers

__all__ = ["closed_form", "first_layers", "hold_out", "unfolded"]


_MAX_HELD_OUT = 1_000
_MIN_GROUPS = 10  # fewer distinct pairs than this leave none to hold out
_CHOICE_ROWS = 20_000  # more do not change which closed form is the best to start from
# Share of the variance of the moved rows that the code of an autoencoder has room for. Less costs
# heads accuracy (`python -m benchmarks adapters`).
_SHARE_IN_CODE = 0.995


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
    objective: str = "retrieval",
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
        ridges = [c for c in candidates if c.method == "ridge"]
        one_space = choice is not None and "ridge" in choice.results["method"]
        if one_space and objective == "head" and len(ridges) < len(candidates):
            choice = choose(chosen_by, ridges, random_state=draw)
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
            widths = _widths_of_fc(source, adapter_dim or source, target)
        else:
            widths = _widths_of_ae(source, adapter_dim or max(1, source // 2), target)
        zero_last = architecture == "residual"
        out.append(initial_layers(widths, draw, zero_last=zero_last) if widths else ())
    return tuple(out)


def unfolded(
    affine: Network,
    rows: NDArray,
    moments: tuple[NDArray, NDArray],
    architecture: str,
    adapter_dim: int | None,
    seed: int,
) -> Network:
    """Network of rectified layers that moves rows as an affine map does, as far as its width allows.

    Parameters
    ----------
    affine : Network
        The map, without layers.
    rows : ndarray of shape (n_samples, n_features)
        Rows that it is applied to.
    moments : (ndarray, ndarray)
        Their mean and covariance.
    architecture : {"fc", "ae"}
        Kind of the network.
    adapter_dim : int or None
        Width of the hidden layers of "fc", and of the code of "ae".
    seed : int
        Draws the weights that the map leaves free.

    Returns
    -------
    Network
        Without an affine part.
    """
    coef, intercept = ensured(affine.coef, "coef"), ensured(affine.intercept, "intercept")
    components = Components(AffineMap(coef, intercept), *moments)
    d, k = coef.shape
    if architecture == "fc":
        widths = _widths_of_fc(d, adapter_dim or 2 * len(components), k)
    else:
        code = adapter_dim or components.number_with(_SHARE_IN_CODE)
        widths = _widths_of_ae(d, code, k)
    narrowest = min(widths[1:-1])
    rank = len(components)
    if narrowest < 2 * rank:
        # The components that matter leave units to the pairs, which a network is bent by.
        rank = min(narrowest, components.number_with(_SHARE_IN_CODE))
    draw = np.random.RandomState(seed)
    return Network(None, None, rectified_layers(components, rank, widths, rows, draw))


def _widths_of_fc(source: int, hidden: int, target: int) -> list[int]:
    """Widths of six linear layers."""
    return [source, *[hidden] * 5, target]


def _widths_of_ae(source: int, code: int, target: int) -> list[int]:
    """Widths of three linear layers down to a code, and three up."""
    down = np.linspace(source, code, 4).round().astype(int).tolist()
    up = np.linspace(code, target, 4).round().astype(int).tolist()
    return down + up[1:]
