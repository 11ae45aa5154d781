"""Reader of translation memories (TMX)."""

from __future__ import annotations

import codecs
import html
import io
import re
import xml.etree.ElementTree as ET  # nosec B405 # see _check_prolog
from dataclasses import dataclass, field
from xml.parsers import expat  # nosec B407

from .._utils.validation import shorten, warn_user
from ..languages.codes import base_code, did_you_mean, match_rank
from ._columns import MissingLanguageError, Sides, target_names
from ._files import PairFile

__all__ = ["read_tmx"]


_XML = "{http://www.w3.org/XML/1998/namespace}"
# Elements whose content is markup of the translated document (TMX 1.4b, "content markup").
_MARKUP = frozenset({"bpt", "ept", "it", "ph", "ut"})
_LINE_BREAK = re.compile(r"<\s*(br|lb)\b", re.IGNORECASE)
_BLANKS = re.compile(r"(?:[ \t]|\r?\n)+")
# What XML 1.0 does not allow, as such or as a reference.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]+)|([0-9]+));")
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)(\w+;)?")
_LISTED_LINES = 5


@dataclass
class _Memory:
    """Pairs of the units of a translation memory."""

    target_lang: str
    target: list[str] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    languages: dict[str, None] = field(default_factory=dict)
    other_script: list[str] = field(default_factory=list)

    def add(self, unit: ET.Element) -> None:
        """Add the pair of a unit, if it has both languages."""
        variants = [
            (lang, tuv)
            for tuv in unit
            if _local_name(tuv) == "tuv"
            and (lang := tuv.get(f"{_XML}lang") or tuv.get("lang") or "")
        ]
        self.languages.update(dict.fromkeys(lang for lang, _ in variants))
        ours, english = _variant(variants, self.target_lang), _variant(variants, "en")
        if ours is None or english is None:
            return
        if match_rank(self.target_lang, ours[0]) is None:
            self.other_script.append(ours[0])
        kept = unit.get(f"{_XML}space") == "preserve"
        self.target.append(_segment(ours[1], kept))
        self.source.append(_segment(english[1], kept))


def read_tmx(file: PairFile, target_lang: str) -> Sides:
    """Read the pairs of a translation memory; units that are broken are left out with a warning."""
    try:
        memory = _read(file, target_lang)
    except _EntityError as error:
        raise ValueError(
            f"{file.label} {error}. Entities of a file are not read, as they may stand for other "
            "files or for gigabytes: write their text in their place, and delete the declarations."
        ) from None
    if not memory.target:
        raise MissingLanguageError(
            f"{file.label} holds no pair of 'en' and {target_names(target_lang)}. Its languages "
            f"are: {', '.join(memory.languages) or 'none'}.{did_you_mean(target_lang)}"
        )
    if memory.other_script:
        n = len(memory.other_script)
        have = "has" if n == 1 else "have"
        warn_user(
            f"{file.label}: {n} of {len(memory.target)} units {have} no {target_lang!r}, so "
            f"{memory.other_script[0]!r} was taken instead."
        )
    return memory.target, memory.source


def _read(file: PairFile, target_lang: str) -> _Memory:
    try:
        return _parsed(file.data, target_lang)
    except ET.ParseError as error:
        return _recovered(file, target_lang, error)
    except (LookupError, ValueError) as error:  # an encoding that the XML parser does not know
        return _decoded(file, target_lang, error)


def _parsed(data: bytes, target_lang: str) -> _Memory:
    _check_prolog(data)
    memory = _Memory(target_lang)
    for _, element in ET.iterparse(io.BytesIO(data)):  # nosec B314 # the prolog is checked
        if _local_name(element) == "tu":
            memory.add(element)
            element.clear()
    return memory


def _check_prolog(data: bytes) -> None:
    """Raise where a file declares entities, which may stand for gigabytes or for other files.

    A name of a DTD, as most of these files have, is never followed.
    """

    def refuse(name: str, *_: object) -> None:
        raise _EntityError(f"declares the entity {shorten(name, 40)!r}")

    def leave(*_: object) -> None:
        raise _PrologEnd

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = leave
    try:
        parser.Parse(data, True)
    except _PrologEnd:
        pass
    except expat.ExpatError:
        pass  # is found again, and told, by the reader


class _PrologEnd(Exception):
    """The first element begins: nothing is declared after it."""


class _EntityError(Exception):
    """A file declares entities."""


def _decoded(file: PairFile, target_lang: str, error: Exception) -> _Memory:
    """Pairs of a file in an encoding that Python knows and the XML parser does not."""
    remedy = ValueError(f"{file.label}: {error}. Convert the file to UTF-8.")
    try:
        text = file.data.decode(_declared_encoding(file.data))
    except (LookupError, UnicodeError):
        raise remedy from error
    try:
        return _parsed(_as_utf8(text), target_lang)
    except ET.ParseError as parse_error:
        return _recovered(file, target_lang, parse_error)


def _declared_encoding(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    for start, codec in ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be")):
        if data.startswith(start):
            return codec
    declared = re.match(rb"\s*<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)", data)
    name = declared[1].decode("ascii") if declared else "utf-8"
    # A file whose first bytes are those of "<?xml" is not UTF-16, whatever it says.
    return "utf-8" if name.lower().startswith(("utf-16", "utf16", "ucs")) else name


def _as_utf8(text: str) -> bytes:
    # The declaration goes, since it names another encoding; its line stays, for messages.
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text).encode("utf-8", "surrogateescape")


