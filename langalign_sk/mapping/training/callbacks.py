"""skorch callbacks of a training run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback

from ...metrics._core import likelihood_and_recall
from ..network import Network
from .batches import PairDataset
from .modules import BothWays

__all__ = ["Deadline", "EpochSeed", "FitTasks", "Kept", "OneCycle", "Progress"]


_WARM_UP = 0.1  # share of the steps


class Kept(Callback):
    """skorch callback that keeps the best maps by held-out retrieval, or the last ones without it.

    Epochs are compared by the log-likelihood of retrieving the held-out translations, as closed
    forms are: recall at 1 moves by a few rows at a time, and would pick an epoch by luck. Maps
    with a lower recall at 1 than the start are never taken.
    """

    def __init__(
        self, data: PairDataset, held_out: NDArray[np.intp], patience: int, shared: bool
    ) -> None:
        self.patience, self.shared = patience, shared
        self.rows = data.take(held_out) if len(held_out) else None
        self.groups = data.groups[held_out]
        self.best: list[Network] = []
        self.best_epoch = 0
        self.start_recall: list[float] = []
        self.recall: list[float] = []
        self.likelihood: list[float] = []
        self.history: list[dict[str, float]] = []
        self.waited = 0

    @property
    def stale(self) -> bool:
        """Whether retrieval has not become better for too long."""
        return self.rows is not None and self.waited >= self.patience

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        if not self.best:
            self.best = _networks(net.module_)
            self.likelihood, self.recall = self._retrieval(self.best)
            self.start_recall = list(self.recall)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        now = _networks(net.module_)
        likelihood, recall = self._retrieval(now)
        epoch, improved = len(self.history) + 1, False
        for i, network in enumerate(now):
            if self.rows is None:
                better = network.is_finite()
            elif self.shared and i == 1:
                better = improved  # the two maps of a shared space are good together only
            else:
                better = likelihood[i] > self.likelihood[i] and recall[i] >= self.start_recall[i]
                if better:
                    self.likelihood[i], self.recall[i] = likelihood[i], recall[i]
                improved |= better
            if better:
                self.best[i] = network
                self.best_epoch = epoch if i == 0 else self.best_epoch
        self.waited = 0 if improved else self.waited + 1
        record = {
            "epoch": epoch,
            "train_loss": float(np.mean(net.history[-1, "batches", :, "train_loss"])),
            "learning_rate": float(net.optimizer_.param_groups[0]["lr"]),
            "seconds": time.perf_counter() - self._began,
        }
        for kind, values in (("recall", recall), ("log_likelihood", likelihood)):
            names = (f"held_out_{kind}", f"held_out_inverse_{kind}")
            record.update(zip(names, values, strict=False))
        for name in record.keys() - {"epoch", "train_loss"}:
            net.history.record(name, record[name])
        self.history.append(record)

    def _retrieval(self, networks: list[Network]) -> tuple[list[float], list[float]]:
        """Log-likelihood and recall at 1 of the held-out rows, of every map."""
        if self.rows is None:
            return [], []
        x, y = self.rows
        if self.shared:
            compared = [(networks[0](x), networks[1](y))]
        else:
            sides = ((x, y), (y, x))
            compared = [(n(a), b) for n, (a, b) in zip(networks, sides, strict=False)]
        likelihood, recall = [], []
        for a, b in compared:
            if np.isfinite(a).all() and np.isfinite(b).all():
                fits, found = likelihood_and_recall(a, b, self.groups)
                likelihood.append(float(fits.mean()))
                recall.append(float(found.mean()))
            else:
                likelihood.append(-np.inf)
                recall.append(0.0)
        return likelihood, recall


class OneCycle(Callback):
    """Learning rate: linear warm-up, then a cosine down to zero (Smith and Topin, arXiv 1708.07120).

    A function of the step alone: there is nothing to save and restore.
    """

    def __init__(self, peak: float, n_epochs: int, steps_per_epoch: int, kept: Kept) -> None:
        self.peak, self.kept = peak, kept
        self.steps_per_epoch, self.n_steps = steps_per_epoch, n_epochs * steps_per_epoch

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.step = len(self.kept.history) * self.steps_per_epoch

    def on_batch_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        progress = (self.step + 0.5) / self.n_steps
        if progress < _WARM_UP:
            share = progress / _WARM_UP
        else:
            share = (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP))) / 2
        for group in net.optimizer_.param_groups:
            group["lr"] = self.peak * share
        self.step += 1


class EpochSeed(Callback):
    """skorch callback that seeds dropout in every epoch, so that a resumed run draws the same."""

    def __init__(self, seed: int, kept: Kept) -> None:
        self.seed, self.kept = seed, kept

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        draw = np.random.default_rng([self.seed, len(self.kept.history), 1])
        seed = int(draw.integers(2**31))
        torch.default_generator.manual_seed(seed)
        kind = torch.device(net.device).type
        if kind != "cpu":
            getattr(torch, kind).manual_seed(seed)


class Progress(Callback):
    """Progress bar over the epochs."""

    def __init__(self, kept: Kept, n_epochs: int) -> None:
        self.kept, self.n_epochs = kept, n_epochs

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        from tqdm.auto import tqdm

        self.bar = tqdm(total=self.n_epochs, initial=len(self.kept.history), unit="epoch")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        last = self.kept.history[-1]
        shown = {k: f"{last[k]:.4f}" for k in ("train_loss", "held_out_recall") if k in last}
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.bar.close()


class Deadline(Callback):
    """skorch callback that ends training at a point of ``time.perf_counter``."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.passed = time.perf_counter() > at

    def on_batch_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        if time.perf_counter() > self.at:
            self.passed = True
            raise KeyboardInterrupt


class FitTasks(Callback):
    """skorch callback that passes every epoch on to scikit-learn's callbacks."""

    def __init__(
        self,
        context: Any,
        estimator: Any,
        seen: dict[str, NDArray],
        fitted: Callable[[Kept], dict[str, Any]],
    ) -> None:
        self.context, self.estimator, self.seen, self.fitted = context, estimator, seen, fitted
        self.stop = False

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.task = self.context.subcontext("epoch")
        self.task.call_on_fit_task_begin(estimator=self.estimator, **self.seen)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.stop = self.task.call_on_fit_task_end(
            estimator=self.estimator,
            **self.seen,
            reconstruction_attributes=lambda: self.fitted(net.kept),
        )


def _networks(module: BothWays) -> list[Network]:
    return [m.network() for m in (module.there, module.back) if m is not None]
