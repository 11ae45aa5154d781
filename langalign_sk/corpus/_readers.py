"""Readers of translation pairs, from sequences in memory and from files.

Readers of files return the target and the English sentences. They do not use pandas, which would
turn the sentences "NA" and "1" into a missing value and a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._utils.containers import Table, cells_of, check_column_names, opened
from .._utils.texts import check_texts
from ._columns import MissingLanguageError, Sides, check_language, column_of, need_sides
from ._files import JSON_LINES, SUFFIXES, TABLES, read_lines, stem_of, suffix_of
from ._records import read_json_lines, read_parquet
from ._tables import read_table
from ._tmx import read_tmx

__all__ = [
    "MissingLanguageError",
    "Sides",
    "as_texts",
    "check_language",
    "column_of",
    "read_lines",
    "read_pairs",
    "sides_of_frame",
    "stem_of",
]


def as_texts(values: Any, side: str) -> tuple[str, ...]:
    """Sentences of a sequence, checked; `side` is its name in messages."""
    if isinstance(values, str | bytes):
        raise TypeError(f"{side} is a single {type(values).__name__}: give a list of sentences.")
    if values is None:
        raise TypeError(f"{side} must be a sequence of sentences, got NoneType.")
    return tuple(check_texts(cells_of(values, side), f"{side},", may_be_empty=True))


def sides_of_frame(frame: Any, target_lang: str) -> tuple[Any, Any]:
    """Target and English column of a table, in any container."""
    check_language(target_lang)
    table = opened(frame, "frame")
    if not isinstance(table, Table):
        raise TypeError(
            "frame must be a table with named columns, such as a pandas or polars DataFrame or a list "
            f"of dicts, got {type(frame).__name__}."
        )
    target, source = need_sides(table.names, target_lang, "frame")
    check_column_names(table.names, "frame", [table.names[target], table.names[source]])
    return table.columns[target], table.columns[source]


def read_pairs(
    path: Path, target_lang: str, *, columns: Sequence[str] | None, encoding: str
) -> Sides:
    """Read a file of pairs, in the format of its suffix."""
    check_language(target_lang)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    suffix = suffix_of(path)
    if suffix not in (*SUFFIXES, ".parquet"):
        raise ValueError(
            f"{str(path)!r} has no known suffix. Known are {', '.join(SUFFIXES)} (each also with "
            ".gz after it) and .parquet. Two files with one sentence per line: read_moses."
        )
    if columns is not None and suffix not in TABLES:
        raise ValueError(f"columns= is for {', '.join(TABLES)}; {suffix} names its own columns.")
    if suffix == ".parquet":
        target, source = read_parquet(path, target_lang)
    elif suffix == ".tmx":
        target, source = read_tmx(path, target_lang)
    elif suffix in JSON_LINES:
        target, source = read_json_lines(path, target_lang, encoding)
    else:
        target, source = read_table(path, target_lang, columns, encoding)
    if not target:
        raise ValueError(f"{str(path)!r} holds no pairs.")
    return target, source
