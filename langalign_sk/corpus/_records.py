"""Readers of records of pairs: JSON and parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .._utils.optional import import_extra
from .._utils.validation import shorten
from ._columns import Sides, need_sides
from ._files import read_lines

__all__ = ["read_json_lines", "read_parquet"]


def read_json_lines(path: Path, target_lang: str, encoding: str) -> Sides:
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
    sides = need_sides(keys, target_lang, repr(str(path)))
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


def read_parquet(path: Path, target_lang: str) -> Sides:
    parquet = import_extra("pyarrow.parquet", "Reading .parquet needs pyarrow", "parquet")
    with path.open("rb") as file:
        try:
            table = parquet.ParquetFile(file)
        except ValueError as error:
            raise ValueError(f"{str(path)!r} is not a parquet file: {error}") from error
        names = table.schema_arrow.names
        wanted = [names[side] for side in need_sides(names, target_lang, repr(str(path)))]
        columns = table.read(columns=wanted)
    # NaN is the one value that differs from itself.
    target, source = (
        ["" if v is None or v != v else v for v in columns[name].to_pylist()] for name in wanted
    )
    return target, source
