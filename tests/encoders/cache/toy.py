"""Encoders and rows that the tests of the caches share."""

import contextlib
import hashlib
import sqlite3
import warnings
from pathlib import Path

import numpy as np

from langalign_sk.encoders.cache.base import keys_of
from langalign_sk.encoders.models.model import Model

TEXTS = [f"text {i}" for i in range(10)]
UNUSUAL = ["", "\ud800", "\udfff", "?", "x" * 100_000, "a\0b", "a", "\0", "b", "a "]
UNUSUAL += ["\uac00", "\u1100\u1161", "\U0001f600", "\ufeffa"]  # one syllable in two ways


ROW = 32  # bytes of a row of width 8


def vectors(texts, width=8):
    """Rows that are a function of the text."""
    digests = [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for text in texts
    ]
    rows = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 8).astype(np.float32)
    return np.tile(rows, width // 8)


def key_of(encoder, text):
    return keys_of(encoder, [text])[0]


class Toy:
    """An encoder that remembers what it was asked."""

    def __init__(self, width=8, fail_at=None):
        self.width = width
        self.fail_at = fail_at
        self.calls = []

    def encode(self, texts):
        self.calls.append(list(texts))
        if len(self.calls) == self.fail_at:
            raise ConnectionError("gone")
        return vectors(texts, self.width)

    @property
    def texts(self):
        return [text for call in self.calls for text in call]


def ask(cache, texts, toy, encoder="toy@1", block=100):
    return cache.rows(encoder, list(texts), toy.width, toy.encode, block)


def encoded(cache, texts, encoder="toy@1", width=8):
    """Which texts the cache has to encode; all rows are right."""
    toy = Toy(width)
    np.testing.assert_array_equal(ask(cache, texts, toy, encoder), vectors(texts, width))
    return toy.texts


@contextlib.contextmanager
def silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def database(cache):
    return Path(cache.folder) / "rows.sqlite"


def sql(cache, statement, *values):
    """Rows of a statement; changes are kept."""
    with contextlib.closing(sqlite3.connect(database(cache))) as connection, connection:
        return connection.execute(statement, values).fetchall()


class ToyModel(Toy):
    """Stands for the default encoder."""

    def __init__(self, width=8):
        super().__init__(width)
        self.identity = "toy@1"

    def load(self, spec):
        def encode(texts, prompt, batch_size):
            self.calls.append(list(texts))
            return vectors([(prompt or "") + text for text in texts], self.width)

        return Model(encode, self.width, self.identity)
