"""Encoding of every distinct text once per call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import settings_of_rows
from .objects import Encoder, object_name, original_object
from .outputs import numbered_in

__all__ = ["EncodingSession", "check_varies"]


_ROUNDING = 1e-5  # of rows that are equal in truth, relative to their largest number


class EncodingSession:
    """Encoder of every distinct text once within one call.

    Examples
    --------
    >>> from langalign_sk.encoders import EncodingSession, as_encoder
    >>> class Length:
    ...     def encode(self, texts):
    ...         print("encoding", texts)
    ...         return [[len(t), 1.0] for t in texts]
    >>> session, encoder = EncodingSession(), as_encoder(Length())
    >>> session.encode(encoder, ["aa", "b", "aa"]).tolist()
    encoding ['aa', 'b']
    [[2.0, 1.0], [1.0, 1.0], [2.0, 1.0]]
    """

    def __init__(self) -> None:
        self._rows: dict[Encoder, dict[str, NDArray]] = {}

    def encode(self, encoder: Encoder, texts: Sequence[str]) -> NDArray:
        """Rows of texts, of which those seen before are not encoded again.

        Parameters
        ----------
        encoder : Encoder
            As `as_encoder` returns it.
        texts : sequence of str
            In any order, with repetitions.

        Returns
        -------
        ndarray of shape (n_texts, width), float32
            One row per text.
        """
        rows = self._rows.setdefault(encoder, {})
        new = [t for t in dict.fromkeys(texts) if t not in rows]
        if new:
            with numbered_in(texts):
                found = encoder.encode(new)
            known = next(iter(rows.values()), found[0])
            if found.shape[1] != len(known):
                raise ValueError(
                    f"The encoder{_name(encoder)} returned rows of width {found.shape[1]}, and of "
                    f"width {len(known)} before: all rows must be of one width."
                )
            rows.update(zip(new, found, strict=True))
        return np.stack([rows[t] for t in texts])


def check_varies(rows: NDArray, texts: Sequence[str], encoder: Encoder) -> None:
    """Check that an encoder returns more than one row for texts that differ.

    Parameters
    ----------
    rows : ndarray of shape (n_texts, width)
        Rows of the texts.
    texts : sequence of str
        In the order of the rows.
    encoder : Encoder
        Where the rows come from; the error names which of its settings may be the cause.

    Raises
    ------
    ValueError
        If the rows of all texts are the same, though the texts differ in more than capitals and
        white space.
    """
    # Many encoders read no capitals and no white space.
    if len({" ".join(text.casefold().split()) for text in texts}) < 2:
        return
    largest = np.abs(rows).max()
    if (rows.max(axis=0) - rows.min(axis=0)).max() <= _ROUNDING * largest:
        raise ValueError(
            f"The encoder{_name(encoder)} returns the same row for all {len(texts)} texts"
            f"{'' if largest else ', of zeros alone'}, so that there is nothing to learn from. "
            f"{_remedy(settings_of_rows(encoder) or {})}"
        )


def _name(encoder: Encoder) -> str:
    """Name of an encoder with a space before it; empty where it has none."""
    given = original_object(encoder)
    name = getattr(encoder, "name", None) if given is None else object_name(given)
    return "" if name is None else f" {name}"


def _remedy(settings: dict[str, Any]) -> str:
    """Remedy for rows that are all the same, by the settings of their encoder."""
    remedies = []
    if "max_length" in settings:
        remedies.append(
            f"With max_length={settings['max_length']}, only the first tokens of a text are read, and "
            "texts may begin alike: choose a larger one, or None."
        )
    if "layer" in settings or "pooling" in settings:
        remedies.append(
            'Choose another layer= or pooling=: with pooling="cls", rows of the first layers do not '
            "depend on the text."
        )
    return " ".join(remedies) or "Use an encoder whose rows depend on the text."
