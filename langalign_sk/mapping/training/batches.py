"""Batches of paired rows, gathered from memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["POOL", "PairBatches", "PairDataset", "n_batches", "spread_of", "unit_of"]


POOL = 4_096  # rows that hard negatives are looked for among, drawn anew in every epoch


class PairDataset(torch.utils.data.Dataset):
    """Torch dataset of paired rows in memory, which copies one batch at a time.

    Rows are divided by a unit on the way out, so that learning rates mean the same for
    embeddings of any scale.
    """

    def __init__(
        self,
        X: NDArray,
        Y: NDArray,
        rows: NDArray[np.intp],
        groups: NDArray[np.intp],
        units: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        self.X, self.Y, self.rows, self.groups, self.units = X, Y, rows, groups, units

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: NDArray[np.intp]) -> tuple[NDArray, NDArray]:
        """Rows of both sides, float32."""
        sides = []
        for A, unit in zip((self.X, self.Y), self.units, strict=True):
            picked = A[rows]
            if unit != 1:
                picked /= A.dtype.type(unit)
            sides.append(picked.astype(np.float32, copy=False))
        return sides[0], sides[1]


class PairBatches:
    """Shuffled batches of about equal size, each gathered in one operation.

    The order depends on the seed and the number of the epoch alone, so that a resumed run sees
    the batches of an uninterrupted one.
    """

    def __init__(
        self,
        dataset: PairDataset,
        batch_size: int,
        *,
        seed: int,
        epoch: Callable[[], int],
        device: str,
        pool: int,
    ) -> None:
        self.data, self.seed, self.epoch = dataset, seed, epoch
        self.device, self.pool = device, pool
        self.n_batches = n_batches(len(dataset), batch_size)

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[Any]:
        rng = np.random.default_rng([self.seed, self.epoch()])
        order = self.data.rows[rng.permutation(len(self.data))]
        pools: list[torch.Tensor] = []
        if self.pool:
            rows = order[: self.pool]
            x, y, groups = self._to(*self.data.take(rows), self.data.groups[rows])
            pools = [y, x, groups]
        for rows in np.array_split(order, self.n_batches):
            x, y, groups = self._to(*self.data.take(rows), self.data.groups[rows])
            yield {"x": x, "y": y}, (x, y, groups, *pools)

    def _to(self, *arrays: NDArray) -> list[torch.Tensor]:
        return [torch.from_numpy(a).to(self.device, non_blocking=True) for a in arrays]


def n_batches(n_rows: int, batch_size: int) -> int:
    """How many batches an epoch has."""
    return max(1, round(n_rows / batch_size))


def unit_of(X: NDArray) -> float:
    """The root mean square norm of the rows, or 1 where it is so near that it tells nothing."""
    size = float(np.sqrt(_mean_square(X)))
    return 1.0 if not size or 0.5 < size < 2 else size


def spread_of(X: NDArray) -> float:
    """The mean squared distance of the rows from their mean."""
    size = _mean_square(X)
    center = X.mean(axis=0, dtype=np.float64)
    # Of rows that hardly differ, the difference of the two is of rounding errors only.
    return float(max(size - center @ center, np.finfo(np.float32).eps * size))


def _mean_square(X: NDArray) -> float:
    """The mean squared norm of the rows, without a copy of them."""
    return float(np.einsum("ij,ij->", X, X, dtype=np.float64) / len(X))
