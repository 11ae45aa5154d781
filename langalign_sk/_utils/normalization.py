"""Normalisation of text: one form for routing, caches and encoders."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from .validation import check_choice

__all__ = [
    "FORMS",
    "NORMALIZATION_VERSION",
    "check_form",
    "is_blank",
    "joined_surrogates",
    "marks_cut",
    "normalize_text",
    "normalize_texts",
    "unescape",
]


NORMALIZATION_VERSION = 1  # of the rules below; saved models hold it
FORMS = ("auto", "html", "NFC", "NFKC", None)

_LINE_BREAKS = "\x0b\x0c\x85\u2028\u2029"
# Invisible letters of Hangul and the empty cell of Braille are how blanks are typed where blanks are
# refused.
_SPACES = (
    "\x1c\x1d\x1e\x1f\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u202f\u205f\u2800\u3000\u3164\uffa0\ufffc"
)
# Characters without a width and a meaning of their own: soft hyphen, zero-width space, joiners of
# words, marks of direction, invisible operators, variation selectors, annotation anchors, byte order
# mark and noncharacters.
_REMOVED = (
    "\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef\ufe00-\ufe0f"
    "\ufeff\ufff9-\ufffb\ufffe\uffff"
)
_JOINERS = "\u200c\u200d"
_TAGS = "\U000e0001-\U000e007f"
_SELECTORS = "\U000e0100-\U000e01ef"
# What else is invisible when nothing else is in a text.
_FILLERS = "\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f"

_ODD_ASCII = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")
_JOINER_RUN = re.compile(f"[{_JOINERS}]+")
_FLAG = "\U0001f3f4"
_TAG_RUN = re.compile(f"(?:{_FLAG}[\U000e0020-\U000e007e]+\U000e007f)|[{_TAGS}]+")
# Scripts whose spelling has joiners: Arabic, Syriac, N'Ko, Indic, Tibetan, Myanmar, Khmer, Mongolian.
_JOINING = (
    "\u0600-\u085f\u0870-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\u1a20-\u1aaf\u1cd0-\u1cff"
    "\ua840-\ua87f\ua8e0-\ua8ff\ua980-\ua9df\uaa60-\uaa7f\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefc"
    "\U00010a60-\U00010aff\U00011000-\U00011fff"
)
_IS_JOINING = re.compile(f"[{_JOINING}]")
_IS_INDIC = re.compile("[\u0900-\u0dff\u0f00-\u109f\u1780-\u17ff\U00011000-\U00011fff]")
_IS_EMOJI = re.compile("[\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]")
# Letters beside which full-width punctuation is the usual one.
_EAST_ASIAN = re.compile(
    "[\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_WIDE_PUNCTUATION = re.compile(
    "[\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff60\uffe0-\uffe6]"
)
# Of HTML, escaped once or more often.
_REFERENCE = re.compile(r"&(?:amp;)*(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_N_UNESCAPED = 4  # passes over a text, for an ampersand that was escaped in another way
# Marks on one letter, as in the Stream-Safe Text Format of Unicode (UAX #15, section 13): sorting a
# longer run takes quadratic time.
_N_MARKS = 30


def check_form(form: Any, name: str = "normalize") -> None:
    """Raise ValueError for a form of normalisation that does not exist; `name` is the parameter."""
    check_choice(name, form, FORMS)


def normalize_texts(texts: Sequence[str], form: str | None = "auto") -> list[str]:
    """Texts in one form; see `normalize_text`."""
    if form is None:
        return list(texts)
    if form == "html":
        return [normalize_text(text, form) for text in texts]
    # Printable ASCII that does not begin with a blank is in every form already.
    return [
        text
        if text[:1] > " " and text.isascii() and text.isprintable()
        else normalize_text(text, form)
        for text in texts
    ]


def normalize_text(text: str, form: str | None = "auto") -> str:
    """Text without what readers do not see, in one normal form of Unicode.

    All forms but None remove control characters other than tab and line breaks, soft hyphens,
    characters without a width, marks of direction, variation selectors and the byte order mark; put a
    space for every other space, a line feed for every other line break, and U+FFFD for half a
    surrogate pair; join two halves; keep zero-width joiners inside emoji and inside words of the
    scripts that spell with them; cut a letter's marks to 30; and make a blank text empty.

    Parameters
    ----------
    text : str
        The text.
    form : {"auto", "html", "NFC", "NFKC"} or None, default="auto"
        - "auto": NFC, and letters and digits that are other pictures of the same ones (full-width,
          half-width, mathematical, ligatures, forms of Arabic letters, radicals) are put as such.
          Full-width punctuation stays beside Chinese, Japanese and Korean letters. Signs that say
          more, such as a half or the kilogram sign, stay;
        - "html": character references, such as ``&amp;``, are read first; then as "auto";
        - "NFC", "NFKC": that normal form;
        - None: the text as it is.

    Returns
    -------
    str
        Normalising again changes nothing. At most 4 times as long ("NFKC": 18 times, U+FDFA).

    References
    ----------
    Unicode Standard Annexes #15 (normal forms) and #11 (width of East Asian characters).

    Examples
    --------
    >>> from langalign_sk._utils.normalization import normalize_text
    >>> normalize_text("\uff26\uff55\uff4c\uff4c\u3000\uff57\uff49\uff44\uff54\uff48\uff01\u200b")
    'Full width!'
    """
    if form is None:
        return text
    if form == "html":
        return _read_references(text)
    if text.isascii() and (text.isprintable() or not _ODD_ASCII.search(text)):
        return "" if text.isspace() else text
    normal_form: Literal["NFC", "NFKC"] = "NFKC" if form == "NFKC" else "NFC"
    text = marks_cut(text)
    if _SPECIAL.search(text):
        text = marks_cut(_cleaned(text, _FOLDED if form == "auto" else _CLEANING))
    # Full-width punctuation is the usual one beside letters of East Asia.
    if form == "auto" and _WIDE_PUNCTUATION.search(text) and not _EAST_ASIAN.search(text):
        text = text.translate(_WIDE)
    while not unicodedata.is_normalized(normal_form, text):
        # Marks in another order may leave a joiner without its letter.
        text = marks_cut(unicodedata.normalize(normal_form, text))
        text = marks_cut(_JOINER_RUN.sub(_joiner, text))
    return "" if _BLANK.fullmatch(text) else text


def is_blank(text: str) -> bool:
    """Whether a text holds nothing that can be seen: it is empty, or spaces and invisible characters.

    Examples
    --------
    >>> from langalign_sk._utils.normalization import is_blank
    >>> [is_blank(text) for text in ("", " \u00a0", "\u200b", "\u3164", "a\u200b")]
    [True, True, True, True, False]
    """
    return not text or text.isspace() or (_SEEN.search(text) is None)


def joined_surrogates(text: str) -> str:
    """Text with every pair of surrogates as its character, and U+FFFD for half a pair."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    # The error handler "replace" takes several times as long for a text of nothing but halves.
    text = _HALF.sub("\ufffd", text)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def unescape(text: str) -> str:
    """Text without the character references of HTML that end in a semicolon, however often escaped.

    Examples
    --------
    >>> from langalign_sk._utils.normalization import unescape
    >>> unescape("Tom &amp;amp; Jerry &#39;&lt;3&#39;, AT&T, ?a=1&copy=2")
    "Tom & Jerry '<3', AT&T, ?a=1&copy=2"
    """
    return _REFERENCE.sub(_referred, text) if "&" in text else text