def _recovered(file: PairFile, target_lang: str, error: ET.ParseError) -> _Memory:
    """Pairs of the units that can be read, of a file that is not XML as a whole."""
    broken = ValueError(f"{file.label}, line {error.position[0]}: broken XML ({error}).")
    try:
        text = file.data.decode(_declared_encoding(file.data), "surrogateescape")
    except (LookupError, UnicodeError):
        raise broken from error
    if not re.search(r"</(\w+:)?tmx\s*>\s*$", text.rstrip("\0\x1a")):
        raise broken from error  # cut off: what is missing is not known
    comments = re.compile("<!--.*?-->", re.DOTALL)
    end = text.rfind("-->") + len(
        "-->"
    )  # a comment that never ends would be sought in all the rest
    text = comments.sub(lambda comment: "\n" * comment[0].count("\n"), text[:end]) + text[end:]
    memory = _Memory(target_lang)
    mended: list[int] = []
    skipped: list[int] = []
    starts = [match.start() for match in re.finditer(r"<(?:\w+:)?tu(?=[\s>])", text)]
    line, at = 1, 0
    for start, stop in zip(starts, [*starts[1:], len(text)], strict=True):
        line, at = line + text.count("\n", at, start), start
        unit = re.match(r".*?</(?:\w+:)?tu\s*>", text[start:stop], re.DOTALL)
        clean = _mended(unit[0] if unit else "")
        try:
            memory.add(ET.fromstring(clean))  # nosec B314 # without a prolog
        except (ET.ParseError, ValueError):
            skipped.append(line)
            continue
        if unit and clean != unit[0]:
            mended.append(line)
    if not memory.target:
        raise broken from error
    _warn_of_units(file.label, mended, skipped, error)
    return memory


def _mended(unit: str) -> str:
    """Unit without forbidden characters, and with the entities of HTML as characters."""
    unit = _REFERENCE.sub(_allowed_reference, unit)
    unit = _FORBIDDEN.sub(lambda c: " " if c[0] in "\x0b\x0c" else "", unit)
    return _ENTITY.sub(_known_entity, unit)


def _allowed_reference(reference: re.Match[str]) -> str:
    digits = (reference[1] or reference[2]).lstrip("0")
    if len(digits) > len("1114111"):  # of the last character; int refuses thousands of digits
        return ""
    code = int(digits or "0", 16 if reference[1] else 10)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return ""
    return chr(code) if _FORBIDDEN.match(chr(code)) else reference[0]


def _known_entity(entity: re.Match[str]) -> str:
    if not entity[1]:
        return "&amp;"  # "R&D"
    character = html.unescape(entity[0])
    # Unknown ones stay, and the unit is left out.
    return entity[0] if character == entity[0] else html.escape(character)


def _warn_of_units(label: str, mended: list[int], skipped: list[int], error: Exception) -> None:
    parts = []
    if mended:
        parts.append(
            f"characters or entities that XML does not allow were removed or replaced in "
            f"{_count(mended)}"
        )
    if skipped:
        parts.append(f"broken XML, left out: {_count(skipped)}")
    if parts:
        warn_user(f"{label} is not well-formed ({error}): {'; '.join(parts)}.")


def _count(lines: list[int]) -> str:
    seen = list(dict.fromkeys(lines))
    listed = ", ".join(map(str, seen[:_LISTED_LINES])) + ", ..." * (len(seen) > _LISTED_LINES)
    many = len(lines) > 1
    return f"{len(lines)} unit{'s' * many} (line{'s' * (len(seen) > 1)} {listed})"


def _local_name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _variant(variants: list[tuple[str, ET.Element]], code: str) -> tuple[str, ET.Element] | None:
    """Variant whose code matches best, or else the first one in another script."""
    ranks = [(rank, n) for n, (lang, _) in enumerate(variants) if (rank := match_rank(code, lang))]
    if ranks:
        return variants[min(ranks)[1]]
    return next((v for v in variants if base_code(v[0]) == base_code(code)), None)


def _segment(variant: ET.Element, kept: bool) -> str:
    """Text of a variant, without the line ends and the indentation of pretty-printed files."""
    segment = next((child for child in variant if _local_name(child) == "seg"), None)
    if segment is None:
        return ""
    text = _plain_text(segment)
    if kept or "preserve" in (segment.get(f"{_XML}space"), variant.get(f"{_XML}space")):
        return text
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if "\n" in text[end:]:
        text = text[:end]
    if "\n" in text[:start]:
        text = text[start:]
    return _BLANKS.sub(_without_indentation, text)


def _without_indentation(blanks: re.Match[str]) -> str:
    """Blanks as they are, but for a line end and the indentation after it, which are one space."""
    head = blanks[0].rstrip("\r\n")
    return " " + blanks[0][len(head) :] if "\n" in head else blanks[0]


def _plain_text(segment: ET.Element) -> str:
    parts: list[str] = []
    ahead: list[ET.Element | str] = [segment]  # elements may be nested deeper than calls
    while ahead:
        item = ahead.pop()
        if isinstance(item, str):
            parts.append(item)
        elif item is segment or _local_name(item) not in _MARKUP:
            parts.append(item.text or "")
            for child in reversed(item):
                ahead += [child.tail or "", child]
        elif _is_line_break(item):
            parts.append("" if parts[-1][-1:].isspace() else " ")
    return "".join(parts)


def _is_line_break(markup: ET.Element) -> bool:
    text = markup.text or ""
    if markup.get("type") == "lb" or _LINE_BREAK.search(text):
        return True
    return text.strip() == "\\n" or ("\n" in text and not text.strip())
