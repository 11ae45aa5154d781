"""Export of a linear map as a matrix and an offset."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..aligner._frozen import thawed
from ._moves import move_of

__all__ = ["to_linear"]


def to_linear(
    aligner: Any, *, target_lang: str | None = None, side: str | None = None
) -> tuple[NDArray, NDArray]:
    """Matrix and offset of a linear aligner, for any program that multiplies matrices.

    A language map and a bridge are multiplied into one matrix.

    Parameters
    ----------
    aligner : CrossLingualAligner, LinearAligner or AdapterAligner
        The fitted aligner, frozen or not.
    target_lang : str, default=None
        Language of the map; required if several languages were declared.
    side : {"target", "english"}, default=None
        Side of the rows that the map moves: target rows, which are X of an array-level aligner,
        or English rows, its y. None is the side that moves: English rows if
        ``output_space="target"``, else target rows. With "shared" both sides move, by a map each.

    Returns
    -------
    coef : ndarray of shape (n_features_in, n_features_out), float32
        Linear part.
    intercept : ndarray of shape (n_features_out,), float32
        Offset: moved rows are ``X @ coef + intercept``.

    Raises
    ------
    TypeError
        If `aligner` is not an aligner.
    ValueError
        If the map is not linear, if the rows of `side` pass unchanged, or if `target_lang` was
        not declared.

    See Also
    --------
    to_onnx : Also for maps that are not linear.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.export import to_linear
    >>> from langalign_sk.mapping import LinearAligner
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> aligner = LinearAligner("ridge", alpha=0.1).fit(X, 2 * X[:, :2])
    >>> coef, intercept = to_linear(aligner)
    >>> np.allclose(X @ coef + intercept, aligner.transform(X), atol=1e-5)
    True
    """
    move = move_of(thawed(aligner), target_lang, side)
    if any(network.layers for network in move.networks):
        raise ValueError(
            "The map has hidden layers, so it is not a matrix. Export it with to_onnx, or fit a closed "
            'form or method="contrastive" with adapter_dim=0.'
        )
    coef, intercept = move.networks[0].arrays()
    return coef, intercept
