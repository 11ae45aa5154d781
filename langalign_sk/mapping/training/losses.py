"""Objectives of the trained adapters."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Contrastive", "SquaredError"]


# A larger scale than CLIP's lets one pair decide a batch (Radford et al., arXiv 2103.00020, 2.5).
_MAX_SCALE = 100.0
# A negative nearer than this share of the translation's own cosine is likely a translation too
# (Moreira et al., "NV-Retriever", arXiv 2407.15831, positive-aware mining).
_LIKELY_POSITIVE = 0.95


class SquaredError(nn.Module):
    """Mean squared error of both maps, the objective of the LANGALIGN paper.

    Parameters
    ----------
    weights : (float, float)
        Of the errors of the map from X to Y, and of the map back.

    Notes
    -----
    `pairs` is ``(x, y, groups)``, the rows of the batch, and for hard negatives
    ``(..., pool of y, pool of x, groups of the pool)``; `moved` holds the rows that the map
    from X to Y, and the map back, make of them.
    """

    def __init__(self, weights: tuple[float, float] = (1.0, 1.0)) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, moved: tuple[Tensor, ...], pairs: tuple[Tensor, ...]) -> Tensor:
        x, y, *_ = pairs
        parts = zip(self.weights, moved, (y, x), strict=False)
        return torch.stack([w * functional.mse_loss(z, t) for w, z, t in parts]).sum()


class Contrastive(nn.Module):
    """Symmetric InfoNCE with a learned temperature, of both maps.

    The loss of van den Oord, Li and Vinyals (arXiv 1807.03748, eq. 4), taken from both sides as
    in CLIP (Radford et al., arXiv 2103.00020, figure 3), whose learned temperature it has too.
    Rows of one duplicate group are not negatives of each other.

    Parameters
    ----------
    temperature : float
        At the start.
    mse_weights : (float, float)
        Weights of the squared errors of both maps. They keep rows where a model trained on the
        counterparts knows them; cosines alone would not.
    hard_negatives : int
        How many of the nearest rows of `pool` join the negatives of every row.
    shared : bool
        `moved` holds the rows of both sides in one space; they are compared with each other.
    """

    def __init__(
        self,
        temperature: float,
        mse_weights: tuple[float, float],
        hard_negatives: int,
        shared: bool,
    ) -> None:
        super().__init__()
        self.shared = shared
        self.log_scale = nn.Parameter(torch.full((2,), math.log(1 / temperature)))
        self.mse_weights = mse_weights
        self.hard_negatives = hard_negatives

    def forward(self, moved: tuple[Tensor, ...], pairs: tuple[Tensor, ...]) -> Tensor:
        x, y, groups, *pools = pairs
        other = _same_group(groups)
        total = x.new_zeros(())
        compared = [moved] if self.shared else zip(moved, (y, x), strict=False)
        for i, (z, t) in enumerate(compared):
            scale = self.log_scale[i].clamp(max=math.log(_MAX_SCALE)).exp()
            Z, T = functional.normalize(z, dim=1), functional.normalize(t, dim=1)
            logits = Z @ T.T * scale
            if other is not None:
                logits = logits.masked_fill(other, -math.inf)
            right = torch.arange(len(z), device=z.device)
            forward = logits
            if pools:
                known = groups[:, None] == pools[2][None, :]
                hard = self._hard(Z, T, functional.normalize(pools[i], dim=1), known)
                # Scaled before it is masked: infinity times a learned scale has no gradient.
                none = hard.isneginf()
                hard = (hard.masked_fill(none, 0) * scale).masked_fill(none, -math.inf)
                forward = torch.cat([logits, hard], dim=1)
            total = total + functional.cross_entropy(forward, right) / 2
            total = total + functional.cross_entropy(logits.T, right) / 2
            if self.mse_weights[i] and not self.shared:
                total = total + self.mse_weights[i] * (z - t).square().sum(1).mean()
        return total

    def _hard(self, Z: Tensor, T: Tensor, pool: Tensor, known: Tensor) -> Tensor:
        """Cosines of the hardest negatives, found by the map as it is now.

        Known translations and likely ones are -inf where too few others are left.
        """
        cosines = Z @ pool.T
        own = (Z * T).sum(1, keepdim=True)
        likely = cosines > _LIKELY_POSITIVE * own.clamp(min=0)
        return (
            cosines.masked_fill(likely | known, -math.inf).topk(self.hard_negatives, dim=1).values
        )


def _same_group(groups: Tensor) -> Tensor | None:
    """Where two different rows of a batch are right answers for each other; None for nowhere."""
    if len(torch.unique(groups)) == len(groups):
        return None
    same = groups[:, None] == groups[None, :]
    return same.fill_diagonal_(False)
