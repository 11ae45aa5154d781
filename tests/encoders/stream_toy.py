"""An encoder of numbered texts, and what its runs leave."""

import numpy as np

from langalign_sk.encoders.base import TextEncoder
from langalign_sk.encoders.models.model import Model

N_KILLED, CHUNK_KILLED = 1000, 8


class Toy(TextEncoder):
    """Row of "text 17": 17, 17 * 17 % 1009 and the length, times `scale`.

    ``calls`` holds the texts of every call; ``before`` is called with them first.
    """

    def __init__(self, name="toy", *, scale=1, width=3, cache=None, verbose=False):
        self.name = name
        self.scale = scale
        self.width = width
        self.cache = cache
        self.verbose = verbose
        self.calls, self.before = [], lambda texts: None

    def _load(self):
        return Model(self._rows_of, self.width, f"{self.name}@1")

    def _settings(self):
        return {} if self.scale == 1 else {"scale": self.scale}

    def _encode(self, model, texts):
        self.before(texts)
        self.calls.append(texts)
        return model.encode(texts, None, 1)

    def _rows_of(self, texts, prompt, batch_size):
        number = np.array([int(text.split()[1]) for text in texts])
        rows = np.zeros((len(texts), self.width))
        rows[:, :3] = np.stack([number, number**2 % 1009, [len(text) for text in texts]], axis=1)
        return rows * self.scale

    @property
    def encoded(self):
        return [text for texts in self.calls for text in texts]


def numbered(stop, start=0):
    return (f"text {i}" for i in range(start, stop))


def expected(n):
    return np.array([[i, i * i % 1009, len(f"text {i}")] for i in range(n)], np.float32)


def failing(texts, at, error):
    """The texts, with an error in place of one."""
    for i, text in enumerate(texts):
        if i == at:
            raise error
        yield text


def beside(path):
    """The files of a run that is not finished: rows and progress."""
    return path.with_name("rows.npy.part"), path.with_name("rows.npy.progress.json")
