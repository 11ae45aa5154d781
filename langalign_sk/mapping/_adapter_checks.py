"""Checks of an adapter's parameters that come before any training."""

from __future__ import annotations

import numbers
import os
from typing import Any

import numpy as np

from .selection import METHODS

__all__ = ["ARCHITECTURES", "check_adapter_parameters", "check_callbacks"]

ARCHITECTURES = {"contrastive": "residual", "mse": "fc", "autoencoder": "ae"}


def check_adapter_parameters(aligner: Any, square: bool) -> None:
    """Raise for a parameter out of its range, or for two that do not go together."""
    a = aligner
    if a.loss not in ARCHITECTURES:
        raise ValueError(f"loss must be one of {tuple(ARCHITECTURES)}, got {a.loss!r}.")
    known = (None, *ARCHITECTURES.values())
    if a.architecture not in known:
        raise ValueError(f"architecture must be one of {known}, got {a.architecture!r}.")
    architecture = a._architecture
    if a.loss == "autoencoder" and architecture != "ae":
        raise ValueError(
            f'loss="autoencoder" trains architecture="ae", got {a.architecture!r}. Use loss="mse".'
        )
    if a.start not in ("auto", *METHODS):
        raise ValueError(f"start must be one of {('auto', *METHODS)}, got {a.start!r}.")
    if a.start == "identity" and not square:
        raise ValueError('start="identity" needs X and y of one width. Use "auto".')
    if a.shared and (a.loss != "contrastive" or architecture != "residual"):
        raise ValueError(
            f'shared=True goes with loss="contrastive" and architecture="residual", got {a.loss!r} '
            f"and {architecture!r}: a squared error is least where both sides are one point."
        )
    if a.shared and a.hard_negatives:
        raise ValueError("hard_negatives are not looked for with shared=True: leave one out.")
    if a.shared and a.start not in ("auto", "spectral"):
        raise ValueError(f'shared=True starts from "spectral", got start={a.start!r}.')
    for name in ("shared", "inverse", "early_stopping", "warm_start"):
        if not isinstance(getattr(a, name), bool | np.bool_):
            raise ValueError(f"{name} must be True or False, got {getattr(a, name)!r}.")
    lowest = 0 if architecture == "residual" else 1
    _check(
        a,
        "adapter_dim",
        numbers.Integral,
        lambda v: v >= lowest,
        f"an int of at least {lowest} or None",
        True,
    )
    _check(a, "rank", numbers.Integral, lambda v: v >= 1, "a positive int or None", True)
    if a.rank is not None and (architecture != "residual" or a.adapter_dim):
        raise ValueError(
            "rank is that of a linear adapter: leave adapter_dim and architecture out."
        )
    _check(
        a,
        "learning_rate",
        numbers.Real,
        lambda v: 0 < v < np.inf,
        "a positive number or None",
        True,
    )
    for name in ("temperature", "max_grad_norm"):
        _check(a, name, numbers.Real, lambda v: 0 < v < np.inf, "a positive number")
    for name in ("mse_weight", "weight_decay"):
        _check(a, name, numbers.Real, lambda v: 0 <= v < np.inf, "a non-negative number")
    _check(a, "dropout", numbers.Real, lambda v: 0 <= v < 1, "a number in [0, 1)")
    _check(a, "validation_fraction", numbers.Real, lambda v: 0 < v < 1, "a number in (0, 1)")
    _check(a, "hard_negatives", numbers.Integral, lambda v: v >= 0, "a non-negative int")
    for name in ("max_epochs", "n_iter_no_change"):
        _check(a, name, numbers.Integral, lambda v: v >= 1, "a positive int")
    _check(
        a, "batch_size", numbers.Integral, lambda v: v >= 2, "an int of at least 2 or None", True
    )
    if a.checkpoint is not None and not isinstance(a.checkpoint, str | os.PathLike):
        raise ValueError(f"checkpoint must be the path of a folder or None, got {a.checkpoint!r}.")
    if a.checkpoint is not None and a.warm_start:
        raise ValueError(
            "checkpoint goes on with a run of its own, and warm_start with the last fit: give one."
        )


def check_callbacks(callbacks: Any) -> list[Any]:
    """The skorch callbacks of the user as a list."""
    from skorch.callbacks import Callback

    if callbacks is None:
        return []
    if not isinstance(callbacks, list | tuple):
        callbacks = [callbacks]
    for entry in callbacks:
        named = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)
        callback = entry[1] if named else entry
        is_class = isinstance(callback, type) and issubclass(callback, Callback)
        if not (is_class or isinstance(callback, Callback)):
            raise TypeError(
                f"callbacks must hold skorch callbacks or (name, callback) pairs, got {entry!r}. "
                "Callbacks of scikit-learn go to set_callbacks."
            )
    return list(callbacks)


def _check(
    aligner: Any, name: str, kind: type, valid: Any, allowed: str, optional: bool = False
) -> None:
    value = getattr(aligner, name)
    if optional and value is None:
        return
    if not isinstance(value, kind) or isinstance(value, bool) or not valid(value):
        raise ValueError(f"{name} must be {allowed}, got {value!r}.")
