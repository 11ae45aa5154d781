"""Sentences, embeddings and encoders that tests can reason about."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np

# Sentences 0, 1, 2, ... in two languages; a translation says the same number.
KOREAN = [f"문장 번호 {i}" for i in range(200)]
ENGLISH = [f"sentence number {i}" for i in range(200)]
PAIRS = list(zip(KOREAN, ENGLISH, strict=True))
JAPANESE = [f"文のばんごう {i}" for i in range(200)]


@cache
def _noise(key: str, width: int) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "little")
    out = np.random.default_rng(seed).normal(size=width)
    out.flags.writeable = False  # all who ask for this key have the same array
    return out


def rotated(n: int = 200, noise: float = 0.5, width: int = 8, seed: int = 0):
    """Embeddings of pairs: a rotation takes one side to the other, up to noise."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    Y = rng.normal(size=(n, width))
    return (Y + noise * rng.normal(size=Y.shape)) @ rotation.T, Y


class ToyEncoder:
    """Vector of the last word, plus a shift and noise of the language it is said in.

    ``calls`` holds every text that was encoded, in order.
    """

    def __init__(self, width: int = 12, shift: float = 3.0, noise: float = 0.1) -> None:
        self.width, self.shift, self.noise = width, shift, noise
        self.calls: list[str] = []

    def encode(self, texts):
        self.calls.extend(texts)
        return np.stack([self._vector(t) for t in texts]).astype(np.float32)

    def _vector(self, text: str) -> np.ndarray:
        vector = _noise("meaning " + text.split()[-1], self.width)
        if text.isascii():
            return vector
        shift = self.shift * _noise("language", self.width) / np.sqrt(self.width)
        return vector + shift + self.noise * _noise(text, self.width)


class EnglishOnly(ToyEncoder):
    """A linear image of the toy meaning in another width, which knows nothing but ASCII."""

    def __init__(self, width: int = 7) -> None:
        super().__init__()
        self.out = np.random.default_rng(5).normal(size=(12, width))

    def encode(self, texts):
        meaning = super().encode(texts)
        ascii_rows = np.array([t.isascii() for t in texts])
        return np.where(ascii_rows[:, None], meaning @ self.out, 0.0)


class NeverEncode:
    """Fails the test that lets it encode: bad input must be found before."""

    def encode(self, texts):
        raise AssertionError(f"encoded {len(texts)} texts before the input was checked")
