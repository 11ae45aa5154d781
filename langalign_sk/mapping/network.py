"""Networks: trained adapters as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import ensured

__all__ = ["Network"]


@dataclass(frozen=True)
class Network:
    """Affine map ``x @ coef + intercept`` plus a perceptron with rectified hidden layers.

    Adapters are kept in this form after training: it moves rows without torch, from any number
    of threads, on any machine, and is saved as arrays.

    Attributes
    ----------
    coef : ndarray of shape (n_features, n_targets) or None
        Affine part. None where the map is the perceptron alone.
    intercept : ndarray of shape (n_targets,) or None
        Its offset.
    layers : tuple of (weight, bias)
        Weights of shape (n_inputs, n_outputs), biases of shape (n_outputs,); empty for a linear
        adapter.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.mapping import Network
    >>> double = Network(2 * np.eye(2), np.ones(2))
    >>> double(np.array([[1.0, 2.0]]))
    array([[3., 5.]])
    >>> relu = Network(None, None, ((np.eye(2), np.zeros(2)), (np.eye(2), np.zeros(2))))
    >>> relu(np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """

    coef: NDArray | None
    intercept: NDArray | None
    layers: tuple[tuple[NDArray, NDArray], ...] = ()

    def __call__(self, X: NDArray) -> NDArray:
        """Move rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_targets)
            The moved rows.
        """
        out = None
        if self.coef is not None:
            out = X @ self.coef
            out += self.intercept
        if not self.layers:
            return ensured(out, "coef")
        hidden = X
        for weight, bias in self.layers[:-1]:
            hidden = hidden @ weight
            hidden += bias
            np.maximum(hidden, 0, out=hidden)
        weight, bias = self.layers[-1]
        moved = hidden @ weight
        moved += bias
        return moved if out is None else out + moved

    @property
    def n_targets(self) -> int:
        """Width of the moved rows."""
        last = self.intercept if self.intercept is not None else self.layers[-1][1]
        return len(last)

    def rescaled(self, source: float, target: float) -> Network:
        """The same map for rows and counterparts of another scale.

        Parameters
        ----------
        source, target : float
            Factors by which rows and counterparts are larger than before.

        Returns
        -------
        Network
            The rescaled map.
        """
        layers = list(self.layers)
        if layers:
            layers[0] = layers[0][0] / source, layers[0][1]
            layers[-1] = layers[-1][0] * target, layers[-1][1] * target
        coef = None if self.coef is None else self.coef * (target / source)
        intercept = None if self.intercept is None else self.intercept * target
        return Network(coef, intercept, tuple(layers))

    def mixed(self, other: Network, share: float) -> Network:
        """Weights on the way from this map to another one of the same layers.

        Parameters
        ----------
        other : Network
            Where the way leads.
        share : float
            0 is this map, 1 the other one.

        Returns
        -------
        Network
            Means of the weights (Wortsman et al., arXiv 2109.01903, eq. 2).
        """
        both = zip(self.arrays(), other.arrays(), strict=True)
        means = [a + a.dtype.type(share) * (b - a) for a, b in both]
        coef = intercept = None
        if self.coef is not None:
            coef, intercept, *means = means
        return Network(coef, intercept, tuple(zip(means[::2], means[1::2], strict=True)))

    def astype(self, dtype: Any) -> Network:
        """The map in another precision.

        Parameters
        ----------
        dtype : dtype
            Such as ``numpy.float32``.

        Returns
        -------
        Network
            With arrays of that dtype.
        """
        coef, intercept = (
            None if a is None else a.astype(dtype) for a in (self.coef, self.intercept)
        )
        layers = tuple((w.astype(dtype), b.astype(dtype)) for w, b in self.layers)
        return Network(coef, intercept, layers)

    def arrays(self) -> list[NDArray]:
        """Arrays of the map: coef and intercept, then weight and bias of every layer.

        Returns
        -------
        list of ndarray
            Without those that are None.
        """
        affine = [] if self.coef is None or self.intercept is None else [self.coef, self.intercept]
        return affine + [a for layer in self.layers for a in layer]

    def is_finite(self) -> bool:
        """Whether every weight is a finite number.

        Returns
        -------
        bool
            False if there is an infinity or NaN.
        """
        return all(bool(np.isfinite(a).all()) for a in self.arrays())
