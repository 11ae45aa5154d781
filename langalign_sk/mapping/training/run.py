"""Training run of an adapter: from its parameters and pairs to networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ..network import Network
from ..rows import PairedRows
from ..settings import TrainingSettings
from .batches import POOL, PairDataset, spread_of, unit_of
from .callbacks import FitTasks, Settled
from .checkpoint import Checkpoint, fingerprint
from .loop import PairNet, Recipe, private_generator, train
from .losses import Contrastive, SquaredError
from .modules import BothWays, Trainable
from .start import closed_form, first_layers, hold_out, unfolded

__all__ = ["Earlier", "Outcome", "run"]


# Parameters that do not change what a run computes: how it is watched, and where it runs.
_OF_NO_EFFECT = ("callbacks", "checkpoint", "device", "random_state", "verbose", "warm_start")


@dataclass
class Earlier:
    """Networks of an earlier fit, which a run goes on from."""

    networks: dict[str, Network]  # by the name of the fitted attribute
    start: str | None
    state: dict[str, Any] | None  # of the optimizer and the loss


@dataclass
class Outcome:
    """Result of one training run."""

    networks: dict[str, Network]  # by the name of the fitted attribute
    start: str | None
    settled: Settled
    history: list[dict[str, float]]
    start_recall: list[float]
    stopped: str | None
    held_out: NDArray[np.intp]
    state: dict[str, Any]  # of the optimizer and the loss, to go on with


def run(
    aligner: Any,
    rows: PairedRows,
    *,
    settings: TrainingSettings,
    callbacks: list[Any],
    context: Any,
    earlier: Earlier | None,
    one_pass: bool,
) -> Outcome:
    """Train the networks of an AdapterAligner on checked pairs.

    Parameters
    ----------
    aligner : AdapterAligner
        Its parameters, which were checked, say how to train.
    rows : PairedRows
        The pairs.
    settings : TrainingSettings
        What its parameters stand for.
    callbacks : list of skorch.callbacks.Callback or of (name, callback)
        Of the user.
    context : CallbackContext or None
        Of scikit-learn's callbacks.
    earlier : Earlier or None
        Networks to go on from; None starts anew.
    one_pass : bool
        Whether this is one pass at a constant learning rate, without held-out pairs.

    Returns
    -------
    Outcome
        Networks in the dtype of the rows, and how training went.
    """
    return _Run(aligner, rows, settings, earlier, one_pass).outcome(callbacks, context)


class _Run:
    """State of one run: which rows are trained on, in which units, from which networks."""

    def __init__(
        self,
        aligner: Any,
        rows: PairedRows,
        settings: TrainingSettings,
        earlier: Earlier | None,
        one_pass: bool,
    ) -> None:
        self.aligner, self.rows, self.earlier, self.one_pass = aligner, rows, earlier, one_pass
        self.settings = settings
        self.closed_form_back: Network | None = None
        self.seed = int(check_random_state(aligner.random_state).randint(2**31 - 1))
        self.checkpoint = None
        if aligner.checkpoint is not None and not one_pass:
            self.checkpoint = self._read_checkpoint()
        self.trained, self.held_out = np.arange(len(rows)), np.empty(0, dtype=np.intp)
        if aligner.early_stopping and not one_pass:
            self.trained, self.held_out = hold_out(
                rows.groups, aligner.validation_fraction, self.seed
            )
        self.units = unit_of(rows.X), unit_of(rows.Y)
        second = "counterpart_network_" if aligner.shared else "inverse_network_"
        self.names = ("network_", second)
        x_unit, y_unit = self.units
        # Of the rows that go into each of the two networks, and of those that it aims at.
        self.map_units = [self.units, (y_unit, y_unit if aligner.shared else x_unit)]

    def _read_checkpoint(self) -> Checkpoint:
        aligner = self.aligner
        parameters = aligner.get_params(deep=False)
        settings = {k: v for k, v in parameters.items() if k not in _OF_NO_EFFECT}
        if aligner.random_state is None or isinstance(aligner.random_state, Integral):
            settings["random_state"] = aligner.random_state and int(aligner.random_state)
        checkpoint = Checkpoint(aligner.checkpoint, fingerprint(self.rows.X, self.rows.Y, settings))
        checkpoint.load()
        if checkpoint.seed is not None:
            self.seed = checkpoint.seed
        checkpoint.seed = self.seed
        return checkpoint

    def outcome(self, callbacks: list[Any], context: Any) -> Outcome:
        """Train, and collect the best networks."""
        aligner = self.aligner
        settings = self.settings
        closed_forms, networks, start = self._first_networks()
        if closed_forms:
            self.closed_form_back = closed_forms[1]
        elif settings.residual:
            self.closed_form_back = Network(networks[1].coef, networks[1].intercept)
        trainable = [
            Trainable(
                network,
                dropout=settings.dropout,
                rank=aligner.rank,
                linear=settings.residual and not network.layers,
                seed=self.seed,
                pulled=settings.from_closed_form,
            )
            for network in networks
        ]
        both = aligner.inverse or aligner.shared
        recipe = self._recipe(callbacks)
        if context is not None:
            recipe.tasks = self._tasks(context, networks)
        state = None if self.earlier is None or not self.one_pass else self.earlier.state
        if state is not None:
            # Copies: the optimizer writes into its state, and the run may be interrupted.
            state = _converted(state, np.ndarray, torch.tensor)
            recipe.criterion.load_state_dict(state["criterion"])
        rows = self.rows
        with private_generator(recipe.device):
            net = train(
                PairDataset(rows.X, rows.Y, self.trained, rows.groups, self.units),
                self.held_out,
                BothWays(trainable[0], trainable[1] if both else None),
                recipe,
                closed_forms=closed_forms,
                checkpoint=self.checkpoint,
                optimizer_state=state and state["optimizer"],
            )
        kept, settled = net.kept, net.kept.settled(networks)
        return Outcome(
            self._fitted(settled),
            start,
            settled,
            kept.history,
            kept.start_recall,
            net.stopped,
            self.held_out,
            _state_of(net),
        )

    def _first_networks(self) -> tuple[list[Network], list[Network], str | None]:
        """Closed forms that layers hold, networks to train, and the method that they start from.

        For rows divided by their units. Without layers that hold them, no closed forms are returned.
        """
        if self.earlier is not None:
            networks = self._in_units([self.earlier.networks[name] for name in self.names])
            if all(network.layers for network in networks) or self.settings.residual:
                return [], networks, self.earlier.start
            # Where training had gained nothing, a map is a closed form that has no layers yet.
            both = [n if n.layers else self._unfolded(i, n) for i, n in enumerate(networks)]
            return networks, both, self.earlier.start
        aligner, (d, k) = self.aligner, (self.rows.X.shape[1], self.rows.Y.shape[1])
        if self.settings.from_closed_form:
            affine, method = self._closed_form()
            return affine, [self._unfolded(i, one) for i, one in enumerate(affine)], method
        layers = first_layers(
            self.settings.architecture, aligner.adapter_dim, d, k, aligner.shared, self.seed
        )
        if not self.settings.residual:
            return [], [Network(None, None, one) for one in layers], None
        affine, method = self._closed_form()
        networks = [
            Network(one.coef, one.intercept, first)
            for one, first in zip(affine, layers, strict=True)
        ]
        return [], networks, method

    def _closed_form(self) -> tuple[list[Network], str]:
        aligner = self.aligner
        *affine, method = closed_form(
            self.rows,
            self.trained,
            self.held_out,
            aligner.start,
            aligner.shared,
            self.seed,
            self.settings.objective,
        )
        return self._in_units(affine), method

    def _unfolded(self, i: int, affine: Network) -> Network:
        """A closed form, for rows divided by their units, as the layers of a network."""
        solver = self.rows.solver_without(self.held_out)
        mean, covariance = (solver.y_mean, solver.cov_y) if i else (solver.x_mean, solver.cov_x)
        A, unit = (self.rows.Y if i else self.rows.X), self.map_units[i][0]
        return unfolded(
            affine,
            A[self.trained] / A.dtype.type(unit),
            (mean / unit, covariance / unit**2),
            self.settings.architecture,
            self.aligner.adapter_dim,
            self.seed,
        )

    def _in_units(self, networks: list[Network]) -> list[Network]:
        pairs = zip(networks, self.map_units, strict=True)
        return [network.rescaled(1 / u, 1 / v) for network, (u, v) in pairs]

    def _criterion(self, pool: int) -> torch.nn.Module:
        aligner = self.aligner
        if aligner.loss != "contrastive" and not self.settings.from_closed_form:
            return SquaredError()
        # Not by their norms: where all rows have much in common, their differences are small
        # beside these, and would be given away.
        x_unit, y_unit = self.units
        to_y = y_unit**2 / spread_of(self.rows.Y)
        to_x = x_unit**2 / spread_of(self.rows.X)
        if aligner.loss != "contrastive":
            # A mean over all numbers is the part of one feature.
            return SquaredError((to_y * self.rows.Y.shape[1], to_x * self.rows.X.shape[1]))
        weights = aligner.mse_weight * to_y, aligner.mse_weight * to_x
        hard_negatives = min(aligner.hard_negatives, pool)
        return Contrastive(aligner.temperature, weights, hard_negatives, aligner.shared)

    def _recipe(self, callbacks: list[Any]) -> Recipe:
        aligner, settings = self.aligner, self.settings
        pool = 0
        if aligner.loss == "contrastive" and aligner.hard_negatives:
            pool = min(POOL, len(self.trained))
        return Recipe(
            criterion=self._criterion(pool),
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            batch_size=settings.batch_size_for(len(self.trained)),
            max_epochs=1 if self.one_pass else settings.max_epochs,
            patience=aligner.n_iter_no_change,
            max_grad_norm=aligner.max_grad_norm,
            seed=self.seed,
            device=device_of(aligner.device),
            one_cycle=not self.one_pass,
            shared=aligner.shared,
            objective=settings.objective,
            pool=pool,
            callbacks=callbacks,
            progress=bool(aligner.verbose) and not self.one_pass,
        )

    def _tasks(self, context: Any, networks: list[Network]) -> FitTasks:
        X, Y = self.rows.X, self.rows.Y
        widths = {"n_features_in_": X.shape[1], "_n_targets": Y.shape[1]}
        return FitTasks(
            context,
            self.aligner,
            {"X": X, "y": Y},
            lambda kept: {**self._fitted(kept.settled(networks)), **widths},
        )

    def _fitted(self, settled: Settled) -> dict[str, Network]:
        """The best networks, for rows as they came; a map back that was not trained among them."""
        aligner, X, Y = self.aligner, self.rows.X, self.rows.Y
        parts = zip(self.names, settled.networks, self.map_units, strict=False)
        out = {name: best.rescaled(u, v).astype(X.dtype) for name, best, (u, v) in parts}
        if aligner.shared:
            moved = out["counterpart_network_"](Y)
            out["inverse_network_"] = _least_squares(PairedRows(moved, X))
        elif not aligner.inverse and self.earlier is not None:
            out["inverse_network_"] = self.earlier.networks["inverse_network_"]
        elif not aligner.inverse and self.closed_form_back is not None:
            back = self.closed_form_back.rescaled(*self.map_units[1])
            out["inverse_network_"] = back.astype(X.dtype)
        elif not aligner.inverse:
            out["inverse_network_"] = _least_squares(PairedRows(Y, X))
        return out


def device_of(device: str | None) -> str:
    """The device to train on."""
    if device is not None:
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _state_of(net: PairNet) -> dict[str, Any]:
    """State of the optimizer and the loss, to go on with.

    As arrays: an estimator is unpickled without torch, and without the device it was trained on.
    """
    state = {"optimizer": net.optimizer_.state_dict(), "criterion": net.criterion_.state_dict()}
    out: dict[str, Any] = _converted(
        state, torch.Tensor, lambda tensor: tensor.detach().cpu().numpy().copy()
    )
    return out


def _converted(tree: Any, kind: type, convert: Callable[[Any], Any]) -> Any:
    """Nested dicts with every value of a kind converted."""
    if isinstance(tree, dict):
        return {key: _converted(value, kind, convert) for key, value in tree.items()}
    return convert(tree) if isinstance(tree, kind) else tree


def _least_squares(rows: PairedRows) -> Network:
    back = rows.solver.least_squares()
    return Network(back.coef, back.intercept)
