"""Codes of languages."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["base_code", "languages_of"]


def base_code(language: str) -> str:
    """Language code without its region, in lower case: "zh" for "zh-TW" and "zh_tw"."""
    return re.split("[-_]", language.strip().lower())[0]


def languages_of(target_lang: str | Sequence[str]) -> tuple[str, ...]:
    """Declared target languages, checked."""
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
