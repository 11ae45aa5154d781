"""Reader of translation memories (TMX)."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from pathlib import Path

from ..languages.codes import base_code, same_spelling
from ._columns import MissingLanguageError, Sides, target_names
from ._files import read_bytes

__all__ = ["read_tmx"]


_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# Elements whose content is markup of the translated document (TMX 1.4b, "content markup").
_MARKUP = frozenset({"bpt", "ept", "it", "ph", "ut"})


def read_tmx(path: Path, target_lang: str) -> Sides:
    target: list[str] = []
    source: list[str] = []
    languages: dict[str, None] = {}
    data = io.BytesIO(read_bytes(path))
    try:
        for _, element in ET.iterparse(data):
            if _local_name(element) != "tu":
                continue
            variants = [
                (lang, tuv)
                for tuv in element
                if _local_name(tuv) == "tuv"
                and (lang := tuv.get(_XML_LANG) or tuv.get("lang") or "")
            ]
            languages.update(dict.fromkeys(lang for lang, _ in variants))
            ours, english = _segment(variants, target_lang), _segment(variants, "en")
            if ours is not None and english is not None:
                target.append(ours)
                source.append(english)
            element.clear()
    except ET.ParseError as error:
        line, _ = error.position
        raise ValueError(f"{str(path)!r}, line {line}: broken XML ({error}).") from error
    except (LookupError, ValueError) as error:  # an encoding that the XML parser does not know
        raise ValueError(f"{str(path)!r}: {error}. Convert the file to UTF-8.") from error
    if not target:
        raise MissingLanguageError(
            f"{str(path)!r} holds no pair of 'en' and {target_names(target_lang)}. Its languages "
            f"are: {', '.join(languages) or 'none'}."
        )
    return target, source


def _local_name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _segment(variants: list[tuple[str, ET.Element]], code: str) -> str | None:
    """Text of the first variant with exactly this code, or else with its base code."""
    same = [(lang, tuv) for lang, tuv in variants if base_code(lang) == base_code(code)]
    same.sort(key=lambda variant: same_spelling(variant[0]) != same_spelling(code))
    if not same:
        return None
    segments = [child for child in same[0][1] if _local_name(child) == "seg"]
    return _plain_text(segments[0]) if segments else ""


def _plain_text(element: ET.Element) -> str:
    parts = [element.text or ""]
    for child in element:
        if _local_name(child) not in _MARKUP:
            parts.append(_plain_text(child))
        parts.append(child.tail or "")
    return "".join(parts)
