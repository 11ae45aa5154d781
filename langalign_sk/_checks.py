"""Checks of an aligner's parameters and data that come before any encoding."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ._fitting import FEW_BRIDGE_ROWS, MIN_BRIDGE_ROWS
from ._inputs import Sides, pairs_from
from ._readers import MissingLanguageError
from .corpus import ParallelCorpus
from .languages import base_code
from .mapping import LinearAligner

__all__ = ["check_bridge", "check_pairs", "check_parameters", "languages_of", "pairs_of_corpus"]

_CORPORA = ("starter",)


def languages_of(target_lang: str | Sequence[str]) -> tuple[str, ...]:
    """The declared languages, checked."""
    languages = (target_lang,) if isinstance(target_lang, str) else tuple(target_lang)
    if not languages or not all(isinstance(lang, str) and lang for lang in languages):
        raise ValueError(
            f"target_lang must be a language code or a sequence of them, got {target_lang!r}."
        )
    if len(set(languages)) < len(languages):
        raise ValueError(f"target_lang names a language twice: {languages}.")
    if any(base_code(lang) == "en" for lang in languages):
        raise ValueError("target_lang names English, which is the language of the other side.")
    return languages


def check_parameters(aligner: Any) -> None:
    """Raise for a parameter out of its range."""
    languages = languages_of(aligner.target_lang)
    LinearAligner(aligner.method, alpha=aligner.alpha)._check_parameters()
    space = aligner.output_space
    if space not in ("english", "target"):
        raise ValueError(f'output_space must be "english" or "target", got {space!r}.')
    if space == "target" and len(languages) > 1:
        raise ValueError('output_space="target" needs one target_lang: English rows move there.')
    if space == "target" and aligner.english_encoder is not None:
        raise ValueError(
            'output_space="target" encodes English rows with the multilingual encoder; leave '
            "english_encoder=None. To move vectors of an English system, fit with "
            'output_space="english" and use inverse_transform.'
        )
    strength = aligner.bridge_alpha
    if not isinstance(strength, int | float) or not strength >= 0:
        raise ValueError(f"bridge_alpha must be a non-negative number, got {strength!r}.")


def check_pairs(pairs: dict[str, Sides], languages: Sequence[str], given: bool) -> list[str]:
    """Raise for too few pairs; notes on languages without any."""
    if given and not pairs:
        raise ValueError("No translation pairs were passed: at least 2 are needed.")
    for language, (target, _) in pairs.items():
        if len(target) < 2:
            raise ValueError(
                f"There is only {len(target)} translation pair for {language!r}, and at least 2 are "
                "needed. Pass more, or corpus=None and no pairs at all."
            )
    return [
        f"There are no translation pairs for {language!r}: its language map is the identity, and "
        "nothing can be said about its quality."
        for language in languages
        if language not in pairs
    ]


def check_bridge(task: Sequence[str], general: Sequence[str]) -> list[str]:
    """Raise for fewer English rows than a bridge needs; notes on a doubtful number."""
    n = len({*task, *general})
    if n < MIN_BRIDGE_ROWS:
        raise ValueError(
            f"The bridge to english_encoder learns from English text, and found {n} distinct English "
            f"rows; it needs at least {MIN_BRIDGE_ROWS}, better {FEW_BRIDGE_ROWS}. Put English text "
            "into X (in a Pipeline: the training texts), or pass pairs."
        )
    if n < FEW_BRIDGE_ROWS:
        return [
            f"The bridge to english_encoder has only {n} distinct English rows to learn from; below "
            f"{FEW_BRIDGE_ROWS} accuracy falls."
        ]
    return []


def pairs_of_corpus(corpus: Any, languages: Sequence[str]) -> dict[str, Sides]:
    """Pairs of the languages that a built-in corpus or a file has."""
    if corpus is None:
        return {}
    if corpus in _CORPORA:
        from .datasets import load_starter_corpus

        known = [lang for lang in languages if base_code(lang) in ("ko", "ja", "zh")]
        return {lang: _sides(load_starter_corpus(base_code(lang))) for lang in known}
    if not isinstance(corpus, str | os.PathLike):
        raise ValueError(
            f"corpus must be the name of a built-in corpus, a path or None, got "
            f"{type(corpus).__name__}. Pairs in memory go to fit as parallel=."
        )
    path = os.fspath(corpus)
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"corpus={path!r} is neither a file nor the name of a built-in corpus "
            f"({', '.join(map(repr, _CORPORA))}). Pass None for no pairs."
        )
    out: dict[str, Sides] = {}
    for language in languages:
        try:
            read = ParallelCorpus.read(path, language)
        except MissingLanguageError:
            continue  # the language gets no map, and a warning
        out.update(pairs_from(read, None, [language]))
    return out


def _sides(corpus: ParallelCorpus) -> Sides:
    return list(corpus.target), list(corpus.source)
