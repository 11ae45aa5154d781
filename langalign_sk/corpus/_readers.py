"""Readers of translation pairs, from sequences in memory and from files.

Readers of files return the target and the English sentences. They do not use pandas, which would
turn the sentences "NA" and "1" into a missing value and a number.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .._utils.containers import Table, cells_of, check_column_names, opened
from .._utils.optional import import_extra
from .._utils.texts import check_texts
from .._utils.validation import shorten
from ..languages import script_of, scripts_of_language
from ..languages.codes import base_code, match_rank

__all__ = [
    "Sides",
    "as_texts",
    "check_language",
    "column_of",
    "read_lines",
    "read_pairs",
    "sides_of_frame",
    "stem_of",
]


Sides = tuple[list[str], list[str]]  # target and English sentences, row by row
_TABLES = (".tsv", ".txt", ".csv")
_JSON_LINES = (".jsonl", ".ndjson")
_SUFFIXES = (*_TABLES, *_JSON_LINES, ".tmx")
_DETECTION_ROWS = 200
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# Elements whose content is markup of the translated document (TMX 1.4b, "content markup").
_MARKUP = frozenset({"bpt", "ept", "it", "ph", "ut"})


class MissingLanguageError(ValueError):
    """Error for a file or frame of pairs without sentences of a language."""


def check_language(target_lang: Any) -> None:
    """Raise unless `target_lang` is the code of a language other than English."""
    if not isinstance(target_lang, str):
        raise TypeError(f'target_lang must be a code such as "ko", got {target_lang!r}.')
    if base_code(target_lang) in ("", "en"):
        raise ValueError(
            'target_lang must be the code of the language that is not English, such as "ko", '
            f"got {target_lang!r}."
        )


def as_texts(values: Any, side: str) -> tuple[str, ...]:
    """Sentences of a sequence, checked; `side` is its name in messages."""
    if isinstance(values, str | bytes):
        raise TypeError(f"{side} is a single {type(values).__name__}: give a list of sentences.")
    if values is None:
        raise TypeError(f"{side} must be a sequence of sentences, got NoneType.")
    return tuple(check_texts(cells_of(values, side), f"{side},", may_be_empty=True))


def column_of(names: Sequence[Any], language: str) -> int | None:
    """Position of the best name of a language, by `match_rank`; None if it is missing."""
    ranks = [
        (rank, at) for at, name in enumerate(names) if (rank := match_rank(language, str(name)))
    ]
    return min(ranks)[1] if ranks else None


def _find_sides(names: Sequence[Any], target_lang: str) -> tuple[int, int] | None:
    """Positions of the target and the English name; None if one of them is missing."""
    target, source = column_of(names, target_lang), column_of(names, "en")
    return None if target is None or source is None else (target, source)


def _need_sides(names: Sequence[Any], target_lang: str, where: str) -> tuple[int, int]:
    """Positions of both names, or a ValueError that lists the names that `where` has."""
    sides = _find_sides(names, target_lang)
    if sides is None:
        raise MissingLanguageError(
            f"{where} has the columns {[str(name) for name in names]}; needed are 'en' and "
            f"{_target_names(target_lang)}. Rename the columns to these language codes."
        )
    return sides


def sides_of_frame(frame: Any, target_lang: str) -> tuple[Any, Any]:
    """Target and English column of a table, in any container."""
    check_language(target_lang)
    table = opened(frame, "frame")
    if not isinstance(table, Table):
        raise TypeError(
            "frame must be a table with named columns, such as a pandas or polars DataFrame or a list "
            f"of dicts, got {type(frame).__name__}."
        )
    target, source = _need_sides(table.names, target_lang, "frame")
    check_column_names(table.names, "frame", [table.names[target], table.names[source]])
    return table.columns[target], table.columns[source]


def read_pairs(
    path: Path, target_lang: str, *, columns: Sequence[str] | None, encoding: str
) -> Sides:
    """Read a file of pairs, in the format of its suffix."""
    check_language(target_lang)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    suffix = _suffix_of(path)
    if suffix not in (*_SUFFIXES, ".parquet"):
        raise ValueError(
            f"{str(path)!r} has no known suffix. Known are {', '.join(_SUFFIXES)} (each also with "
            ".gz after it) and .parquet. Two files with one sentence per line: read_moses."
        )
    if columns is not None and suffix not in _TABLES:
        raise ValueError(f"columns= is for {', '.join(_TABLES)}; {suffix} names its own columns.")
    if suffix == ".parquet":
        target, source = _read_parquet(path, target_lang)
    elif suffix == ".tmx":
        target, source = _read_tmx(path, target_lang)
    elif suffix in _JSON_LINES:
        target, source = _read_json_lines(path, target_lang, encoding)
    else:
        target, source = _read_table(path, target_lang, columns, encoding)
    if not target:
        raise ValueError(f"{str(path)!r} holds no pairs.")
    return target, source


def read_lines(path: Path, encoding: str) -> list[str]:
    """Lines of a text file without their ends; a .gz file is unpacked."""
    # str.splitlines would also split at U+2028, U+0085 and more, which belong to a sentence.
    lines = _read_text(path, encoding).split("\n")
    if not lines[-1]:
        del lines[-1]
    return [line.removesuffix("\r") for line in lines]


def stem_of(path: Path) -> str:
    """File name without .gz and without its suffix."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def _suffix_of(path: Path) -> str:
    if path.suffix.lower() != ".gz":
        return path.suffix.lower()
    inner = Path(path.stem).suffix.lower()
    return inner if inner in _SUFFIXES else ".gz"


