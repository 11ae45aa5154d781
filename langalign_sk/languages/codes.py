"""Codes of languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ._names import (
    ALIASES,
    COUNTRY_CODES,
    GENERIC_CJK,
    GENERIC_WORDS,
    MODIFIERS,
    NAMES,
    SCRIPTS,
    TWO_LETTER,
)

__all__ = [
    "LanguageTag",
    "base_code",
    "declared_language",
    "did_you_mean",
    "languages_of",
    "match_rank",
    "named_language",
    "parse_code",
    "same_spelling",
]


# Regions and scripts that imply each other (CLDR, "likely subtags").
_SCRIPT_OF_REGION = {
    **dict.fromkeys((("zh", region) for region in ("TW", "HK", "MO")), "Hant"),
    **dict.fromkeys((("zh", region) for region in ("CN", "SG", "MY")), "Hans"),
    ("pa", "PK"): "Arab",
    ("pa", "IN"): "Guru",
}
_LIKELY_REGION = {("zh", "Hant"): "TW", ("zh", "Hans"): "CN"}
_USUAL_SCRIPT = {
    **{"zh": "Hans", "yue": "Hant", "ko": "Hang", "ja": "Jpan", "sr": "Cyrl", "en": "Latn"},
    **dict.fromkeys(("ru", "uk", "bg", "be", "mk", "kk", "ky", "tg", "mn"), "Cyrl"),
    **dict.fromkeys(("ar", "fa", "ur", "ps", "ug", "sd"), "Arab"),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), "Deva"),
    **{"el": "Grek", "he": "Hebr", "th": "Thai", "pa": "Guru", "uz": "Latn", "az": "Latn"},
    **{"bs": "Latn", "ms": "Latn", "de": "Latn", "fr": "Latn", "es": "Latn", "pt": "Latn"},
}
# In these, text in Latin letters is as usual as in the other script, not a romanization.
_TWO_SCRIPTS = frozenset({"sr", "kk", "ky", "tg", "bs", "mn", "ug"})
_SAME_SCRIPT = {
    "Kore": "Hang",
    "Hira": "Jpan",
    "Kana": "Jpan",
    "Hrkt": "Jpan",
    "Aran": "Arab",
    "Hani": None,
    "Zyyy": None,
}
_MODIFIERS_OF_POSIX = {"latin": "Latn", "cyrillic": "Cyrl", "arabic": "Arab"}
_GENERIC_CJK = re.compile("|".join(sorted(GENERIC_CJK, key=len, reverse=True)))
# Variants of BCP 47 that occur in tags of text collections; others are words, such as "score".
_VARIANTS = frozenset(
    {
        "arevela",
        "arevmda",
        "ekavsk",
        "fonipa",
        "hepburn",
        "ijekavsk",
        "monoton",
        "nedis",
        "oxendict",
    }
    | {"pinyin", "polyton", "simple", "tarask", "valencia", "wadegile"}
)
_IN_INDONESIA = frozenset({"id", "ms", "jv", "su", "ace", "ban", "bjn", "bug", "min"})
_NO_REGION = frozenset({"XX", "ZZ", "EN", "KO", "JA", "ZH"})  # mBART writes "en_XX"


@dataclass(frozen=True)
class LanguageTag:
    """Language, script and region of a code or name.

    Attributes
    ----------
    language : str
        ISO 639-1 code, or ISO 639-3 where there is none.
    script : str or None
        ISO 15924 code, such as "Hant"; None if the code does not say.
    region : str or None
        ISO 3166-1 code or UN M49 number, such as "TW"; None if the code does not say.
    """

    language: str
    script: str | None = None
    region: str | None = None

    @property
    def writing(self) -> str | None:
        """Script, or what the region implies: "Hant" for zh-TW."""
        if self.script is not None:
            return _SAME_SCRIPT.get(self.script, self.script)
        return _SCRIPT_OF_REGION.get((self.language, self.region or ""))


def same_spelling(code: str) -> str:
    """Code in lower case, with hyphens and without surrounding blanks."""
    return code.strip().strip("\ufeff").strip().replace("_", "-").lower()


@lru_cache(maxsize=4096)
def parse_code(code: str) -> LanguageTag | None:
    """Language tag of a code of ISO 639-1, -2 (B and T) or -3, BCP 47, POSIX, FLORES or mBART.

    Parameters
    ----------
    code : str
        Such as "ko", "kor", "zh_tw", "zh-Hant-TW", "kor_Hang", "ko_KR.UTF-8" or "sr@latin".

    Returns
    -------
    LanguageTag or None
        None if it is not a code. A code of three letters need not be known.
    """
    spelled = same_spelling(code)
    spelled, _, modifier = spelled.partition("@")
    spelled = re.sub(r"\.[a-z].*", "", spelled)  # the codeset of POSIX; "No." is a number
    spelled = same_spelling(ALIASES.get(spelled, spelled))
    first, *rest = spelled.split("-")
    if not re.fullmatch("[a-z]{2,3}", first) or (len(first) == 2 and first not in TWO_LETTER):
        return None
    language = TWO_LETTER.get(first, first)
    if rest and re.fullmatch("[a-z]{3}", rest[0]) and language in ("zh", "ar", "ms"):
        extended = rest.pop(0)  # "zh-yue" is Cantonese
        language = TWO_LETTER.get(extended, extended)
    script = region = None
    if rest and rest[0] in SCRIPTS:
        script = rest.pop(0).title()
    if rest and re.fullmatch("[a-z]{2}|[0-9]{3}", rest[0]):
        region = rest.pop(0).upper()
        if region == "ID" and language not in _IN_INDONESIA and code.strip().endswith("id"):
            return None  # "en_id" holds identifiers
        if region in _NO_REGION - {"XX", "ZZ"}:
            return None  # "ko-en" names a pair of languages
        region = None if region in _NO_REGION else region
    while rest and (rest[0] in _VARIANTS or re.fullmatch("[0-9][a-z0-9]{3}", rest[0])):
        rest.pop(0)
    if rest and not re.fullmatch("[a-z0-9]", rest[0]):
        return None
    return LanguageTag(language, script or _MODIFIERS_OF_POSIX.get(modifier), region)


def base_code(language: str) -> str:
    """Language code without script and region: "zh" for "zh-TW", "zho_Hant" and "cmn".

    Parameters
    ----------
    language : str
        Code of a language, in any standard that `parse_code` knows.

    Returns
    -------
    str
        ISO 639-1 code, or ISO 639-3 where there is none; what is not a code is cut at the first
        hyphen.
    """
    tag = parse_code(language)
    if tag is not None:
        return tag.language
    first = re.split("[-_]", language.strip().lower())[0]
    return TWO_LETTER.get(first, first)


@lru_cache(maxsize=4096)
def named_language(name: str) -> tuple[LanguageTag, int] | None:
    """Language that the name of a column means, and how surely.

    Parameters
    ----------
    name : str
        A code ("kor_Hang"), a name of a language in English or in many others ("Korean", "한국어",
        "Chinese (Simplified)"), or either of them beside words such as "text" or "sentence"
        ("sentence_en", "영어 원문").

    Returns
    -------
    tuple of (LanguageTag, int) or None
        The int is 0 for a code, 1 for a name and 2 for a name beside other words. None if no
        language is named.
    """
    tag = parse_code(name)
    if tag is not None:
        return tag, 0
    words = _words(name)
    tag = _tag_of_words(words)
    if tag is not None:
        return tag, 1
    rest = [word for word in _words(_GENERIC_CJK.sub(" ", name)) if word not in GENERIC_WORDS]
    if not rest or (rest == words and len(rest) > 1):
        return None
    tag = _tag_of_words(rest) or parse_code("-".join(rest))
    return None if tag is None else (tag, 2)


def _words(name: str) -> list[str]:
    # "textEn" and "KoreanText" consist of two words.
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", name))
    # Not \w+, which would break Indic words at their vowel signs.
    return re.sub(r"[\s_\-–—/:;.,()\[\]{}|*#\"“”<>=+&]+", " ", split).casefold().split()


def _tag_of_words(words: list[str]) -> LanguageTag | None:
    """Language of a name, which may have the name of a script or region beside it."""
    known = _names().get(" ".join(words))
    if known is not None:
        return parse_code(known)
    for start, end in _splits(len(words)):
        named = _names().get(" ".join(words[start:end]))
        if named is None:
            continue
        about = [*words[:start], *words[end:]]
        more = MODIFIERS.get(" ".join(about), "-".join(about))
        # "Chinese (Simplified)", "English US" and "한국어 (KR)", or "Korean (ko-KR)".
        for code in (f"{named}-{more}", more):
            tag = parse_code(code)
            if tag is not None and tag.language == base_code(named):
                return tag
    return None


def _splits(n: int) -> list[tuple[int, int]]:
    return [(0, end) for end in range(1, n)] + [(start, n) for start in range(1, n)]


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {" ".join(_words(name)): code for name, code in NAMES.items()}


@lru_cache(maxsize=4096)
def match_rank(asked: str, name: str) -> tuple[int, ...] | None:
    """Rank of a name as the name of a language: the smallest is the best.

    Parameters
    ----------
    asked : str
        Code of the language.
    name : str
        Code or name that a file or table has.

    Returns
    -------
    tuple of int or None
        None if it is another language or is in another script than the code asks for: "zh-CN" is
        not "zh-Hant", and both are "zh".
    """
    if same_spelling(asked) == same_spelling(name):
        return (0,)
    wanted = parse_code(asked)
    found = named_language(name)
    if wanted is None:
        return (1,) if base_code(asked) == base_code(name) else None
    if found is not None:
        rank = _rank_of_tags(wanted, found[0])
        if rank is not None:
            return (1, *rank, found[1])
    meant = COUNTRY_CODES.get(same_spelling(name))
    tag = None if meant is None else parse_code(meant)
    rank = None if tag is None else _rank_of_tags(wanted, tag)
    return None if rank is None else (2, *rank)


def _rank_of_tags(asked: LanguageTag, found: LanguageTag) -> tuple[int, int] | None:
    if asked.language != found.language:
        return None
    script = _rank_of_scripts(asked, found)
    if script is None:
        return None
    likely = _LIKELY_REGION.get((asked.language, asked.writing or ""))
    if asked.region == found.region:
        region = 0
    elif asked.region is None:
        region = 1 if found.region == likely or likely is None else 2
    else:
        region = 1 if found.region is None else 2
    return script, region


def _rank_of_scripts(asked: LanguageTag, found: LanguageTag) -> int | None:
    usual = _USUAL_SCRIPT.get(asked.language)
    wanted, has = asked.writing, found.writing
    if wanted is None:
        if _is_romanization(asked.language, has):
            return None
        return 0 if has is None else 1 if has == usual else 2
    if has is None:
        # "ko" is not "ko-Latn", and may well be "ko-Hang".
        return None if _is_romanization(asked.language, wanted) else 1
    return 0 if wanted == has else None


def _is_romanization(language: str, script: str | None) -> bool:
    usual = _USUAL_SCRIPT.get(language, "Latn")
    return script == "Latn" != usual and language not in _TWO_SCRIPTS


def did_you_mean(code: str) -> str:
    """Question that a message adds for a usual slip; "" if nothing comes to mind.

    Parameters
    ----------
    code : str
        What was passed as the code of a language.

    Returns
    -------
    str
        Such as " Did you mean 'ja'?", with a leading blank.
    """
    meant = COUNTRY_CODES.get(same_spelling(code))
    if meant is None and parse_code(code) is None:
        found = named_language(code)
        meant = None if found is None else _spelled(found[0])
    return "" if meant is None else f" Did you mean {meant!r}?"


def _spelled(tag: LanguageTag) -> str:
    return "-".join(part for part in (tag.language, tag.script, tag.region) if part)


def declared_language(code: str, languages: Sequence[str]) -> str | None:
    """The one of some languages that a code means.

    Parameters
    ----------
    code : str
        Code of a language, such as "ko-KR".
    languages : sequence of str
        Codes as they were declared, such as "kor".

    Returns
    -------
    str or None
        The same spelling, or else the best match, or else the last in another script; None if all
        are other languages.
    """
    if code in languages:
        return code
    ranks = [(rank, lang) for lang in languages if (rank := match_rank(lang, code)) is not None]
    if ranks:
        return min(ranks)[1]
    same = [lang for lang in languages if base_code(lang) == base_code(code)]
    return same[-1] if same else None


def languages_of(target_lang: str | Sequence[str]) -> tuple[str, ...]:
    """Declared target languages, checked."""
    languages = (target_lang,) if isinstance(target_lang, str) else tuple(target_lang)
    if not languages or not all(isinstance(lang, str) and lang for lang in languages):
        raise ValueError(
            f"target_lang must be a language code or a sequence of them, got {target_lang!r}."
        )
    if len({parse_code(lang) or lang for lang in languages}) < len(languages):
        raise ValueError(f"target_lang names a language twice: {languages}.")
    if any(base_code(lang) == "en" or _is_english(lang) for lang in languages):
        raise ValueError("target_lang names English, which is the language of the other side.")
    return languages


def _is_english(language: str) -> bool:
    found = named_language(language)
    return found is not None and found[0].language == "en"
