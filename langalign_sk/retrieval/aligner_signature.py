"""Signature of a fitted aligner, by which a saved index recognises the one it was built with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..aligner._frozen import thawed
from ..aligner._route import encoders_of, models_seen, route_of
from ..encoders.base import form_of, settings_of_rows
from ..encoders.models.model import is_sampled

__all__ = ["difference", "signature_of"]


_PROBED = 16  # columns of two moved rows
# Queries in one precision find documents in another.
_OF_PRECISION = ("dtype", "backend")


def signature_of(aligner: Any) -> dict[str, Any] | None:
    """Signature of a fitted aligner, which JSON keeps: its encoders, and two rows that it moved.

    Parameters
    ----------
    aligner : CrossLingualAligner, array-level aligner, a frozen one, or None
        The fitted aligner.

    Returns
    -------
    dict or None
        None for no aligner.
    """
    if aligner is None:
        return None
    inner = thawed(aligner)
    if not hasattr(inner, "language_map_"):
        return {"maps": {"": _probe(inner.transform, inner.n_features_in_)}}
    route = route_of(inner)
    return {
        "output_space": route.output_space,
        "encoders": [seen[1] if seen else None for seen in models_seen(inner)],
        "settings_of_rows": [
            _settings(encoder) if seen else None
            for encoder, seen in zip(encoders_of(inner), models_seen(inner), strict=True)
        ],
        "forms_of_text": [form_of(encoder) for encoder in encoders_of(inner)],
        "maps": {
            language: _probe(partial(route.there, language=language), fitted.n_features_in_)
            for language, fitted in route.maps.items()
        },
    }


def _settings(encoder: Any) -> dict[str, Any] | None:
    """Settings of an encoder that change what its rows mean, as JSON returns them."""
    settings = settings_of_rows(encoder)
    if settings is None:
        return None
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in settings.items()
        if name not in _OF_PRECISION
    }


def _probe(move: Callable[[NDArray], Any], width: int) -> list[float]:
    Z = np.random.default_rng(0).normal(size=(2, width)).astype(np.float32)
    return [float(v) for v in np.asarray(move(Z))[:, :_PROBED].ravel()]


def _may_be_one(old: str, new: str) -> bool:
    """Whether two identities may be of one model.

    Earlier releases gave a folder another identity: by names alone, the maps must tell.
    """
    if old == new or is_sampled(old) == is_sampled(new):
        return old == new
    return old.rpartition("@")[0] == new.rpartition("@")[0]


def difference(saved: Any, now: Any) -> str | None:
    """Difference between two signatures as the end of a sentence "the index was built ...".

    Parameters
    ----------
    saved : dict or None
        Signature in a file.
    now : dict or None
        Signature of the aligner at hand.

    Returns
    -------
    str or None
        None if they are of one aligner.

    Raises
    ------
    KeyError, TypeError, AttributeError
        If `saved` is not a signature.
    """
    if saved is None and now is None:
        return None
    if saved is None or now is None:
        without = "without an aligner, and the retriever has one"
        return without if saved is None else "with an aligner, and the retriever has none"
    encoders = saved.get("encoders", []), now.get("encoders", [])
    for old, new in zip(*encoders, strict=False):
        if old is not None and new is not None and not _may_be_one(old, new):
            return f"with the encoder {old!r}, and the aligner has {new!r}"
    settings = saved.get("settings_of_rows", []), now.get("settings_of_rows", [])
    for old, new in zip(*settings, strict=False):
        if old is not None and new is not None and old != new:
            return f"with the encoder's settings {old}, and the aligner has {new}"
    # Earlier releases did not write them, and ordinary text is the same in all.
    if "forms_of_text" in saved and saved["forms_of_text"] != now.get("forms_of_text"):
        return (
            f"of text in the form {saved['forms_of_text']}, and the aligner reads "
            f"{now.get('forms_of_text')} (normalize=)"
        )
    same = saved.get("output_space") == now.get("output_space")
    same = same and saved["maps"].keys() == now["maps"].keys()
    # Processors differ in the last digits.
    same = same and all(
        len(values) == len(now["maps"][language])
        and np.allclose(values, now["maps"][language], rtol=1e-3, atol=1e-3)
        for language, values in saved["maps"].items()
    )
    return None if same else "with another aligner"
