"""Language of every row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .._utils.normalization import normalize_texts
from .._utils.validation import check_choice, ensured, shorten, warn_user
from .codes import base_code, did_you_mean
from .scripts import Reading, letters_of, read, script_of, scripts_of_language

__all__ = ["ON_UNKNOWN", "LanguageRouter", "one_report"]

ON_UNKNOWN = ("warn", "raise", "english")
_N_NAMED = 5  # rows that a warning names
# Messages that the call of a user has warned with; None outside of `one_report`.
_REPORTED: ContextVar[set[str] | None] = ContextVar("_REPORTED", default=None)


@contextmanager
def one_report() -> Iterator[None]:
    """Context, or decorator of a function, in which the same rows are reported once.

    A fit that also transforms, and a search with several views, route the same rows more than once.
    """
    if _REPORTED.get() is not None:
        yield
        return
    token = _REPORTED.set(set())
    try:
        yield
    finally:
        _REPORTED.reset(token)


class LanguageRouter:
    """Language detector by script and characters: English, or one of the target languages.

    The letters of a whole row decide, see the notes.

    Parameters
    ----------
    languages : sequence of str
        Target languages.
    detect : callable or None
        From a list of str to their language codes; None detects languages by script. A code with a
        region ("zh-cn") counts as the declared language without it ("zh"), and the other way round.
    on_unknown : {"warn", "raise", "english"}, default="warn"
        What happens to rows whose language is not declared. A row of which two thirds are Latin
        letters is English, whatever it quotes.

        - "warn": they get the best guess, and one warning names their number and the first of
          them. It is the declared language that most of their letters belong to, such as Chinese for
          Japanese where only Chinese is declared, or else English;
        - "raise": a ValueError names the first of them;
        - "english": they count as English, without a warning.
    normalize : {"auto", "html", "NFC", "NFKC"} or None, default=None
        Form in which texts are looked at; None takes them as they are.

    Raises
    ------
    ValueError
        If a language cannot be told by its script and `detect` is None.

    See Also
    --------
    script_of : Main script of a text.

    Notes
    -----
    A row is English if two thirds of its letters are Latin, where a syllable of Hangul or a Han
    character counts as three of them and a kana as two, and English words count more. Hangul beside
    Han is Korean. Kana beside Han is Japanese, unless it is a word or an ornament in a Chinese
    sentence. Han alone is the declared one of Chinese and Japanese; where both are declared, it is
    the language whose character sets hold its characters (GB 2312 and Big5, or JIS X 0208), and
    Chinese if both do. Quoted words, kaomoji, squared signs, addresses, HTML tags and Greek letters of
    formulas do not decide where there are other letters. Of a very long row, the first 16,384
    characters are read.

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
        normalize: str | None = None,
    ) -> None:
        check_choice("on_unknown", on_unknown, ON_UNKNOWN)
        self.languages = tuple(languages)
        self.detect = detect
        self.on_unknown = on_unknown
        self.normalize = normalize
        self._by_script: dict[str, str] = {}
        self._japanese: str | None = None
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
            if base_code(language) == "ja":
                self._japanese = language
            for script in scripts:
                if script == "Han" and base_code(language) == "ja" and self._has_chinese():
                    continue  # Han without kana is Chinese where both are declared
                other = self._by_script.setdefault(script, language)
                if other != language:
                    raise ValueError(
                        f"target_lang declares {other!r} and {language!r}, which share the {script} "
                        "script. Pass detect=, a callable that takes a list of str and returns their "
                        "language codes."
                    )

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Pickles of earlier releases do not have these.
        vars(self).update({"on_unknown": "raise", "normalize": None, "_japanese": None, **state})

    def _has_chinese(self) -> bool:
        return any("Bopomofo" in scripts_of_language(language) for language in self.languages)

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
        texts = normalize_texts(texts, self.normalize)
        codes, seen = self._codes(texts)
        unknown = [i for i, code in enumerate(codes) if code is None]
        if unknown and self.on_unknown == "raise":
            raise ValueError(
                f"Row {unknown[0]} {self._why(texts, unknown[0], seen)} Declare its language in "
                'target_lang, take the row out, or pass on_unknown="warn" to serve such rows as the '
                "best guess."
            )
        for i in unknown:
            codes[i] = self._guess(texts[i])
        if unknown and self.on_unknown == "warn":
            self._warn(texts, unknown, seen, {codes[i] for i in unknown})
        return [str(code) for code in codes]

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
        return self._codes(normalize_texts(texts, self.normalize))[0]

    def _codes(self, texts: list[str]) -> tuple[list[str | None], list[Any] | None]:
        """Code of every row or None, and what `detect` returned."""
        if self.detect is not None:
            return self._by_callable(texts)
        return [self._language_of(read(text), text) for text in texts], None

    def _language_of(self, reading: Reading, text: str) -> str | None:
        """Declared language of a row; None if there is none."""
        script = reading.script
        if script == "Latin":
            return "en"
        if script == "Han":
            if reading.lean == "ja" and self._japanese is not None:
                return self._japanese
            if "Han" not in self._by_script and reading.hangul and "Hangul" in self._by_script:
                return self._by_script["Hangul"]  # Hanja: nothing else stands beside Hangul
        language = self._by_script.get(script)
        # An English row may name what is in no declared language.
        return "en" if language is None and _mostly_latin(text) else language

    def _guess(self, text: str) -> str:
        """Best guess for a row in no declared language: the language of most of its letters."""
        weights = {"en": 0.0}
        if self.on_unknown == "warn":
            for script, weight in letters_of(text).items():
                own = "en" if script == "Latin" else self._by_script.get(script)
                if own is not None:
                    weights[own] = weights.get(own, 0.0) + weight
        return max(weights, key=weights.__getitem__)

    def _by_callable(self, texts: list[str]) -> tuple[list[str | None], list[Any]]:
        seen = list(ensured(self.detect, "detect")(texts))
        if len(seen) != len(texts):
            raise ValueError(
                f"detect returned {len(seen)} codes for {len(texts)} texts; it must return one per "
                "text."
            )
        return [self._declared_as(code) for code in seen], seen

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

    def _why(self, texts: list[str], i: int, seen: list[Any] | None) -> str:
        """Why a row is in no declared language, as the rest of a sentence."""
        if seen is None:
            why = f"is written in the {script_of(texts[i])} script, which no declared language uses"
        else:
            why = f"is in {seen[i]!r} according to detect, which is not a declared language"
        return f"{why} (target_lang={self._declared()}): {shorten(texts[i])!r}."

    def _warn(
        self, texts: list[str], unknown: list[int], seen: list[Any] | None, served: set[str | None]
    ) -> None:
        rows = ", ".join(map(str, unknown[:_N_NAMED])) + (", ..." if unknown[_N_NAMED:] else "")
        are, row = ("is", "row") if len(unknown) == 1 else ("are", "rows")
        of = "row" if len(texts) == 1 else "rows"
        by = " or ".join(repr(code) for code in sorted(map(str, served)))
        message = (
            f"{len(unknown)} of {len(texts)} {of} {are} in no declared language and {are} served as "
            f"the best guess, {by}: {row} {rows}. Row {unknown[0]} "
            f"{self._why(texts, unknown[0], seen)} Declare the language in target_lang, take such "
            'rows out, or pass on_unknown="raise" for an error or "english" to serve them as English '
            "without a warning."
        )
        reported = _REPORTED.get()
        if reported is not None:
            if message in reported:
                return
            reported.add(message)
        warn_user(message)

    def _declared(self) -> str:
        return ", ".join(map(repr, self.languages))


def _mostly_latin(text: str) -> bool:
    """Whether two thirds of the letters are Latin, whatever language the others are in."""
    weights = letters_of(text)
    return 3 * weights.get("Latin", 0.0) >= 2 * sum(weights.values())
