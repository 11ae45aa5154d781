"""Closed forms as networks of rectified layers, exact at the start of training."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .closed_form import AffineMap

__all__ = ["Components", "rectified_layers"]


_FURTHER = 2  # rows of another topic reach further than those of the pairs

Layers = tuple[tuple[NDArray, NDArray], ...]


class Components:
    """Principal components of the rows that an affine map makes.

    ``affine(x) = (x - mean) @ into @ out_of + offset``, with the components in the order of their
    variance; all of them hold the map exactly, and the first r hold its best part of rank r (reduced
    rank regression: Izenman, "Reduced-rank regression for the multivariate linear model", Journal of
    Multivariate Analysis 5, 1975).

    Parameters
    ----------
    affine : AffineMap
        The map.
    mean : ndarray of shape (n_features,)
        Mean of the rows that it is applied to.
    covariance : ndarray of shape (n_features, n_features)
        Their covariance.
    """

    def __init__(self, affine: AffineMap, mean: NDArray, covariance: NDArray) -> None:
        coef = affine.coef.astype(np.float64)
        self.mean = mean.astype(np.float64)
        self.offset = self.mean @ coef + affine.intercept
        # Directions that no row of the pairs has are kept too, as other rows may have them.
        space = np.linalg.svd(coef, full_matrices=False)[2]
        seen = coef @ space.T
        variances, turn = np.linalg.eigh(seen.T @ covariance.astype(np.float64) @ seen)
        self.variances = np.clip(variances[::-1], 0, None)
        self.into = seen @ turn[:, ::-1]
        self.out_of = turn[:, ::-1].T @ space

    def __len__(self) -> int:
        return len(self.variances)

    def number_with(self, share: float) -> int:
        """How many components have a share of the variance."""
        total = self.variances.sum()
        if not total:
            return len(self)
        return int(np.searchsorted(np.cumsum(self.variances), share * total) + 1)


def rectified_layers(
    components: Components, rank: int, widths: list[int], X: NDArray, draw: np.random.RandomState
) -> Layers:
    """Layers of a perceptron that moves rows as the first components of a map do.

    A layer of 2 r units holds r components exactly, as ``z = relu(z) - relu(-z)``. A narrower one
    holds the components with the least variance in one unit each, ``z = relu(z + b) - b``, which is
    exact for rows whose component is at most twice as far from the mean as in any row of `X`. The
    units of a pair are active on different rows, so that their gradients differ without any noise on
    the weights. Further units get random weights in front of them, and zeros behind.

    Parameters
    ----------
    components : Components
        Of the map.
    rank : int
        How many of them; at most as many as the narrowest layer has units.
    widths : list of int
        Of all layers, the first that of X, the last that of the moved rows.
    X : ndarray of shape (n_samples, n_features)
        Rows that tell how far components reach.
    draw : RandomState
        Draws the weights of further units.

    Returns
    -------
    tuple of (weight, bias)
        Of every layer, in float32.
    """
    into = components.into[:, :rank]
    reach = np.abs((X - components.mean.astype(X.dtype)) @ into.astype(X.dtype)).max(axis=0)
    reach = _FURTHER * reach.astype(np.float64)
    # What is in front of a layer, as an affine map from its units to the components.
    decode, shift = into, -components.mean @ into
    layers = []
    for fan_in, width in pairwise(widths[:-1]):
        encode, bias = _code(rank, width, reach)
        weight = decode @ encode
        offset = shift @ encode + bias
        used = encode.any(axis=0)
        bound = 1 / np.sqrt(fan_in)
        weight[:, ~used] = draw.uniform(-bound, bound, (fan_in, int((~used).sum())))
        layers.append((weight, offset))
        decode, shift = encode.T, -bias @ encode.T
        # A pair of units has its component as their difference, a single one above its bias.
    out_of = components.out_of[:rank]
    layers.append((decode @ out_of, shift @ out_of + components.offset))
    return tuple((w.astype(np.float32), b.astype(np.float32)) for w, b in layers)


def _code(rank: int, width: int, reach: NDArray) -> tuple[NDArray, NDArray]:
    """Weights from components to the units of a layer, and the biases of the units.

    The transposed weights lead back, once the biases are taken off.
    """
    n_pairs = min(rank, width - rank)
    weight, bias = np.zeros((rank, width)), np.zeros(width)
    ones = np.arange(n_pairs)
    weight[ones, ones], weight[ones, n_pairs + ones] = 1, -1
    single = np.arange(n_pairs, rank)
    weight[single, n_pairs + single] = 1
    bias[n_pairs + single] = reach[single]
    return weight, bias