def _referred(match: re.Match[str]) -> str:
    """Character of a reference; half a surrogate pair stays one, as its other half follows."""
    reference = match[1]
    if reference[0] == "#":
        code = int(reference[2:], 16) if reference[1] in "xX" else int(reference[1:])
        if 0xD800 <= code <= 0xDFFF:
            return chr(code)
    return html.unescape(f"&{reference};")


def _read_references(text: str) -> str:
    """Text in the form "auto" whose references are read until none is left."""
    text = normalize_text(text)
    for _ in range(_N_UNESCAPED):
        read = normalize_text(unescape(text))
        if read == text:
            break
        text = read
    return text


def _cleaned(text: str, table: dict[int, str]) -> str:
    """Text without invisible characters, with plain spaces and line breaks, by a table."""
    text = joined_surrogates(text).translate(table)
    if _TAG_RUN.search(text):
        text = _TAG_RUN.sub(lambda run: run.group() if run.group()[0] == _FLAG else "", text)
    return _JOINER_RUN.sub(_joiner, text)


def _joiner(run: re.Match[str]) -> str:
    """The first of a run of joiners, where the letters on both sides are spelled with it; else ""."""
    text, (start, end) = run.string, run.span()
    before, after = text[start - 1 : start], text[end : end + 1]
    if _IS_EMOJI.match(before):
        return run.group()[0] if run.group()[0] == "\u200d" and _IS_EMOJI.match(after) else ""
    if not _IS_JOINING.match(before):
        return ""
    # An Indic letter may end a word in a form that a joiner chooses.
    return run.group()[0] if _IS_JOINING.match(after) or _IS_INDIC.match(before) else ""


