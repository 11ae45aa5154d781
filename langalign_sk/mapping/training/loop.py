"""Training of the adapters: a skorch net over batches of paired rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import skorch
import torch
from numpy.typing import NDArray
from skorch.callbacks import GradientNormClipping

from ..network import Network
from .batches import PairBatches, PairDataset, n_batches
from .callbacks import EpochSeed, FitTasks, Kept, OneCycle, Progress
from .checkpoint import Checkpoint
from .modules import BothWays

__all__ = ["PairNet", "Recipe", "private_generator", "train"]


@dataclass
class Recipe:
    """Settings of one training run, apart from the rows and the modules."""

    criterion: torch.nn.Module
    learning_rate: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience: int
    max_grad_norm: float
    seed: int
    device: str
    one_cycle: bool = True
    shared: bool = False
    objective: str = "retrieval"
    pool: int = 0  # rows that hard negatives are looked for among
    callbacks: Sequence[Any] = ()
    tasks: FitTasks | None = None
    progress: bool = False


class DivergedError(ArithmeticError):
    """Raised when the loss is not finite any more."""


class PairNet(skorch.NeuralNet):
    """skorch net that stops on time and says why."""

    kept: Kept
    tasks: FitTasks | None = None
    stopped: str | None = None

    def infer(self, x: Any, **fit_params: Any) -> Any:
        with self._precision():
            return super().infer(x, **fit_params)

    def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Any:
        with self._precision():
            loss = super().get_loss(y_pred, y_true, X=X, training=training)
        if not torch.isfinite(loss):
            raise DivergedError
        return loss

    def _precision(self) -> Any:
        # bfloat16 has the range of float32, so that no loss scaling is needed.
        if torch.device(self.device).type == "cuda" and torch.cuda.is_bf16_supported():
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any) -> Any:
        try:
            for _ in range(self.max_epochs if epochs is None else epochs):
                super().fit_loop(X, y, epochs=1, **fit_params)
                if self.kept.stale:
                    self.stopped = "early"
                    break
                if self.tasks is not None and self.tasks.stop:
                    self.stopped = "callback"
                    break
        except KeyboardInterrupt:
            self.stopped = "interrupted"
        except DivergedError:
            self.stopped = "diverged"
        return self


def train(
    data: PairDataset,
    held_out: NDArray[np.intp],
    module: BothWays,
    recipe: Recipe,
    *,
    closed_forms: Sequence[Network] = (),
    checkpoint: Checkpoint | None = None,
    optimizer_state: dict | None = None,
) -> PairNet:
    """Train a module; ``net.kept`` holds the maps to use, ``net.stopped`` why it ended early.

    `closed_forms` are what the maps of the module are compared with and begin as; without any, they
    are compared with themselves before training.
    """
    kept = Kept(
        data,
        held_out,
        recipe.patience,
        shared=recipe.shared,
        objective=recipe.objective,
        closed_forms=closed_forms,
    )
    net = PairNet(
        module,
        criterion=recipe.criterion,
        optimizer=torch.optim.Adam,
        lr=recipe.learning_rate,
        optimizer__param_groups=_pulled(module, recipe.weight_decay),
        max_epochs=recipe.max_epochs,
        batch_size=recipe.batch_size,
        iterator_train=PairBatches,
        iterator_train__seed=recipe.seed,
        iterator_train__epoch=lambda: len(kept.history),
        iterator_train__device=recipe.device,
        iterator_train__pool=recipe.pool,
        train_split=None,
        device=recipe.device,
        verbose=0,
        callbacks=_callbacks(recipe, kept, n_batches(len(data), recipe.batch_size), checkpoint),
        callbacks__valid_loss=None,
        callbacks__print_log=None,
    )
    net.kept, net.tasks = kept, recipe.tasks
    net.initialize()
    if optimizer_state is not None:
        # The moments of before, with the settings of now.
        groups = net.optimizer_.state_dict()["param_groups"]
        net.optimizer_.load_state_dict({**optimizer_state, "param_groups": groups})
    if checkpoint is not None:
        checkpoint.restore(net)
    left = 0 if kept.stale else recipe.max_epochs - len(kept.history)
    net.partial_fit(data, epochs=left)
    return net


def _callbacks(
    recipe: Recipe, kept: Kept, steps_per_epoch: int, checkpoint: Checkpoint | None
) -> list[tuple[str, Any]]:
    named: list[tuple[str, Any]] = [
        ("clipping", GradientNormClipping(recipe.max_grad_norm)),
        ("epoch_seed", EpochSeed(recipe.seed, kept)),
    ]
    if recipe.one_cycle:
        named.append(
            ("one_cycle", OneCycle(recipe.learning_rate, recipe.max_epochs, steps_per_epoch, kept))
        )
    named.append(("kept", kept))
    named += [
        c if isinstance(c, tuple) else (f"user_{i}", c) for i, c in enumerate(recipe.callbacks)
    ]
    if recipe.progress:
        named.append(("progress", Progress(kept, recipe.max_epochs)))
    if recipe.tasks is not None:
        named.append(("tasks", recipe.tasks))
    if checkpoint is not None:
        named.append(("checkpoint", checkpoint))
    return named


def _pulled(module: BothWays, weight_decay: float) -> list[tuple[str, dict[str, float]]]:
    """Weight decay for what is zero at the start, which pulls the map back there."""
    maps = [m for m in (module.there, module.back) if m is not None]
    names = {"*.change*", *(f"*.weights.{len(m.biases) - 1}" for m in maps)}
    return [(name, {"weight_decay": weight_decay}) for name in sorted(names)]


@contextlib.contextmanager
def private_generator(device: str) -> Iterator[None]:
    """Leave torch's global generators as they were."""
    kind = torch.device(device).type
    other = None if kind == "cpu" else getattr(torch, kind)
    before = torch.get_rng_state(), other and other.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        if other is not None:
            other.set_rng_state(before[1])
