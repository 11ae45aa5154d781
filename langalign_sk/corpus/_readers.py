"""Readers of translation pairs, from sequences in memory and from files.

Readers of files return the target and the English sentences. They do not use pandas, which would
turn the sentences "NA" and "1" into a missing value and a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._utils.containers import Table, cells_of, check_column_names, opened
from .._utils.texts import check_texts
from .._utils.validation import check_choice, shorten, warn_user
from ..languages import script_of, scripts_of_language
from ._columns import (
    MissingLanguageError,
    Sides,
    check_language,
    column_of,
    names_of_text,
    need_sides,
)
from ._files import JSON, SUFFIXES, TABLES, open_file, read_lines
from ._records import read_json, read_parquet
from ._tables import check_columns, read_table
from ._tmx import read_tmx

__all__ = [
    "MissingLanguageError",
    "Sides",
    "as_texts",
    "check_language",
    "column_of",
    "names_of_text",
    "read_lines",
    "read_pairs",
    "sides_of_frame",
]


_JUDGED = 200  # pairs whose scripts are looked at


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
    check_column_names(table.names, "frame")
    names = names_of_text(table.names, table.columns)
    target, source = need_sides(names, target_lang, "frame")
    check_column_names(table.names, "frame", [table.names[target], table.names[source]])
    return table.columns[target], table.columns[source]


def read_pairs(
    path: Any,
    target_lang: str,
    *,
    columns: Any = None,
    header: Any = "auto",
    delimiter: str | None = None,
    encoding: str = "utf-8",
) -> tuple[Sides, str]:
    """Pairs of a file, in the format of its suffix, and the stem of its name."""
    check_language(target_lang)
    check_columns(columns)
    check_choice("header", header, ("auto", True, False))
    if delimiter is not None and (not isinstance(delimiter, str) or delimiter in ("", "\n", "\r")):
        raise ValueError(f'delimiter must be a str such as ";" or "\\t", got {delimiter!r}.')
    file = open_file(path)
    if file.suffix not in (*SUFFIXES, ".parquet"):
        raise ValueError(
            f"{file.label} has no known suffix. Known suffixes are {', '.join(SUFFIXES)} (each also "
            f"with .gz, .bz2, .xz or .zip after it) and .parquet. {_other_format(file.suffix)}"
        )
    if file.suffix not in TABLES:
        _check_not_table(file.suffix, columns, header, delimiter)
    if file.suffix == ".parquet":
        target, source = read_parquet(file, target_lang, columns)
    elif file.suffix == ".tmx":
        target, source = read_tmx(file, target_lang)
    elif file.suffix in JSON:
        target, source = read_json(file, target_lang, columns, encoding)
    else:
        target, source = read_table(
            file,
            target_lang,
            columns=columns,
            header=header,
            delimiter=delimiter,
            encoding=encoding,
        )
    if not target:
        raise ValueError(f"{file.label} holds no pairs.")
    if columns is None:
        _warn_of_scripts(file.label, target, source, target_lang)
    return (target, source), file.stem


def _warn_of_scripts(label: str, target: Any, source: Any, target_lang: str) -> None:
    """Warn of sentences under the name of a language in whose script none is."""
    scripts = scripts_of_language(target_lang)
    step = max(1, len(target) // _JUDGED)
    pairs = [
        (ours, theirs)
        for ours, theirs in zip(target[::step], source[::step], strict=True)
        if isinstance(ours, str) and any(map(str.isalpha, ours)) and isinstance(theirs, str)
    ]
    if not scripts or len(pairs) < 3 or any(script_of(ours) in scripts for ours, _ in pairs):
        return
    swapped = sum(script_of(theirs) in scripts for _, theirs in pairs)
    reason = "they are romanized, or the encoding is another one"
    remedy = 'Pass encoding=, such as "cp949", for the latter.'
    if 2 * swapped > len(pairs):
        reason, remedy = (
            "the columns are swapped",
            "Columns that are named wrongly have to be renamed.",
        )
        if any(suffix in label.lower() for suffix in TABLES):
            remedy = "Pass columns= with the names in their true order, and header=True."
    warn_user(
        f"{label}: no sentence of {target_lang!r} is in its script, the first one is "
        f"{shorten(pairs[0][0])!r}. Check whether {reason}. {remedy}"
    )


def _check_not_table(suffix: str, columns: Any, header: Any, delimiter: str | None) -> None:
    tables = ", ".join(TABLES)
    mapped = isinstance(columns, Mapping) and all(isinstance(key, str) for key in columns)
    if columns is not None and not (mapped and suffix != ".tmx"):
        remedy = "" if suffix == ".tmx" else ' Pass a mapping to rename them: {"korean": "ko"}.'
        raise ValueError(f"columns= is for {tables}; {suffix} names its own columns.{remedy}")
    for name, value, default in (("header", header, "auto"), ("delimiter", delimiter, None)):
        if value != default:
            raise ValueError(f"{name}= is for {tables}, got {value!r} for {suffix}. Leave it out.")


def _other_format(suffix: str) -> str:
    """What to do with a file of a format that is not read."""
    if suffix in (".xlf", ".xliff", ".sdlxliff", ".mqxliff", ".mxliff", ".po", ".sdltm", ".ttx"):
        return "Translation tools export TMX, which is read."
    if suffix in (".feather", ".arrow"):
        return "Pass ParallelCorpus.from_frame(pyarrow.feather.read_table(path), target_lang)."
    if suffix in (".tgz", ".tar", ".gz", ".bz2", ".xz", ".rar", ".7z"):
        return "Unpack it and pass the file inside."
    if suffix in (".xlsx", ".xls", ".ods"):
        return (
            "Pass ParallelCorpus.from_frame(pandas.read_excel(path), target_lang), or save as .csv."
        )
    return "Two files with one sentence per line: read_moses."