def _same_spelling(code: str) -> str:
    return code.strip().replace("_", "-").lower()


def _target_names(target_lang: str) -> str:
    base = base_code(target_lang)
    return repr(target_lang) + (f" (or {base!r})" if base != _same_spelling(target_lang) else "")


def _read_bytes(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix.lower() != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{str(path)!r} is not a complete gzip file: {error}.") from error


def _read_text(path: Path, encoding: str) -> str:
    data = _read_bytes(path)
    # Windows programs put a byte order mark before UTF-8, which does not belong to the first sentence.
    codec = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{str(path)!r}, line {line}: the bytes are not {encoding!r} text. Pass encoding=, "
            'for instance encoding="cp949" (Korean), "cp932" (Japanese), "gb18030" (Chinese) or '
            '"utf-16".'
        ) from error


def _read_table(
    path: Path, target_lang: str, columns: Sequence[str] | None, encoding: str
) -> Sides:
    if isinstance(columns, str):
        raise TypeError(
            f'columns must be a sequence of names such as ("en", "ko"), got {columns!r}.'
        )
    comma = _suffix_of(path) == ".csv"
    rows = list(_csv_rows(path, encoding) if comma else _tsv_rows(path, encoding))
    if not rows:
        return [], []
    first = rows[0][1]
    sides = _find_sides(first, target_lang)
    if sides is not None:
        if columns is not None and [*map(_same_spelling, columns)] != [*map(_same_spelling, first)]:
            raise ValueError(
                f"{str(path)!r} has the header {first}, which columns={tuple(columns)} "
                "contradicts. Leave columns out."
            )
        del rows[0]
    elif columns is not None:
        first = list(columns)
        sides = _need_sides(first, target_lang, "columns=")
    elif len(first) != 2:
        raise ValueError(
            f"{str(path)!r} has {len(first)} column{'s' * (len(first) != 1)} and no header with "
            f"'en' and {_target_names(target_lang)}. Pass columns= with one name per column, "
            f"such as {_columns_remedy(target_lang)}."
        )
    for line, cells in rows:
        if len(cells) != len(first):
            raise ValueError(
                f"{str(path)!r}, line {line}: {len(cells)} cell{'s' * (len(cells) != 1)} where "
                f"{len(first)} are expected. Repair or remove the line."
            )
    if sides is None:
        sides = _sides_by_script(path, [cells for _, cells in rows], target_lang)
    return [cells[sides[0]] for _, cells in rows], [cells[sides[1]] for _, cells in rows]


