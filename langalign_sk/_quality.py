"""How much a row is like what an aligner was fitted on: by its text, or by its vector."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_is_fitted

from ._checks import languages_of
from ._fitting import Setting
from ._inputs import Pairs, Sides, Text
from .languages import LanguageRouter
from .mapping.selection import _held_out_rows
from .metrics.pairs import duplicate_groups
from .trust import VectorModel

__all__ = ["QualityMixin", "learn_quality", "learn_quality_of_rows"]

MIN_ROWS = 20
# More rows make a fit slower and the scores little better.
MAX_ROWS = 3_000
_LEVELS = np.linspace(0, 1, 100)
_KEPT = 8  # models of this process

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
    """What tells texts from the same texts shuffled: log-odds of hashed n-grams.

    A sum of log-odds over a row is the log-likelihood ratio of text against shuffled text, its
    n-grams taken for independent, as in naive Bayes. What is rare in shuffled text and in text
    has odds of 1, so that a foreign or broken row has none of the evidence that a sound one has.
    N-grams are hashed (Weinberger et al., "Feature hashing for large scale multitask learning",
    ICML 2009); the texts themselves are not kept.
    """

    of_words: NDArray  # (2 ** 15,), uint8; against the words in another order
    of_letters: NDArray  # (2 ** 15,), uint8; against the letters in another order

    @classmethod
    def of(cls, real: NDArray, words: NDArray, letters: NDArray) -> TextModel:
        """From counts of n-grams in the texts, and in `_SHUFFLES` shuffles of them."""
        odds = [np.log((real + 1) / (other / _SHUFFLES + 1)) for other in (words, letters)]
        steps = [np.round(np.clip(o, -4, 4) / _STEP) + 128 for o in odds]
        return cls(*(s.astype(np.uint8) for s in steps))

    def typicality(self, grams: Grams) -> NDArray:
        """Sum over a row for words, mean over a row for letters; (n_texts, 2)."""
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
    """Multiplicative hash; its high bits hang on all bits of a key."""
    keys = keys * np.uint64(0x9E3779B97F4A7C15)
    return (keys ^ (keys >> np.uint64(29))) * np.uint64(0xC2B2AE3D27D4EB4F)


def _words_shuffled(texts: Sequence[str], draw: np.random.RandomState) -> list[str]:
    """The words of every text in another order; pieces of it where there are no spaces."""
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

    What a row is judged by is turned into the share of held-out rows that are at least as unlike
    the fit: a conformal p-value (Bates, Candès, Lei, Romano and Sesia, "Testing for outliers with
    conformal p-values", Annals of Statistics 2023). The least of the two of a text (Tippett, "The
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
        folds = _folds(len(texts), draw)
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
        quantiles = np.quantile(values, _LEVELS, axis=1).T.astype(np.float32)
        least = np.quantile(_least(values, quantiles), _LEVELS).astype(np.float32)
        return cls(TextModel.of(*total), quantiles, least)

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Shares in [0, 1] of shape (n_texts,)."""
        values = self.model.typicality(Grams.of([_plain(text) for text in texts])).T
        return _share(_least(values, self.quantiles), self.least)


@dataclass(frozen=True, eq=False)
class VectorQuality:
    """Scores in [0, 1] of embeddings, calibrated as those of texts."""

    model: VectorModel
    quantiles: NDArray = field(repr=False)  # (100,), float32

    @classmethod
    def fit(cls, Z: NDArray, seed: int) -> VectorQuality | None:
        """Model of distinct rows; None for fewer than MIN_ROWS."""
        if len(Z) < MIN_ROWS:
            return None
        Z = Z.astype(np.float64)
        n, total, squares = len(Z), Z.sum(axis=0), Z.T @ Z
        values = []
        for fold in _folds(n, np.random.RandomState(seed)):
            F = Z[fold]
            rest = VectorModel.of(n - len(F), total - F.sum(axis=0), squares - F.T @ F)
            values.append(rest.typicality(F))
        quantiles = np.quantile(np.concatenate(values), _LEVELS).astype(np.float32)
        return cls(VectorModel.of(n, total, squares), quantiles)

    def score(self, Z: NDArray) -> NDArray[np.float64]:
        """Shares in [0, 1] of shape (n_rows,)."""
        return _share(self.model.typicality(Z), self.quantiles)


