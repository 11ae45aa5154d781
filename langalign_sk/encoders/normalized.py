"""Normalised text for encoders that are a user's own objects."""

from __future__ import annotations

from numpy.typing import NDArray

from .._utils.normalization import normalize_texts
from .base import TextEncoder
from .objects import Encoder
from .outputs import numbered_in

__all__ = ["NormalizedEncoder", "normalizing"]


class NormalizedEncoder:
    """Handle of a user's object that is given normalised text.

    Parameters
    ----------
    handle : Encoder
        As `as_encoder` returns it.
    form : str
        As in `normalize_text`.
    """

    def __init__(self, handle: Encoder, form: str) -> None:
        self.handle, self.normalize_text = handle, form

    def load(self) -> None:
        """Load the model of the handle."""
        self.handle.load()

    def encode(self, texts: list[str]) -> NDArray:
        """Rows of shape (n_texts, width), float32; texts that become equal are encoded once."""
        read = normalize_texts(texts, self.normalize_text)
        place = {text: i for i, text in enumerate(dict.fromkeys(read))}
        with numbered_in(read, texts):
            rows = self.handle.encode([*place])
        return rows if len(place) == len(read) else rows[[place[text] for text in read]]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NormalizedEncoder):
            return False
        return self.normalize_text == other.normalize_text and self.handle == other.handle

    def __hash__(self) -> int:
        return hash((self.normalize_text, self.handle))


def normalizing(handle: Encoder, form: str | None) -> Encoder:
    """Handle that is given text in one form; encoders of this package have a form of their own.

    Parameters
    ----------
    handle : Encoder
        As `as_encoder` returns it.
    form : str or None
        As in `normalize_text`.

    Returns
    -------
    Encoder
        The handle itself where it needs no other one.

    Examples
    --------
    >>> from langalign_sk.encoders import as_encoder
    >>> from langalign_sk.encoders.normalized import normalizing
    >>> class Length:
    ...     def encode(self, texts):
    ...         return [[len(text), 1] for text in texts]
    >>> normalizing(as_encoder(Length()), "auto").encode(["ab", "a\\u00adb"]).tolist()
    [[2.0, 1.0], [2.0, 1.0]]
    """
    if form is None or isinstance(handle, TextEncoder):
        return handle
    return NormalizedEncoder(handle, form)