def marks_cut(text: str) -> str:
    """Text with at most 30 marks in a row."""
    if len(text) <= _N_MARKS or not _POSSIBLE_RUN.search(text):
        return text
    return _MARK_RUN.sub(r"\1", text)


def _sets_of(codes: Iterable[int]) -> str:
    """Characters as the inside of a regular expression's set."""
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges)


def _in_first_plane(codes: Iterable[int]) -> str:
    """Those of some characters that are in the first plane, as the inside of a set."""
    return _sets_of(code for code in codes if code < 0x10000)


def _codes(ranges: str) -> set[int]:
    """Code points that the inside of a set names, without escapes."""
    out: set[int] = set()
    for first, last in re.findall("(.)(?:-(.))?", ranges, re.DOTALL):
        out.update(range(ord(first), ord(last or first) + 1))
    return out


def _cleaning() -> dict[int, str]:
    """Replacements of all forms, by code point."""
    table = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "")
    for code in map(ord, "\t\n\r"):
        del table[code]
    table |= dict.fromkeys(_codes(_REMOVED) | _codes(_SELECTORS), "")
    return (
        table | dict.fromkeys(map(ord, _LINE_BREAKS), "\n") | dict.fromkeys(map(ord, _SPACES), " ")
    )


def _folding() -> dict[int, str]:
    """Replacements of "auto", by code point, without punctuation.

    The forms that Unicode calls wide, narrow, font, initial, medial, final and isolated, ligatures of
    Latin, Armenian and Hebrew letters, and radicals that look like a Han character.
    """
    table: dict[int, str] = {}
    for first, last in _FOLDED_BLOCKS:
        for code in range(first, last + 1):
            char = chr(code)
            kind, *parts = unicodedata.decomposition(char).split() or [""]
            compatible = kind == "<compat>" and code > 0x2E00
            if code in _NOT_FOLDED or _WIDE_PUNCTUATION.match(char):
                continue
            if kind == "<narrow>":  # not NFKC, in which half-width Hangul is not the usual letter
                table[code] = chr(int(parts[0], 16))
            elif kind in _FOLDED_KINDS or compatible:
                table[code] = unicodedata.normalize("NFKC", char)
    # A mark on a space shows the mark by itself.
    return {code: text for code, text in table.items() if text[0] != " "}


_FOLDED_KINDS = ("<wide>", "<font>", "<initial>", "<medial>", "<final>", "<isolated>")
_FOLDED_BLOCKS = (
    *((0x2100, 0x214F), (0x2E80, 0x2FDF), (0xFB00, 0xFDEF), (0xFE70, 0xFEFF), (0xFF00, 0xFFEF)),
    *((0x1D400, 0x1D7FF), (0x1EE00, 0x1EEFF), (0x1FBF0, 0x1FBF9)),
)
_NOT_FOLDED = (0x210F, 0x2113, 0x2139, 0x2140)  # signs: Planck, litre, information, summation
_CLEANING = _cleaning()
_FOLDED = {**_folding(), **_CLEANING}
_WIDE = {
    code: unicodedata.normalize("NFKC", chr(code))
    for code in range(0xFF01, 0xFFE7)
    if _WIDE_PUNCTUATION.match(chr(code))
}
# What a text may have to be changed for. All beyond the first plane is one range, since a set of
# many such ranges is slow.
_SPECIAL = re.compile(
    f"[{_in_first_plane(_FOLDED)}{_FILLERS}{_JOINERS}\ud800-\udfff\U00010000-\U0010ffff]"
)
_mark_codes = [code for code in range(0x300, 0x1F000) if unicodedata.combining(chr(code))]
_marks = _sets_of(_mark_codes)
_MARK_RUN = re.compile(f"([{_marks}]{{{_N_MARKS}}})[{_marks}]+")
# The same, but for characters beyond the first plane that are not marks; fast.
_possible = f"[{_in_first_plane(_mark_codes)}\U00010000-\U0001efff]"
_POSSIBLE_RUN = re.compile(f"{_possible}{_possible}{{{_N_MARKS}}}")
_invisible = f"{_FILLERS}{_JOINERS}\\s{_sets_of(_CLEANING)}"
_BLANK = re.compile(f"[{_invisible}]*")
_SEEN = re.compile(f"[^{_invisible}{_TAGS}]")
