"""Reader of tables of pairs: .tsv, .txt and .csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..languages import script_of, scripts_of_language
from ..languages.codes import same_spelling
from ._columns import MissingLanguageError, Sides, find_sides, need_sides, target_names
from ._files import read_lines, read_text, suffix_of

__all__ = ["read_table"]


_DETECTION_ROWS = 200


def read_table(path: Path, target_lang: str, columns: Sequence[str] | None, encoding: str) -> Sides:
    if isinstance(columns, str):
        raise TypeError(
            f'columns must be a sequence of names such as ("en", "ko"), got {columns!r}.'
        )
    comma = suffix_of(path) == ".csv"
    rows = list(_csv_rows(path, encoding) if comma else _tsv_rows(path, encoding))
    if not rows:
        return [], []
    first = rows[0][1]
    sides = find_sides(first, target_lang)
    if sides is not None:
        if columns is not None and [*map(same_spelling, columns)] != [*map(same_spelling, first)]:
            raise ValueError(
                f"{str(path)!r} has the header {first}, which columns={tuple(columns)} "
                "contradicts. Leave columns out."
            )
        del rows[0]
    elif columns is not None:
        first = list(columns)
        sides = need_sides(first, target_lang, "columns=")
    elif len(first) != 2:
        raise ValueError(
            f"{str(path)!r} has {len(first)} column{'s' * (len(first) != 1)} and no header with "
            f"'en' and {target_names(target_lang)}. Pass columns= with one name per column, "
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
    reader = csv.reader(io.StringIO(read_text(path, encoding), newline=""), strict=True)
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
