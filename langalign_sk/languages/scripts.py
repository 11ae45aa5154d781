"""Scripts of texts and languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from .codes import base_code, parse_code

__all__ = ["is_latin_only", "script_of", "scripts_of_language"]


# Letters of the scripts other than Latin, as ranges of code points (Unicode 15, Scripts.txt).
_SCRIPTS: dict[str, str] = {
    "Hangul": "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb",
    "Kana": "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff",
    "Han": "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f",
    "Bopomofo": "\u3105-\u312f",
    "Cyrillic": "\u0400-\u052f",
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
    "Arabic": "\u0620-\u065f\u066e-\u06d3\u06d5-\u06ef\u06fa-\u06ff\u0750-\u077f\u08a0-\u08ff",
    "Hebrew": "\u05d0-\u05f2",
    "Devanagari": "\u0900-\u0963\u0971-\u097f",
    "Bengali": "\u0980-\u09ff",
    "Gurmukhi": "\u0a00-\u0a7f",
    "Gujarati": "\u0a80-\u0aff",
    "Oriya": "\u0b00-\u0b7f",
    "Tamil": "\u0b80-\u0bff",
    "Telugu": "\u0c00-\u0c7f",
    "Kannada": "\u0c80-\u0cff",
    "Malayalam": "\u0d00-\u0d7f",
    "Sinhala": "\u0d80-\u0dff",
    "Thai": "\u0e01-\u0e3a\u0e40-\u0e4e",
    "Lao": "\u0e80-\u0eff",
    "Tibetan": "\u0f00-\u0fff",
    "Myanmar": "\u1000-\u109f",
    "Georgian": "\u10a0-\u10ff\u1c90-\u1cbf",
    "Armenian": "\u0530-\u058f",
    "Ethiopic": "\u1200-\u137f",
    "Khmer": "\u1780-\u17ff",
    "Mongolian": "\u1820-\u18aa",
}
# Languages (ISO 639-1) in a script other than Latin; all other languages need `detect`.
_LANGUAGE_SCRIPTS: dict[str, tuple[str, ...]] = {
    "ko": ("Hangul",),
    "ja": ("Kana", "Han"),
    "zh": ("Han", "Bopomofo"),
    **dict.fromkeys(("ru", "uk", "bg", "be", "mk", "kk", "ky", "tg"), ("Cyrillic",)),
    "el": ("Greek",),
    **dict.fromkeys(("ar", "fa", "ur", "ps", "ug", "sd"), ("Arabic",)),
    **dict.fromkeys(("he", "yi"), ("Hebrew",)),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), ("Devanagari",)),
    **dict.fromkeys(("bn", "as"), ("Bengali",)),
    "pa": ("Gurmukhi",),
    "gu": ("Gujarati",),
    "or": ("Oriya",),
    "ta": ("Tamil",),
    "te": ("Telugu",),
    "kn": ("Kannada",),
    "ml": ("Malayalam",),
    "si": ("Sinhala",),
    "th": ("Thai",),
    "lo": ("Lao",),
    "bo": ("Tibetan",),
    "my": ("Myanmar",),
    "ka": ("Georgian",),
    "hy": ("Armenian",),
    "am": ("Ethiopic",),
    "km": ("Khmer",),
    "mn": ("Cyrillic", "Mongolian"),
    **dict.fromkeys(("yue", "wuu", "lzh"), ("Han", "Bopomofo")),
}
# Scripts (ISO 15924) that a code may name, as in "uz-Cyrl" or "kas_Deva".
_NAMED_SCRIPTS: dict[str, str] = {
    "Arab": "Arabic",
    "Armn": "Armenian",
    "Beng": "Bengali",
    "Bopo": "Bopomofo",
    "Cyrl": "Cyrillic",
    "Deva": "Devanagari",
    "Ethi": "Ethiopic",
    "Geor": "Georgian",
    "Grek": "Greek",
    "Gujr": "Gujarati",
    "Guru": "Gurmukhi",
    "Hang": "Hangul",
    "Hebr": "Hebrew",
    "Khmr": "Khmer",
    "Knda": "Kannada",
    "Laoo": "Lao",
    "Mlym": "Malayalam",
    "Mong": "Mongolian",
    "Mymr": "Myanmar",
    "Orya": "Oriya",
    "Sinh": "Sinhala",
    "Taml": "Tamil",
    "Telu": "Telugu",
    "Thai": "Thai",
    "Tibt": "Tibetan",
}
_PATTERNS = {name: re.compile(f"[{ranges}]") for name, ranges in _SCRIPTS.items()}
_FOREIGN = re.compile("[" + "".join(_SCRIPTS.values()) + "]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
# An English sentence may quote a foreign word, and a Korean one may be full of English names. A
# Korean, Japanese or Chinese letter corresponds to about three Latin letters.
_LATIN_PER_FOREIGN = 9


def scripts_of_language(language: str) -> tuple[str, ...]:
    """Names of the non-Latin scripts of a language, empty for Latin and unknown ones.

    Parameters
    ----------
    language : str
        Code of a language, which may have a script and a region ("zh-TW", "uz-Cyrl", "kor_Hang").

    Returns
    -------
    tuple of str
        Script names, the most distinctive one first.

    Examples
    --------
    >>> from langalign_sk.languages import scripts_of_language
    >>> scripts_of_language("ja"), scripts_of_language("de")
    (('Kana', 'Han'), ())
    """
    scripts = _LANGUAGE_SCRIPTS.get(base_code(language), ())
    tag = parse_code(language)
    if tag is None or tag.writing is None:
        return scripts
    if tag.writing == "Latn":
        return ()
    named = _NAMED_SCRIPTS.get(tag.writing)
    return scripts if named is None or named in scripts else (named,)


def script_of(text: str) -> str:
    """Name of the main script of a text; "Latin" for text without letters.

    Kana prevails over Han if it is at least a tenth as frequent, and Hangul if it is at least half
    as frequent, since Japanese and Korean borrow Han. A non-Latin script prevails unless Latin
    letters outnumber it nine to one; a single Greek or Cyrillic letter is a symbol.

    Parameters
    ----------
    text : str
        A text; it is normalized to NFKC first.

    Returns
    -------
    str
        "Latin" or the name of another script.

    Examples
    --------
    >>> from langalign_sk.languages import script_of
    >>> [script_of(t) for t in ("Good day", "안녕하세요", "お元気ですか", "你好", "OK 2026")]
    ['Latin', 'Hangul', 'Kana', 'Han', 'Latin']
    """
    if text.isascii():
        return "Latin"
    text = unicodedata.normalize("NFKC", text)
    foreign = len(_FOREIGN.findall(text))
    if not foreign or len(_LATIN.findall(text)) > _LATIN_PER_FOREIGN * foreign:
        return "Latin"
    counts = {name: len(pattern.findall(text)) for name, pattern in _PATTERNS.items()}
    east = counts["Hangul"] + counts["Kana"] + counts["Han"]
    if 2 * east >= foreign:
        # A Japanese or Chinese text may quote Hangul, and a Korean text Han or kana.
        if counts["Hangul"] >= max(counts["Kana"], 1) and 2 * counts["Hangul"] >= counts["Han"]:
            return "Hangul"
        return "Kana" if 10 * counts["Kana"] >= max(counts["Han"], 1) else "Han"
    script = max(counts, key=counts.__getitem__)
    # A single Greek or Cyrillic letter is a symbol ("5 µm", "ΔT"), not a word.
    return script if re.search(f"[{_SCRIPTS[script]}]{{2}}", text) else "Latin"


def is_latin_only(text: str, scripts: Sequence[str]) -> bool:
    """Whether a text of a language with other scripts has letters of the Latin script only."""
    text = unicodedata.normalize("NFKC", text)
    own = any(_PATTERNS[script].search(text) for script in scripts)
    return bool(scripts) and not own and _LATIN.search(text) is not None
