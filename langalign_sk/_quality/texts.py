"""Text quality: naive Bayes of hashed n-grams against shuffled text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .shares import LEVELS, MIN_ROWS, quality_folds, share_below, smallest_share

_BITS = 15
_TABLE = 1 << _BITS
_START, _END = "\x02", "\x03"
_SHUFFLES = 3
_STEP = 1 / 31  # of log-odds in [-4, 4], which are kept in bytes
# Where words are longer than this on average, they are not set apart by spaces.
_LONGEST_WORDS = 8
_LONGEST_CHUNK = 3


@dataclass(frozen=True, eq=False)
class TextModel:
    """Log-odds of hashed n-grams in texts against the same texts shuffled.

    A sum of log-odds over a row is the log-likelihood ratio of text against shuffled text, its
    n-grams taken for independent, as in naive Bayes. An n-gram that is rare in both has odds of 1,
    so that a foreign or broken row lacks the evidence that a sound one has.
    N-grams are hashed (Weinberger et al., "Feature hashing for large scale multitask learning",
    ICML 2009); the texts themselves are not kept.
    """

    of_words: NDArray  # (2 ** 15,), uint8; against the words in another order
    of_letters: NDArray  # (2 ** 15,), uint8; against the letters in another order

    @classmethod
    def of(cls, real: NDArray, words: NDArray, letters: NDArray) -> TextModel:
        """Model from counts of n-grams in the texts, and in `_SHUFFLES` shuffles of them."""
        odds = [np.log((real + 1) / (other / _SHUFFLES + 1)) for other in (words, letters)]
        steps = [np.round(np.clip(o, -4, 4) / _STEP) + 128 for o in odds]
        return cls(*(s.astype(np.uint8) for s in steps))

    def typicality(self, grams: Grams) -> NDArray:
        """Log-likelihood ratios of shape (n_texts, 2): sum for words, mean for letters."""
        rows, hashes, n = grams.rows, grams.hashes, grams.n_texts
        words = np.bincount(rows, self.of_words[hashes] - 128.0, n)
        rows, hashes = rows[: grams.n_characters], hashes[: grams.n_characters]
        letters = np.bincount(rows, self.of_letters[hashes] - 128.0, n)
        return np.column_stack((words, letters / np.bincount(rows, minlength=n)))


@dataclass(frozen=True)
class Grams:
    """Hashed n-grams of texts: of characters first, then of the ends of neighbouring words."""

    n_texts: int
    n_characters: int  # how many n-grams are of characters
    rows: NDArray
    hashes: NDArray

    @classmethod
    def of(cls, texts: Sequence[str]) -> Grams:
        padded = [f" {_START} {' '.join(t.split())} {_END} " for t in texts]
        flat = "".join(padded).encode("utf-32-le", "surrogatepass")
        code = np.frombuffer(flat, np.uint32).astype(np.uint64)
        row = np.repeat(np.arange(len(texts)), [len(t) for t in padded])
        pairs, same = (code[:-1] << np.uint64(21)) + code[1:], row[:-1] == row[1:]
        triples = (pairs[:-1] << np.uint64(21)) + code[2:]
        inside = row[:-2] == row[2:]
        # A word stands for its last two letters: endings tell its place in many languages.
        ends = np.flatnonzero((code[1:] == 32) & (code[:-1] != 32))
        ending = pairs[ends - 1]
        following = row[ends[:-1]] == row[ends[1:]]
        neighbours = (_mixed(ending[:-1]) + ending[1:])[following]
        keys = (pairs[same], triples[inside] + np.uint64(1 << 63), ~neighbours)
        rows = (row[:-1][same], row[:-2][inside], row[ends[:-1]][following])
        hashes = _mixed(np.concatenate(keys)) >> np.uint64(64 - _BITS)
        n_characters = len(keys[0]) + len(keys[1])
        return cls(len(texts), n_characters, np.concatenate(rows), hashes.astype(np.intp))

    def count(self) -> NDArray:
        return np.bincount(self.hashes, minlength=_TABLE)


def _plain(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower()


def _mixed(keys: NDArray) -> NDArray:
    """Multiplicative hash; its high bits depend on all bits of a key."""
    keys = keys * np.uint64(0x9E3779B97F4A7C15)
    return (keys ^ (keys >> np.uint64(29))) * np.uint64(0xC2B2AE3D27D4EB4F)


def _words_shuffled(texts: Sequence[str], draw: np.random.RandomState) -> list[str]:
    """Texts with their words in random order; pieces of text where there are no spaces."""
    words = [text.split() for text in texts]
    spaced = sum(map(len, texts)) <= _LONGEST_WORDS * sum(map(len, words))
    out = []
    for text, parts in zip(texts, words, strict=True):
        if not spaced:
            ends = np.cumsum(draw.randint(1, _LONGEST_CHUNK + 1, size=len(text)))
            cuts = [0, *ends[ends < len(text)].tolist(), len(text)]
            parts = [text[a:b] for a, b in pairwise(cuts)]
        out.append((" " if spaced else "").join([parts[i] for i in draw.permutation(len(parts))]))
    return out


def _letters_shuffled(texts: Sequence[str], draw: np.random.RandomState) -> list[str]:
    return ["".join([text[i] for i in draw.permutation(len(text))]) for text in texts]


@dataclass(frozen=True, eq=False)
class TextQuality:
    """Scores in [0, 1] of texts in one language, calibrated on held-out texts of the fit.

    Each statistic of a row becomes the share of held-out rows that are at least as unlike
    the fit: a conformal p-value (Bates, Candès, Lei, Romano and Sesia, "Testing for outliers with
    conformal p-values", Annals of Statistics 2023). The smaller of the two of a text (Tippett, "The
    methods of statistics", 1931) is calibrated once more.
    """

    model: TextModel
    quantiles: NDArray = field(repr=False)  # (2, 100), float32; of held-out rows
    least: NDArray = field(repr=False)  # (100,), float32; of the least share of a held-out row

    @classmethod
    def fit(cls, texts: Sequence[str], seed: int) -> TextQuality | None:
        """Model of distinct texts; None for fewer than MIN_ROWS."""
        if len(texts) < MIN_ROWS:
            return None
        draw = np.random.RandomState(seed)
        folds = quality_folds(len(texts), draw)
        outside = np.setdiff1d(np.arange(len(texts)), np.concatenate(folds))
        parts = [[_plain(texts[i]) for i in rows] for rows in (*folds, outside)]
        grams = [Grams.of(part) for part in parts]
        counts = [
            np.stack(
                (
                    own.count(),
                    Grams.of(_words_shuffled(part * _SHUFFLES, draw)).count(),
                    Grams.of(_letters_shuffled(part * _SHUFFLES, draw)).count(),
                )
            )
            for own, part in zip(grams, parts, strict=True)
        ]
        total = np.sum(counts, axis=0)
        # Counts of a fold are taken out of the total, so that its rows are held out.
        held = [
            TextModel.of(*(total - c)).typicality(g) for g, c in zip(grams, counts, strict=True)
        ]
        values = np.concatenate(held[: len(folds)]).T
        quantiles = np.quantile(values, LEVELS, axis=1).T.astype(np.float32)
        least = np.quantile(smallest_share(values, quantiles), LEVELS).astype(np.float32)
        return cls(TextModel.of(*total), quantiles, least)

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Shares in [0, 1] of shape (n_texts,)."""
        values = self.model.typicality(Grams.of([_plain(text) for text in texts])).T
        return share_below(smallest_share(values, self.quantiles), self.least)
