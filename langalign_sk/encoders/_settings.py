"""Checks of the parameters of an encoder, before anything is loaded."""

from __future__ import annotations

import numbers
import os
from collections.abc import Sequence
from typing import Any

from .cache import as_cache

__all__ = ["check_settings"]

_CHOICES = {
    "pooling": (None, "mean", "cls", "max", "lasttoken"),
    "dtype": (None, "float32", "float16", "bfloat16"),
    "backend": ("torch", "onnx", "openvino"),
}


def check_settings(encoder: Any) -> None:
    """Raise ValueError or TypeError for a parameter that no model could take."""
    if not isinstance(encoder.name, str | os.PathLike):
        raise TypeError(
            f"name must be a str, got {type(encoder.name).__name__}. An object that encodes goes to "
            "the aligner itself."
        )
    for name, allowed in _CHOICES.items():
        value = getattr(encoder, name)
        if value not in allowed:
            raise ValueError(f"{name} must be one of {allowed}, got {value!r}.")
    for name in ("batch_size", "max_length"):
        value = getattr(encoder, name)
        if name == "max_length" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(f"{name} must be a positive int, got {value!r}.")
    for name in ("prompt", "revision"):
        value = getattr(encoder, name)
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be a str or None, got {type(value).__name__}.")
    device = encoder.device
    if device is not None and not isinstance(device, str):
        several = isinstance(device, Sequence) and all(isinstance(d, str) for d in device)
        if not several or not device:
            raise TypeError(f"device must be a str, a list of str or None, got {device!r}.")
    as_cache(encoder.cache)
