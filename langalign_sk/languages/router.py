"""Language of every row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .._utils.validation import shorten
from .codes import base_code, did_you_mean
from .scripts import script_of, scripts_of_language

__all__ = ["LanguageRouter"]


class LanguageRouter:
    """Language detector by script: English, or one of the target languages.

    Parameters
    ----------
    languages : sequence of str
        Target languages.
    detect : callable or None
        From a list of str to their language codes; None detects languages by script.

    Raises
    ------
    ValueError
        If a language cannot be told by its script and `detect` is None.

    Examples
    --------
    >>> from langalign_sk.languages import LanguageRouter
    >>> LanguageRouter(["ko", "ja"])(["좋은 아침", "Good morning", "おはよう", "東京都"])
    ['ko', 'en', 'ja', 'ja']
    """

    def __init__(
        self, languages: Sequence[str], detect: Callable[[list[str]], Iterable[str]] | None = None
    ) -> None:
        self.languages = tuple(languages)
        self.detect = detect
        self._by_script: dict[str, str] = {}
        if detect is not None:
            return
        for language in self.languages:
            scripts = scripts_of_language(language)
            if not scripts and (hint := did_you_mean(language)):
                raise ValueError(f"target_lang={language!r} is not the code of a language.{hint}")
            if not scripts:
                raise ValueError(
                    f"target_lang={language!r} shares its script with English, or its script is not "
                    "known, so rows cannot be told apart by script. Pass detect=, a callable that "
                    "takes a list of str and returns their language codes (for instance around a "
                    "language-identification package), or fit and transform embeddings instead of text."
                )
            for script in scripts:
                if script == "Han" and base_code(language) == "ja" and self._has("zh"):
                    continue  # Han without kana is Chinese where both are declared
                other = self._by_script.setdefault(script, language)
                if other != language:
                    raise ValueError(
                        f"target_lang declares {other!r} and {language!r}, which share the {script} "
                        "script. Pass detect=, a callable that takes a list of str and returns their "
                        "language codes."
                    )

    def _has(self, code: str) -> bool:
        return any(base_code(language) == code for language in self.languages)

    def __call__(self, texts: Sequence[str]) -> list[str]:
        """Language code of every row: "en" or one of the target languages.

        Parameters
        ----------
        texts : sequence of str
            Rows of text.

        Returns
        -------
        list of str
            One code per row.

        Raises
        ------
        ValueError
            If a row is in a language that was not declared, or `detect` returns another number
            of codes.
        """
        if self.detect is not None:
            return self._by_callable(list(texts))
        out = []
        for i, text in enumerate(texts):
            script = script_of(text)
            language = "en" if script == "Latin" else self._by_script.get(script)
            if language is None:
                raise ValueError(
                    f"Row {i} is written in the {script} script, which no declared language uses "
                    f"(target_lang={self._declared()}): {shorten(text)!r}. Declare its language in "
                    "target_lang, or take the row out."
                )
            out.append(language)
        return out

    def _by_callable(self, texts: list[str]) -> list[str]:
        assert self.detect is not None
        codes = list(self.detect(texts))
        if len(codes) != len(texts):
            raise ValueError(
                f"detect returned {len(codes)} codes for {len(texts)} texts; it must return one per "
                "text."
            )
        known: dict[Any, str] = {"en": "en", **{code: code for code in self.languages}}
        for i, code in enumerate(codes):
            if code not in known:
                raise ValueError(
                    f"detect took row {i} for {code!r}, which is not declared "
                    f"(target_lang={self._declared()}): {shorten(texts[i])!r}. Declare its language in "
                    "target_lang, or take the row out."
                )
        return codes

    def _declared(self) -> str:
        return ", ".join(map(repr, self.languages))