def _tsv_rows(path: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(read_lines(path, encoding), start=1):
        if line:
            yield number, line.split("\t")


def _csv_rows(path: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    # Strict, since a quote that is never closed would otherwise swallow the rest of the file.
    reader = csv.reader(io.StringIO(_read_text(path, encoding), newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{str(path)!r}, row that begins in line {line}: {error}.") from error


def _sides_by_script(path: Path, rows: list[list[str]], target_lang: str) -> tuple[int, int]:
    scripts = scripts_of_language(target_lang)
    written = []
    for side in (0, 1):
        cells = [row[side] for row in rows[:_DETECTION_ROWS] if row[side].strip()]
        written.append(2 * sum(script_of(cell) in scripts for cell in cells) > len(cells))
    if written[0] == written[1]:
        reason = (
            f"{'both' if written[0] else 'neither'} of its columns are in the script of "
            f"{target_lang!r}"
            if scripts
            else f"{target_lang!r} cannot be told from English by its script"
        )
        kind = MissingLanguageError if scripts and not written[0] else ValueError
        raise kind(
            f"{str(path)!r} has no header and {reason}, so which column is English is not known. "
            f"Pass {_columns_remedy(target_lang)}, in the order of the file."
        )
    return (0, 1) if written[0] else (1, 0)


def _columns_remedy(target_lang: str) -> str:
    return f'columns=("en", "{target_lang}")'


def _read_json_lines(path: Path, target_lang: str, encoding: str) -> Sides:
    rows: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(read_lines(path, encoding), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{str(path)!r}, line {number}: broken JSON ({error}).") from error
        if not isinstance(row, dict):
            raise ValueError(
                f"{str(path)!r}, line {number}: {shorten(line)!r} is not a JSON object. Write one "
                f'{{"en": ..., "{target_lang}": ...}} per line.'
            )
        rows.append((number, row))
    if not rows:
        return [], []
    keys = list(dict.fromkeys(key for _, row in rows for key in row))
    sides = _need_sides(keys, target_lang, repr(str(path)))
    target, source = ([_json_text(path, *row, keys[side]) for row in rows] for side in sides)
    return target, source


def _json_text(path: Path, number: int, row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(
            f"{str(path)!r}, line {number}: the value of {key!r} is {shorten(repr(value))}, not "
            "text. Put it in double quotes."
        )
    return value


def _read_parquet(path: Path, target_lang: str) -> Sides:
    parquet = import_extra("pyarrow.parquet", "Reading .parquet needs pyarrow", "parquet")
    with path.open("rb") as file:
        try:
            table = parquet.ParquetFile(file)
        except ValueError as error:
            raise ValueError(f"{str(path)!r} is not a parquet file: {error}") from error
        names = table.schema_arrow.names
        wanted = [names[side] for side in _need_sides(names, target_lang, repr(str(path)))]
        columns = table.read(columns=wanted)
    # NaN is the one value that differs from itself.
    target, source = (
        ["" if v is None or v != v else v for v in columns[name].to_pylist()] for name in wanted
    )
    return target, source


def _read_tmx(path: Path, target_lang: str) -> Sides:
    target: list[str] = []
    source: list[str] = []
    languages: dict[str, None] = {}
    data = io.BytesIO(_read_bytes(path))
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
            f"{str(path)!r} holds no pair of 'en' and {_target_names(target_lang)}. Its languages "
            f"are: {', '.join(languages) or 'none'}."
        )
    return target, source


def _local_name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _segment(variants: list[tuple[str, ET.Element]], code: str) -> str | None:
    """Text of the first variant with exactly this code, or else with its base code."""
    same = [(lang, tuv) for lang, tuv in variants if base_code(lang) == base_code(code)]
    same.sort(key=lambda variant: _same_spelling(variant[0]) != _same_spelling(code))
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
