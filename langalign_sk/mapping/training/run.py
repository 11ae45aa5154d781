"""One training run of an adapter: from its parameters and pairs to networks."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ..closed_form import Moments, Solver
from ..network import Network
from .batches import POOL, PairRows, spread_of, unit_of
from .callbacks import FitTasks, Kept
from .checkpoint import Checkpoint, fingerprint
from .loop import Recipe, private_generator, train
from .losses import Contrastive, SquaredError
from .modules import BothWays, Trainable
from .start import batch_size_for, closed_form, first_layers, hold_out

__all__ = ["Outcome", "run"]


_PEAK = 1e-3
# Not among what makes two runs one: how a run is watched, and where it is computed.
_OF_NO_EFFECT = ("callbacks", "checkpoint", "device", "random_state", "verbose", "warm_start")


@dataclass
class Outcome:
    """What a run leaves."""

    networks: dict[str, Network]  # by the name of the fitted attribute
    start: str | None
    kept: Kept
    stopped: str | None
    held_out: NDArray[np.intp]
    state: dict[str, Any]  # of the optimizer and the loss, to go on with


def run(
    aligner: Any,
    X: NDArray,
    Y: NDArray,
    groups: NDArray[np.intp],
    *,
    callbacks: list[Any],
    context: Any,
    going_on: bool,
    one_pass: bool,
) -> Outcome:
    """Train the networks of an AdapterAligner on checked pairs."""
    a = aligner
    seed = int(check_random_state(a.random_state).randint(2**31 - 1))
    checkpoint = None
    if a.checkpoint is not None and not one_pass:
        parameters = a.get_params(deep=False)
        settings = {k: v for k, v in parameters.items() if k not in _OF_NO_EFFECT}
        if a.random_state is None or isinstance(a.random_state, numbers.Integral):
            settings["random_state"] = a.random_state and int(a.random_state)
        checkpoint = Checkpoint(a.checkpoint, fingerprint(X, Y, settings))
        checkpoint.load()
        checkpoint.seed = seed = seed if checkpoint.seed is None else checkpoint.seed
    rows, held_out = np.arange(len(X)), np.empty(0, dtype=np.intp)
    if a.early_stopping and not one_pass:
        rows, held_out = hold_out(groups, a.validation_fraction, seed)
    units = unit_of(X), unit_of(Y)
    names = ("network_", "counterpart_network_" if a.shared else "inverse_network_")
    both = [units, (units[1], units[1]) if a.shared else units[::-1]]
    if going_on:
        start = a.start_
        networks = [
            getattr(a, name).rescaled(1 / u, 1 / v)
            for name, (u, v) in zip(names, both, strict=True)
        ]
    else:
        networks, start = _starts(a, X, Y, rows, held_out, both, seed)
    residual = a._architecture == "residual"
    trainable = [
        Trainable(n, dropout=a.dropout, rank=a.rank, linear=residual and not n.layers, seed=seed)
        for n in networks
    ]
    contrastive = a.loss == "contrastive"
    pool = min(POOL, len(rows)) if contrastive and a.hard_negatives else 0
    criterion: torch.nn.Module = SquaredError()
    if contrastive:
        # Not by their norms: where all rows have much in common, their differences are small
        # beside these, and would be given away.
        to_y, to_x = (
            a.mse_weight * unit**2 / spread_of(A)
            for A, unit in zip((Y, X), units[::-1], strict=True)
        )
        criterion = Contrastive(a.temperature, (to_y, to_x), min(a.hard_negatives, pool), a.shared)
    state = a._partial_state if going_on and one_pass else None
    if state is not None:
        state = _converted(state, np.ndarray, torch.from_numpy)
        criterion.load_state_dict(state["criterion"])

    def fitted(kept: Kept) -> dict[str, Network]:
        parts = zip(names, kept.best, both, strict=False)
        out = {name: n.rescaled(u, v).astype(X.dtype) for name, n, (u, v) in parts}
        if a.shared:
            out["inverse_network_"] = _least_squares(out["counterpart_network_"](Y), X)
        elif not a.inverse and going_on:
            out["inverse_network_"] = a.inverse_network_
        elif not a.inverse:
            (u, v), back = both[1], networks[1]
            if residual:
                back = Network(back.coef, back.intercept).rescaled(u, v).astype(X.dtype)
            out["inverse_network_"] = back if residual else _least_squares(Y, X)
        return out

    recipe = Recipe(
        criterion=criterion,
        learning_rate=a.learning_rate or (_PEAK / 2 if a.shared else _PEAK),
        weight_decay=a.weight_decay if residual else 0.0,
        batch_size=batch_size_for(len(rows), a.batch_size),
        max_epochs=1 if one_pass else a.max_epochs,
        patience=a.n_iter_no_change,
        max_grad_norm=a.max_grad_norm,
        seed=seed,
        device=device_of(a.device),
        one_cycle=not one_pass,
        shared=a.shared,
        pool=pool,
        callbacks=callbacks,
        progress=bool(a.verbose) and not one_pass,
    )
    if context is not None:
        recipe.tasks = FitTasks(
            context,
            a,
            {"X": X, "y": Y},
            lambda kept: {**fitted(kept), "n_features_in_": X.shape[1], "_n_targets": Y.shape[1]},
        )
    with private_generator(recipe.device):
        net = train(
            PairRows(X, Y, rows, groups, units),
            held_out,
            BothWays(trainable[0], trainable[1] if a.inverse or a.shared else None),
            recipe,
            checkpoint=checkpoint,
            optimizer_state=state and state["optimizer"],
        )
    state = {"optimizer": net.optimizer_.state_dict(), "criterion": net.criterion_.state_dict()}
    # As arrays: an estimator is unpickled without torch, and without the device it was trained on.
    state = _converted(state, torch.Tensor, lambda tensor: tensor.detach().cpu().numpy().copy())
    return Outcome(fitted(net.kept), start, net.kept, net.stopped, held_out, state)


def device_of(device: str | None) -> str:
    """The device to train on."""
    if device is not None:
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _starts(
    a: Any,
    X: NDArray,
    Y: NDArray,
    rows: NDArray[np.intp],
    held_out: NDArray[np.intp],
    both: list[tuple[float, float]],
    seed: int,
) -> tuple[list[Network], str | None]:
    layers = first_layers(a._architecture, a.adapter_dim, X.shape[1], Y.shape[1], a.shared, seed)
    if a._architecture != "residual":
        return [Network(None, None, one) for one in layers], None
    *affine, method = closed_form(X, Y, rows, held_out, a.start, a.shared, seed)
    networks = []
    for one, first, (u, v) in zip(affine, layers, both, strict=True):
        scaled = one.rescaled(1 / u, 1 / v)
        networks.append(Network(scaled.coef, scaled.intercept, first))
    return networks, method


def _converted(tree: Any, kind: type, convert: Callable[[Any], Any]) -> Any:
    """Nested dicts with every value of a kind converted."""
    if isinstance(tree, dict):
        return {key: _converted(value, kind, convert) for key, value in tree.items()}
    return convert(tree) if isinstance(tree, kind) else tree


def _least_squares(Z: NDArray, X: NDArray) -> Network:
    back = Solver(Moments.of(Z, X), one_map=True).least_squares()
    return Network(back.coef, back.intercept)
