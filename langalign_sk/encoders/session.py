"""Encoding of every distinct text once per call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .objects import Encoder

__all__ = ["EncodingSession"]


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
            rows.update(zip(new, encoder.encode(new), strict=True))
        return np.stack([rows[t] for t in texts])
