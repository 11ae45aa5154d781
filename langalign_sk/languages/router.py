"""Language of every row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .._utils.validation import check_choice, shorten, warn_user
from .codes import base_code, did_you_mean
from .scripts import script_of, scripts_of_language

__all__ = ["ON_UNKNOWN", "LanguageRouter"]

ON_UNKNOWN = ("warn", "raise", "english")
_N_NAMED = 5  # rows that a warning names


class LanguageRouter:
    """Language detector by script: English, or one of the target languages.

    Parameters
    ----------
    languages : sequence of str
        Target languages.
    detect : callable or None
        From a list of str to their language codes; None detects languages by script. A code with a
        region ("zh-cn") counts as the declared language without it ("zh"), and the other way round.
    on_unknown : {"warn", "raise", "english"}, default="warn"
        What happens to rows whose language is not declared.

        - "warn": they get the best guess, which is English, and one warning names their number and
          the first of them;
        - "raise": a ValueError names the first of them;
        - "english": they count as English, without a warning.

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
        self,
        languages: Sequence[str],
        detect: Callable[[list[str]], Iterable[str]] | None = None,
        *,
        on_unknown: str = "warn",
    ) -> None:
        check_choice("on_unknown", on_unknown, ON_UNKNOWN)
        self.languages = tuple(languages)
        self.detect = detect
        self.on_unknown = on_unknown
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
            If a row is in a language that was not declared and `on_unknown` is "raise", or if
            `detect` returns another number of codes.
        """
        found = self._found(list(texts))
        unknown = [i for i, (code, _) in enumerate(found) if code is None]
        if unknown and self.on_unknown == "raise":
            i = unknown[0]
            raise ValueError(
                f"Row {i} {found[i][1]} (target_lang={self._declared()}): {shorten(texts[i])!r}. "
                "Declare its language in target_lang, take the row out, or pass on_unknown="
                '"warn" to serve such rows as the best guess.'
            )
        if unknown and self.on_unknown == "warn":
            self._warn(unknown, found, texts)
        return ["en" if code is None else code for code, _ in found]

    def identify(self, texts: Sequence[str]) -> list[str | None]:
        """Language code of every row, None for a row in no declared language.

        Parameters
        ----------
        texts : sequence of str
            Rows of text.

        Returns
        -------
        list of str or None
            One code per row, whatever `on_unknown` is.

        Raises
        ------
        ValueError
            If `detect` returns another number of codes.

        Examples
        --------
        >>> from langalign_sk.languages import LanguageRouter
        >>> LanguageRouter(["ko"]).identify(["좋은 아침", "Good morning", "สวัสดี"])
        ['ko', 'en', None]
        """
        return [code for code, _ in self._found(list(texts))]

    def _found(self, texts: list[str]) -> list[tuple[str | None, str]]:
        """Code of every row, or None and why there is none."""
        if self.detect is not None:
            return self._by_callable(texts)
        out: list[tuple[str | None, str]] = []
        for text in texts:
            script = script_of(text)
            code = "en" if script == "Latin" else self._by_script.get(script)
            out.append(
                (code, f"is written in the {script} script, which no declared language uses")
            )
        return out

    def _by_callable(self, texts: list[str]) -> list[tuple[str | None, str]]:
        assert self.detect is not None
        codes = list(self.detect(texts))
        if len(codes) != len(texts):
            raise ValueError(
                f"detect returned {len(codes)} codes for {len(texts)} texts; it must return one per "
                "text."
            )
        known: dict[Any, str | None] = {}
        out: list[tuple[str | None, str]] = []
        for code in codes:
            if code not in known:
                known[code] = self._declared_as(code)
            out.append((known[code], f"is in {code!r} by detect, which is not declared"))
        return out

    def _declared_as(self, code: Any) -> str | None:
        """The declared language that a code of `detect` means; None if it means none."""
        if not isinstance(code, str):
            return None
        languages = ("en", *self.languages)
        if code in languages:
            return code
        base = base_code(code)
        same = [language for language in languages if base_code(language) == base]
        return same[0] if len(same) == 1 else None

    def _warn(self, unknown: list[int], found: list[tuple[str | None, str]], texts: Any) -> None:
        rows = ", ".join(map(str, unknown[:_N_NAMED])) + (", ..." if unknown[_N_NAMED:] else "")
        first = unknown[0]
        are = "row is" if len(unknown) == 1 else "rows are"
        warn_user(
            f"{len(unknown)} of {len(texts)} {are} in no declared language "
            f"(target_lang={self._declared()}) and served as English: {rows}. Row {first} "
            f"{found[first][1]}: {shorten(texts[first])!r}. Declare the language in target_lang, take "
            'such rows out, or pass on_unknown="raise" for an error or "english" for silence.'
        )

    def _declared(self) -> str:
        return ", ".join(map(repr, self.languages))
