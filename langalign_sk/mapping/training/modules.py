"""Torch modules of the adapters, built from plain weights and turned back into them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..._utils.validation import ensured
from ..network import Network

__all__ = ["BothWays", "Trainable", "initial_layers"]


def initial_layers(
    widths: list[int], random_state: np.random.RandomState, *, zero_last: bool = False
) -> tuple[tuple[NDArray, NDArray], ...]:
    """Random weights of a perceptron, drawn as ``torch.nn.Linear`` draws its own.

    Drawn by numpy, since torch would draw them from its global generator.
    """
    layers = []
    for fan_in, fan_out in pairwise(widths):
        bound = 1 / np.sqrt(fan_in)
        weight = random_state.uniform(-bound, bound, (fan_in, fan_out)).astype(np.float32)
        bias = random_state.uniform(-bound, bound, fan_out).astype(np.float32)
        layers.append((weight, bias))
    if zero_last:
        weight, bias = layers[-1]
        layers[-1] = np.zeros_like(weight), np.zeros_like(bias)
    return tuple(layers)


class Trainable(nn.Module):
    """Torch module of a :class:`Network` whose change is learned.

    The affine part stays as it is, and a correction is added to it: of full rank, or of rank
    `rank` as the product of two thin matrices, the second zero at the start (LoRA: Hu et al.,
    arXiv 2106.09685). Penalties on the size of the correction therefore pull towards the start, and
    with `pulled` so do those on the changes of the layers.
    """

    def __init__(
        self,
        start: Network,
        *,
        dropout: float,
        rank: int | None,
        linear: bool,
        seed: int,
        pulled: bool = False,
    ) -> None:
        super().__init__()
        self.affine = start.coef is not None
        self.coef: Tensor
        if start.coef is not None and start.intercept is not None:
            self.register_buffer("coef", _tensor(start.coef))
            self.intercept = nn.Parameter(_tensor(start.intercept))
        if linear:
            d, k = ensured(start.coef, "coef").shape
            if rank is None:
                self.change = nn.Parameter(torch.zeros(d, k))
            else:
                wide = initial_layers([d, rank], np.random.RandomState(seed))[0][0]
                self.change_in = nn.Parameter(_tensor(wide))
                self.change_out = nn.Parameter(torch.zeros(rank, k))
        self.linear, self.rank, self.pulled = linear, rank, pulled
        weights = [_tensor(w) for w, _ in start.layers]
        if pulled:
            for i, weight in enumerate(weights):
                self.register_buffer(f"weight_{i}", weight)
            self.changes = nn.ParameterList(torch.zeros_like(w) for w in weights)
        else:
            self.weights = nn.ParameterList(weights)
        self.biases = nn.ParameterList(_tensor(b) for _, b in start.layers)
        self.dropout = nn.Dropout(dropout)

    def _change(self) -> Tensor:
        return self.change if self.rank is None else self.change_in @ self.change_out

    def _current_weights(self) -> list[Tensor]:
        if not self.pulled:
            return list(self.weights)
        return [self.get_buffer(f"weight_{i}") + c for i, c in enumerate(self.changes)]

    def forward(self, x: Tensor) -> Tensor:
        out = x.new_zeros(())
        if self.affine:
            coef = self.coef + self._change() if self.linear else self.coef
            out = torch.addmm(self.intercept, x, coef)
        weights = self._current_weights()
        if not weights:
            return out
        hidden = x
        for weight, bias in zip(weights[:-1], self.biases[:-1], strict=True):
            hidden = self.dropout(torch.relu(torch.addmm(bias, hidden, weight)))
        moved = torch.addmm(self.biases[-1], hidden, weights[-1])
        return out + moved if self.affine else moved

    def network(self) -> Network:
        """Current weights, as copies."""
        with torch.no_grad():
            coef = intercept = None
            if self.affine:
                coef = _array(self.coef + self._change() if self.linear else self.coef)
                intercept = _array(self.intercept)
            layers = zip(self._current_weights(), self.biases, strict=True)
            return Network(coef, intercept, tuple((_array(w), _array(b)) for w, b in layers))


class BothWays(nn.Module):
    """Torch module of a map of X and, optionally, a map of Y, without common weights."""

    def __init__(self, there: Trainable, back: Trainable | None) -> None:
        super().__init__()
        self.there = there
        self.back = back

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        return (self.there(x),) if self.back is None else (self.there(x), self.back(y))


def _tensor(values: NDArray) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))


def _array(values: Tensor) -> NDArray:
    return values.detach().to("cpu", torch.float32, copy=True).numpy()
