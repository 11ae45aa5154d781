"""Encoding of every distinct text once per call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import settings_of_rows
from .objects import Encoder
from .outputs import RowError

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
            try:
                rows.update(zip(new, encoder.encode(new), strict=True))
            except RowError as error:
                raise error.numbered(texts) from error.__cause__
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
        If the rows of all texts are the same, though the texts are not.
    """
    if len({*texts}) < 2:
        return
    largest = np.abs(rows).max()
    if (rows.max(axis=0) - rows.min(axis=0)).max() <= _ROUNDING * largest:
        raise ValueError(
            f"The encoder returns the same row for all {len(texts)} texts, so that there is nothing to "
            f"learn from. {_remedy(settings_of_rows(encoder) or {})}"
        )


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
