"""Limit of the number of tokens of a text that a model reads."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Limit"]


# No tokenizer makes fewer tokens than one of so many characters of sensible text. What lies behind is
# cut off before the tokenizer sees it, as some take quadratic time.
_CHARS_PER_TOKEN = 64
_N_NOTED = 100_000  # texts


class Limit:
    """Limit of the number of tokens of a text that a model reads.

    Parameters
    ----------
    max_length : int
        Number of tokens, with those that the tokenizer adds.
    n_tokens : callable, default=None
        From a text to its number of tokens, for a model that does not cut texts itself. None: the
        model does, and says of which texts by `note`.
    n_added : int, default=2
        Number of the tokens that the tokenizer adds.

    Examples
    --------
    >>> from langalign_sk.encoders.models.limit import Limit
    >>> limit = Limit(3, n_tokens=lambda text: len(text.split()), n_added=0)
    >>> limit.start_of("one two three"), limit.start_of("one two three four")
    ('one two three', 'one two three ')
    """

    def __init__(
        self, max_length: int, n_tokens: Callable[[str], int] | None = None, n_added: int = 2
    ) -> None:
        self.max_length = max_length
        self._n_tokens, self._n_added = n_tokens, n_added
        self._noted: set[int] = set()
        self._lock = threading.Lock()

    def start_of(self, text: str, prompt: str | None = None) -> str:
        """The part of a text that goes to the model; the text itself if it is not cut here."""
        before = prompt or ""
        if len(before) + len(text) + self._n_added <= self.max_length:
            return text
        start = text[: _CHARS_PER_TOKEN * self.max_length]
        if self._n_tokens is None or self._n_tokens(before + start) <= self.max_length:
            return start
        fits = self.max_length - len(before) - self._n_added  # a character is a token at most
        fits, ends = max(fits, 0), len(start)
        while 2 * fits < ends and self._n_tokens(before + start[: 2 * fits + 1]) <= self.max_length:
            fits = 2 * fits + 1
        ends = min(ends, 2 * fits + 1)
        while ends - fits > 1:
            middle = (fits + ends) // 2
            if self._n_tokens(before + start[:middle]) <= self.max_length:
                fits = middle
            else:
                ends = middle
        return start[:fits]

    def note(self, text: str) -> None:
        """Note that the model has cut a text."""
        with self._lock:
            if len(self._noted) < _N_NOTED:
                self._noted.add(hash(text))

    def was_cut(self, text: str) -> bool:
        """Whether the model has cut a text, now or in an earlier call of this process."""
        return bool(self._noted) and hash(text) in self._noted
