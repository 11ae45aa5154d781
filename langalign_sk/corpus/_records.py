"""Readers of records of pairs: JSON and parquet."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

from .._utils.containers import check_column_names
from .._utils.optional import import_extra
from .._utils.validation import shorten
from ..languages import script_of
from ._columns import (
    MissingLanguageError,
    Sides,
    column_of,
    find_sides,
    mapping_remedy,
    need_sides,
)
from ._files import PairFile, split_lines

__all__ = ["read_json", "read_parquet", "records_of_cells", "sides_of_records"]


_Records = list[tuple[str, Mapping[str, Any]]]  # where a record is, and its values

_DEEPEST = 3
_JUDGED = 200  # records that tell which key is English, in a message
_LANGUAGE_KEYS = ("language", "lang", "locale", "languages")
_TEXT_KEYS = ("translation", "text", "sentence", "value", "content", "translations")


def read_json(
    file: PairFile, target_lang: str, columns: Mapping[str, str] | None, encoding: str
) -> Sides:
    """Read the pairs of JSON lines, of an array of objects, or of an object of columns."""
    text = file.text(encoding, target_lang)
    try:
        records = _records_of_lines(file, text, target_lang)
    except RecursionError as error:
        raise ValueError(f"{file.label} is nested too deeply to be records of pairs.") from error
    records = [(place, _renamed(row, columns)) for place, row in records]
    if not records:
        return [], []
    return sides_of_records(file.label, records, target_lang)


def read_parquet(file: PairFile, target_lang: str, columns: Mapping[str, str] | None) -> Sides:
    """Read the pairs of a parquet file, of two columns or of a nested one."""
    parquet = import_extra("pyarrow.parquet", "Reading .parquet needs pyarrow", "parquet")
    try:
        table = parquet.ParquetFile(BytesIO(file.data))
    except ValueError as error:
        raise ValueError(f"{file.label} is not a parquet file: {error}") from error
    stored = table.schema_arrow.names
    renamed = [(columns or {}).get(name, name) for name in stored]
    nested = [field.name for field in table.schema_arrow if field.type.num_fields]
    sides = find_sides(renamed, target_lang)
    if sides is None and nested:
        rows = table.read(columns=nested).to_pylist()
        records: _Records = [(f"row {n}", _renamed(row, columns)) for n, row in enumerate(rows)]
        return sides_of_records(file.label, records, target_lang)
    at = need_sides(renamed, target_lang, file.label, _remedy(stored, target_lang))
    check_column_names(renamed, file.label, [renamed[side] for side in at])
    read = table.read(columns=[stored[side] for side in at])
    # NaN is the one value that differs from itself.
    target, source = (
        ["" if v is None or v != v else v for v in read[stored[side]].to_pylist()] for side in at
    )
    return target, source


def sides_of_records(label: str, records: _Records, target_lang: str) -> Sides:
    """Target and English texts of records in which both languages are keys, at whatever depth."""
    found = _level(records, target_lang, 0)
    if found is None:
        keys = list(dict.fromkeys(key for _, row in records for key in row))
        need_sides(keys, target_lang, label, _remedy(keys, target_lang, _order(keys, records)))
        raise MissingLanguageError  # need_sides raises
    rows, names = found
    for spelled in dict.fromkeys(tuple(row) for _, row in rows):
        check_column_names(spelled, label, names)
    target, source = (
        [_text(label, place, row, _key_of(row, name, language)) for place, row in rows]
        for name, language in zip(names, (target_lang, "en"), strict=True)
    )
    return target, source


def records_of_cells(rows: list[list[str]]) -> _Records | None:
    """Records of a table with a column of objects, as tables that were written with one have it.

    Parameters
    ----------
    rows : list of list of str
        The cells; the first row is a header.

    Returns
    -------
    list of tuple or None
        None if no column consists of objects, of JSON or as Python prints them.
    """
    body = rows[1:]
    for at in range(len(rows[0])):
        cells = [row[at].strip() if at < len(row) else "" for row in body]
        if body and all(cell.startswith("{") and cell.endswith("}") for cell in cells):
            values = [_object_of(cell) for cell in cells]
            if all(isinstance(value, dict) for value in values):
                return [(f"row {n}", value) for n, value in enumerate(values)]
    return None


def _object_of(cell: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return None


def _renamed(row: Mapping[str, Any], columns: Mapping[str, str] | None) -> Mapping[str, Any]:
    return row if columns is None else {columns.get(key, key): row[key] for key in row}


def _remedy(keys: list[str], target_lang: str, order: Sequence[int] = ()) -> str:
    mapping = mapping_remedy(keys, target_lang, order)
    return f"Rename the columns to these language codes. {mapping}".strip()


def _order(keys: list[str], records: _Records) -> list[int]:
    """Positions of the keys with text, those in Latin script first."""
    latin = []
    for key in keys:
        texts = [row[key] for _, row in records[:_JUDGED] if isinstance(row.get(key), str)]
        latin.append(sum(script_of(text) == "Latin" for text in texts) if texts else -1)
    at = [at for at in range(len(keys)) if latin[at] >= 0]
    return sorted(at, key=lambda at: -latin[at])


def _records_of_lines(file: PairFile, text: str, target_lang: str) -> _Records:
    whole = text.lstrip()
    if file.suffix == ".json" or whole.startswith("["):
        try:
            records = _records_of_value(file.label, json.loads(text, strict=False), target_lang)
        except json.JSONDecodeError as error:
            if file.suffix == ".json" and error.msg != "Extra data":  # JSON lines in a .json file
                raise ValueError(
                    f"{file.label}, line {error.lineno}: broken JSON ({error})."
                ) from error
            records = None
        if records is not None:
            return records
    records = []
    for number, line in enumerate(split_lines(text), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, strict=False)
        except json.JSONDecodeError as error:
            raise ValueError(f"{file.label}, line {number}: broken JSON ({error}).") from error
        if not isinstance(row, dict):
            raise ValueError(
                f"{file.label}, line {number}: {shorten(line)!r} is not a JSON object. Write one "
                f'{{"en": ..., "{target_lang}": ...}} per line.'
            )
        records.append((f"line {number}", row))
    return records


def _records_of_value(label: str, value: Any, target_lang: str) -> _Records | None:
    """Records of an array of objects, of an object that holds one, or of an object of columns."""
    if isinstance(value, dict):
        value = _rows_of_object(label, value, target_lang)
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        return None
    return [(f"record {n}", row) for n, row in enumerate(value)]


def _rows_of_object(label: str, value: dict[str, Any], target_lang: str) -> list[Any]:
    """Rows of an object, in the forms that pandas and translators of programs write."""
    if isinstance(value.get("columns"), list) and _is_list_of(value.get("data"), list):
        return [dict(zip(value["columns"], row, strict=False)) for row in value["data"]]
    of_records = {k: v for k, v in value.items() if _is_list_of(v, dict)}
    if len(of_records) > 1:
        told = [k for k, v in of_records.items() if find_sides(list(v[0]), target_lang)]
        if len(told) > 1:
            raise ValueError(
                f"{label} holds several lists of records, {told}. Write each of them to a file of its "
                "own."
            )
        of_records = {k: of_records[k] for k in told} or of_records
    if len(of_records) == 1:
        return next(iter(of_records.values()))
    objects = {k: v for k, v in value.items() if isinstance(v, dict)}
    if len(objects) > 1 and find_sides(list(objects), target_lang):
        # Rows have the same key in all columns, in whatever order.
        keys = dict.fromkeys(key for column in objects.values() for key in column)
        return [{name: column.get(key) for name, column in objects.items()} for key in keys]
    if objects and len(objects) == len(value) and not find_sides(list(value), target_lang):
        rows = list(value.values())
        if find_sides(list(rows[0]), target_lang):
            return rows  # by their index
    lists = {k: v for k, v in value.items() if isinstance(v, list)}
    if len(lists) > 1 and len({len(v) for v in lists.values()}) == 1:
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    return [value]


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, kind) for row in value)


def _level(
    records: _Records, target_lang: str, depth: int
) -> tuple[_Records, tuple[str, str]] | None:
    """Records in which both languages are keys, at whatever depth, and the two keys."""
    keys = list(dict.fromkeys(key for _, row in records for key in row))
    at = find_sides(keys, target_lang)
    if at is not None:
        return records, (keys[at[0]], keys[at[1]])
    if depth == _DEEPEST:
        return None
    for key in sorted(keys, key=lambda key: "transl" not in key.lower()):
        inner = [(place, _as_mapping(row.get(key))) for place, row in records]
        if any(inside for _, inside in inner):
            found = _level(inner, target_lang, depth + 1)
            if found is not None:
                return found
    return None


def _as_mapping(value: Any) -> Mapping[str, Any]:
    """Texts by language of a nested value; {} of anything else."""
    pairs: Iterable[tuple[Any, Any]]
    if isinstance(value, Mapping):
        codes = next((value[k] for k in _LANGUAGE_KEYS if isinstance(value.get(k), list)), None)
        texts = next((value[k] for k in _TEXT_KEYS if isinstance(value.get(k), list)), None)
        if codes is None or texts is None:
            return value
        pairs = zip(codes, texts, strict=False)
    elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
        pairs = (
            (
                next((v[k] for k in _LANGUAGE_KEYS if k in v), None),
                next((v[k] for k in _TEXT_KEYS if k in v), None),
            )
            for v in value
        )
    elif isinstance(value, list) and value and all(isinstance(v, tuple) for v in value):
        pairs = value  # a map of parquet
    else:
        return {}
    texts_by_code: dict[str, Any] = {}
    for code, text in pairs:
        texts_by_code.setdefault(str(code), text)  # the first of several translations
    return texts_by_code


def _key_of(row: Mapping[str, Any], usual: str, language: str) -> str:
    """Key of a language in a record, which may differ from that of the others."""
    if usual in row:
        return usual
    names = list(row)
    at = column_of(names, language)
    return usual if at is None else names[at]


def _text(label: str, place: str, row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None or value != value:
        return ""
    if not isinstance(value, str):
        raise ValueError(
            f"{label}, {place}: the value of {key!r} is {shorten(repr(value))}, not text. "
            + (
                "Write one record for each sentence."
                if isinstance(value, list)
                else "Put it in double quotes."
            )
        )
    return value