def _folds(n: int, draw: np.random.RandomState) -> list[NDArray[np.intp]]:
    folds = _held_out_rows(np.arange(n), draw)
    assert folds is not None  # MIN_ROWS is more than it asks for
    return folds


def _least(values: NDArray, quantiles: NDArray) -> NDArray:
    return np.min([_share(v, q) for v, q in zip(values, quantiles, strict=True)], axis=0)


def _share(values: Any, quantiles: NDArray) -> NDArray[np.float64]:
    """Share of held-out rows below a value; 0 below them all."""
    return np.interp(np.asarray(values, dtype=np.float64), quantiles, _LEVELS)


def learn_quality(
    pairs: dict[str, Sides], task: dict[str, list[str]], setting: Setting
) -> tuple[dict[str, TextQuality], dict[str, VectorQuality]]:
    """Models of the texts and the embeddings of a fit, by language; encodes nothing anew.

    Parameters
    ----------
    pairs : dict of str to (list of str, list of str)
        Target and English sides by language; the target sides have been encoded.
    task : dict of str to list of str
        Task text by language, "en" among them.
    setting : Setting
        Of the fit that goes on.

    Returns
    -------
    texts, vectors : dict of str to TextQuality, dict of str to VectorQuality
        A language with fewer than 20 distinct rows is left out.
    """
    sides = {language: target for language, (target, _) in pairs.items()}
    sides["en"] = [text for _, english in pairs.values() for text in english]
    texts, vectors = {}, {}
    for language in {**sides, **task}:
        some = _some(task.get(language, []), sides.get(language, []), setting.seed)
        texts[language] = _of_texts(tuple(some), setting.seed)
    for language in pairs:
        some = _some([], sides[language], setting.seed)
        Z = setting.session.encode(setting.source, some)
        vectors[language] = VectorQuality.fit(Z, setting.seed)
    return _found(texts), _found(vectors)


def learn_quality_of_rows(Z: NDArray, language: str, seed: int) -> dict[str, VectorQuality]:
    """Model of embeddings, as `learn_quality` gives them."""
    distinct = np.unique(duplicate_groups(Z), return_index=True)[1]
    if len(distinct) > MAX_ROWS:
        distinct = np.random.RandomState(seed).choice(distinct, MAX_ROWS, replace=False)
    return _found({language: VectorQuality.fit(Z[np.sort(distinct)], seed)})


def _found(models: dict[str, Any]) -> dict[str, Any]:
    return {language: model for language, model in models.items() if model is not None}


def _some(first: Sequence[str], others: Sequence[str], seed: int) -> list[str]:
    """At most MAX_ROWS distinct texts: what is to come first, filled up from the others."""
    kept: list[str] = []
    for texts in (first, others):
        seen = {*kept}
        new = [text for text in dict.fromkeys(texts) if text not in seen]
        room = MAX_ROWS - len(kept)
        if len(new) > room:
            order = np.random.RandomState(seed).permutation(len(new))[:room]
            new = [new[i] for i in np.sort(order)]
        kept += new
    return kept


@lru_cache(maxsize=_KEPT)
def _of_texts(texts: tuple[str, ...], seed: int) -> TextQuality | None:
    """Fitted once for the folds of a search."""
    return TextQuality.fit(texts, seed)


