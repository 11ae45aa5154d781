"""Whether a y beside task text holds class labels or translations of the rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..languages import script_of, scripts_of_language

__all__ = ["looks_like_translations"]


# What may close a sentence, in the scripts of `languages.scripts`, before quotes and brackets.
_END = re.compile(r"[.!?\u2026。！？｡؟۔।॥።။។॰]['\"”’」』）)\]]*\s*$")
# Digits, underscores and signs inside a word, as codes, slugs and addresses have them.
_CODE = re.compile(r"[_/#:@]|\w-\w|\d")
# Words of a text without a mark at its end, from which on it is taken for a sentence: names of classes
# have fewer, and so do most sentences in a chat, which the sizes of both sides tell.
_WORDS = 5
# Letters in scripts that put no blanks between words, from which on it is one.
_LETTERS = 12
# Letters of English that a letter of these scripts stands for, about.
_WEIGHTS = {"Han": 3.0, "Hangul": 2.0, "Kana": 1.7, "Bopomofo": 1.7}
_UNSPACED = ("Han", "Kana", "Bopomofo", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan")
_LIKE = (0.6, 1.7)  # sizes of a text and its translation, where nothing else tells
_NEAR = (0.4, 2.5)  # and of two sentences
_MOST = 0.6  # share of the rows that a guess needs


def looks_like_translations(y: Any, texts: Sequence[str], languages: Sequence[str]) -> bool:
    """Whether a y beside task text consists of sentences that translate it, and not of labels.

    Distinct values alone say nothing: with one example a class, every label is distinct. A
    translation is in another language than its row, and it is a sentence, or as long as its row is.

    Parameters
    ----------
    y : object
        What was passed beside the texts. Numbers, categories, several columns and anything else than
        one column of str hold labels.
    texts : sequence of str
        The rows.
    languages : sequence of str
        Language of each row, "en" or a target language.

    Returns
    -------
    bool
        False where it cannot be told.
    """
    values = _strings(y)
    if values is None or len(values) < 2 or len(values) != len(texts):
        return False
    if 2 * len({*values}) <= len(values):
        return False
    rows = list(zip(values, texts, languages, strict=True))
    if not _mostly(_in_another_language(value, language) for value, _, language in rows):
        return False
    if all(map(_is_one_word, values)) and not all(map(_is_one_word, texts)):
        return False
    return _mostly(
        _in_range(value, text, _NEAR if _is_sentence(value) else _LIKE) for value, text, _ in rows
    )


def _strings(y: Any) -> list[str] | None:
    """Values of one column of str; None for anything else, categories among it."""
    if y is None or "categor" in str(getattr(y, "dtype", "")).lower():
        return None
    values = y.to_pylist() if hasattr(y, "to_pylist") else y
    if getattr(values, "ndim", 1) != 1 or not hasattr(values, "__iter__"):
        return None
    values = list(values)
    return values if all(isinstance(value, str) for value in values) else None


def _mostly(told: Any) -> bool:
    return float(np.mean([*told])) >= _MOST


def _in_another_language(value: str, language: str) -> bool:
    """Whether a value is in another language than its row, as far as scripts tell."""
    latin = script_of(value) == "Latin"
    if language == "en":
        return not latin
    # Languages in Latin script look like English.
    return latin if scripts_of_language(language) else True


def _is_one_word(value: str) -> bool:
    """Whether a value is a word, a code, a slug, a number or an address."""
    if any(map(str.isspace, value.strip())):
        return False
    return script_of(value) not in _UNSPACED or not _is_sentence(value)


def _is_sentence(value: str) -> bool:
    value = value.strip()
    if script_of(value) in _UNSPACED:
        return bool(_END.search(value)) or sum(map(str.isalpha, value)) >= _LETTERS
    words = len(value.split())
    return words >= _WORDS or (words > 1 and bool(_END.search(value)))


def _in_range(value: str, text: str, limits: tuple[float, float]) -> bool:
    """Whether a value is about as long as its row, and is not a code."""
    if _CODE.search(value) and not any(map(str.isspace, value.strip())):
        return False
    return limits[0] * _size(text) <= _size(value) <= limits[1] * _size(text)


def _size(text: str) -> float:
    """Number of letters that the same would have in English, about."""
    return sum(_WEIGHTS.get(script_of(letter), 1.0) for letter in text if letter.isalnum())
