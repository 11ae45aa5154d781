"""skorch callbacks of a training run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback

from ..._utils.validation import ensured
from ...metrics._core import likelihood_and_recall
from ..network import Network
from .batches import PairDataset
from .modules import BothWays

__all__ = ["Deadline", "EpochSeed", "FitTasks", "Kept", "OneCycle", "Progress", "Settled"]


_WARM_UP = 0.1  # share of the steps
_ROUNDING = 1e-6  # of coefficients of determination that are equal in truth
_SHARES = (1.0, 0.5, 0.25, 0.125)  # of the way from the start to the best weights


@dataclass(frozen=True)
class _Scores:
    """Held-out figures of one map; with an infinity among its rows, the worst there are."""

    recall: float = 0.0
    likelihood: float = -math.inf
    r2: float = -math.inf


@dataclass(frozen=True)
class Settled:
    """Maps to use, and how they came about."""

    networks: list[Network]
    recall: list[float]
    best_epoch: int


class Kept(Callback):
    """skorch callback that keeps the best maps by held-out rows, or the last ones without them.

    For retrieval, epochs are compared by the log-likelihood of retrieving the held-out translations,
    as closed forms are: recall at 1 moves by a few rows at a time, and would pick an epoch by luck. A
    map with a lower recall at 1 than the start is never kept. For heads, they are compared by the
    squared error, and `settled` sees to recall.
    """

    def __init__(
        self,
        data: PairDataset,
        held_out: NDArray[np.intp],
        patience: int,
        *,
        shared: bool = False,
        objective: str = "retrieval",
        closed_forms: Sequence[Network] = (),
    ) -> None:
        self.patience, self.shared, self.objective = patience, shared, objective
        self.rows = data.take(held_out) if len(held_out) else None
        self.groups = data.groups[held_out]
        self.start = list(closed_forms)
        self.best: list[Network] = []
        self.best_epoch = 0
        self.start_recall: list[float] = []
        self.start_r2: list[float] = []
        self.recall: list[float] = []
        self.likelihood: list[float] = []
        self.r2: list[float] = []
        self.history: list[dict[str, float]] = []
        self.waited = 0

    @property
    def stale(self) -> bool:
        """Whether no epoch has been better for too long."""
        return self.rows is not None and self.waited >= self.patience

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        if self.best:  # of a run that goes on
            return
        now = _networks(net.module_)
        self.best = [*self.start, *now][: len(now)] if self.rows is not None else now
        scores = self._scores(self.best)
        self.recall = [s.recall for s in scores]
        self.likelihood = [s.likelihood for s in scores]
        self.r2 = [s.r2 for s in scores]
        self.start_recall, self.start_r2 = list(self.recall), list(self.r2)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        now = _networks(net.module_)
        scores = self._scores(now)
        epoch, improved = len(self.history) + 1, False
        for i, network in enumerate(now):
            if self.rows is None:
                better = network.is_finite()
            elif self.shared and i == 1:
                better = improved  # the two maps of a shared space are good together only
            else:
                better = self._is_better(i, scores[i])
                improved |= better
            if better:
                self._keep(i, network, scores)
                self.best_epoch = epoch if i == 0 else self.best_epoch
        self.waited = 0 if improved else self.waited + 1
        record = {
            "epoch": epoch,
            "train_loss": float(np.mean(net.history[-1, "batches", :, "train_loss"])),
            "learning_rate": float(net.optimizer_.param_groups[0]["lr"]),
            "seconds": time.perf_counter() - self._began,
        }
        for prefix, score in zip(("held_out", "held_out_inverse"), scores, strict=False):
            record[f"{prefix}_recall"] = score.recall
            record[f"{prefix}_log_likelihood"] = score.likelihood
            if not self.shared:
                record[f"{prefix}_r2"] = score.r2
        for name in record.keys() - {"epoch", "train_loss"}:
            net.history.record(name, record[name])
        self.history.append(record)

    def _is_better(self, i: int, scores: _Scores) -> bool:
        if self.objective == "head":
            return scores.r2 > self.r2[i]
        return scores.likelihood > self.likelihood[i] and scores.recall >= self.start_recall[i]

    def _keep(self, i: int, network: Network, scores: list[_Scores]) -> None:
        self.best[i] = network
        if self.rows is not None and i < len(scores):
            self.recall[i], self.likelihood[i] = scores[i].recall, scores[i].likelihood
            self.r2[i] = scores[i].r2

    def settled(self, first: Sequence[Network]) -> Settled:
        """Maps to use after training: none finds fewer held-out translations than the start.

        For heads, a map whose recall at 1 fell is moved back towards the start, by means of their
        weights, until it has not fallen and the squared error is still smaller (Wortsman et al., arXiv
        2109.01903). Where there is no such mean, it is the start itself.

        Parameters
        ----------
        first : sequence of Network
            Maps of the module before training.

        Returns
        -------
        Settled
            A map for each of the module's.
        """
        networks, recall, best_epoch = list(self.best), list(self.recall), self.best_epoch
        if self.rows is None or self.objective != "head":
            return Settled(networks, recall, best_epoch)
        starts = self.start or first
        for i, (best, origin, start) in enumerate(zip(self.best, first, starts, strict=False)):
            networks[i], recall[i] = start, self.start_recall[i]
            least = self.start_r2[i] + _ROUNDING
            for share in _SHARES if self.r2[i] > least else ():
                network = origin.mixed(best, share)
                scores = self._scores_of(i, network)
                if scores.recall >= self.start_recall[i] and scores.r2 > least:
                    networks[i], recall[i], least = network, scores.recall, scores.r2
            if i == 0 and networks[i] is start:
                best_epoch = 0
        return Settled(networks, recall, best_epoch)

    def _scores(self, networks: list[Network]) -> list[_Scores]:
        """Held-out figures of every map; of both together in a shared space."""
        if self.rows is None:
            return []
        if not self.shared:
            return [self._scores_of(i, network) for i, network in enumerate(networks)]
        x, y = self.rows
        return [self._compared(networks[0](x), networks[1](y))]

    def _scores_of(self, i: int, network: Network) -> _Scores:
        """Held-out figures of the map from X to Y (0), or back (1)."""
        rows = ensured(self.rows, "rows")
        return self._compared(network(rows[i]), rows[1 - i])

    def _compared(self, moved: NDArray, targets: NDArray) -> _Scores:
        if not (np.isfinite(moved).all() and np.isfinite(targets).all()):
            return _Scores()
        likelihoods, found = likelihood_and_recall(moved, targets, self.groups)
        recall, likelihood = float(found.mean()), float(likelihoods.mean())
        if self.shared:
            return _Scores(recall, likelihood)
        spread = np.square(targets - targets.mean(axis=0)).sum()
        error = np.square(moved - targets).sum()
        r2 = 1 - float(error / spread) if spread else -math.inf  # constant rows
        return _Scores(recall, likelihood, r2)


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