class QualityMixin:
    """Scores of rows by a fitted CrossLingualAligner."""

    # Of the other mixins and CrossLingualAligner:
    target_lang: Any
    detect: Any
    _text_quality: dict[str, TextQuality]
    _vector_quality: dict[str, VectorQuality]
    _read: Any
    _map_of: Any
    _check_width: Any

    def quality_score(self, X: Any) -> NDArray[np.float64]:
        """How much each row is like what the aligner was fitted on, for sending others elsewhere.

        The score is the share of held-out rows of the fit that are at least as unlike it: rows
        like the fit have scores spread evenly over [0, 1], so that a service that sends rows
        below 0.05 to a person sends one in twenty of the rows that it was made for, and most of
        the broken ones.

        Parameters
        ----------
        X : one column of text, or array-like of shape (n_samples, n_features)
            Text in any language, or embeddings of target rows in the multilingual encoder.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            In [0, 1]; 0 is less like the fit than any held-out row. No row depends on the others.

        Raises
        ------
        ValueError
            If X holds pairs, or there were fewer than 20 distinct rows of a language in the fit.

        Notes
        -----
        Text is judged by its character n-grams and the ends of its words, against those of the
        texts of the fit (the task's and the pairs') and of the same texts with words and letters
        shuffled; it is not encoded, and needs no pairs. Vectors hardly change with the order of
        words, and lie among those of other languages: embeddings are judged by their distance
        (Mahalanobis, by probabilistic principal components) to the vectors of the fit, which
        tells random bytes, but not shuffled words. A row in an undeclared script scores 0, though
        `transform` refuses it. English rows, and text that passes as English, are compared with
        the English text of the fit. The score says that a row is unusual, not that an answer is
        wrong, and a new topic is unusual.

        Examples
        --------
        >>> from langalign_sk import CrossLingualAligner
        >>> aligner = CrossLingualAligner("ko", random_state=0).fit(["Good morning."])
        >>> good, shuffled, thai = aligner.quality_score(
        ...     ["오늘은 날씨가 아주 좋아요.", "좋아요. 아주 날씨가 오늘은", "สวัสดี"]
        ... )
        >>> bool(good > shuffled), float(thai)
        (True, 0.0)
        """
        check_is_fitted(self)
        data = self._read(X)
        if isinstance(data, Pairs):
            raise ValueError(
                "quality_score takes one column of text, and X holds pairs of two columns."
            )
        if isinstance(data, Text):
            return self._score_texts(data.rows)
        language_map = self._map_of(None)
        Z = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        self._check_width(Z.shape[1], language_map)
        return self._quality_of(languages_of(self.target_lang)[0], "_vector_quality").score(Z)

    def _score_texts(self, rows: list[str]) -> NDArray[np.float64]:
        languages = np.array(self._languages_or_none(rows), dtype=object)
        out = np.zeros(len(rows))
        for language in sorted({*languages} - {None}):
            at = np.flatnonzero(languages == language)
            texts = [rows[i] for i in at]
            out[at] = self._quality_of(language, "_text_quality").score(texts)
        return out

    def _languages_or_none(self, rows: list[str]) -> list[str | None]:
        """Languages of the rows; None for one that was not declared."""
        languages = languages_of(self.target_lang)
        router = LanguageRouter(languages, self.detect)
        if self.detect is None:
            return [_code(router, row) for row in rows]
        codes = list(self.detect(rows))
        if len(codes) != len(rows):
            router(rows)  # raises, and says so
        return [code if code in ("en", *languages) else None for code in codes]

    def _quality_of(self, language: str, kind: str) -> Any:
        models = getattr(self, kind, {})
        if language not in models:
            what = "texts" if kind == "_text_quality" else "encoded rows"
            raise ValueError(
                f"There is nothing to compare rows of {language!r} with: the fit saw fewer than "
                f"{MIN_ROWS} distinct {what} of it. Fit with more pairs, or for text with task text."
            )
        return models[language]


def _code(router: LanguageRouter, row: str) -> str | None:
    try:
        return router([row])[0]
    except ValueError:  # it is in no declared language
        return None
