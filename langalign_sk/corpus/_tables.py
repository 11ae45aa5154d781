"""Reader of tables of pairs: .tsv, .txt and .csv."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from .._utils.validation import warn_user
from ..languages import script_of, scripts_of_language
from ..languages._names import GENERIC_CJK, GENERIC_WORDS, TWO_LETTER
from ..languages.codes import base_code, did_you_mean, named_language, same_spelling
from ._columns import (
    MissingLanguageError,
    Sides,
    check_named_once,
    column_of,
    find_sides,
    is_language,
    mapping_remedy,
    need_sides,
    target_names,
)
from ._files import PairFile, split_lines
from ._records import records_of_cells, sides_of_records

__all__ = ["check_columns", "read_table"]


_Rows = list[tuple[int, list[str]]]  # the line in which a row begins, and its cells

_DETECTION_ROWS = 200
_HEAD = 100_000  # characters that tell how cells are written
_CSV_DELIMITERS = ("\t", ",", ";", "|")  # a tab in every row is not part of the text
_DELIMITERS = ("\t", " ||| ", "|||", "|", ";", ",")
# Words of headers that name no language.
_WORDS = """
answer attribution author category comment count date domain example id idx index key label license
licence lines meaning meta no note notes num number pair question quality ref reference row score sid
source split subject tag topic type url
"""
_HEADER_WORDS = GENERIC_WORDS | set(_WORDS.split())
_HEADER_CJK = (
    *GENERIC_CJK,
    *("번호", "순번", "분류", "대분류", "소분류", "분야", "출처", "주제", "도메인"),
    *("番号", "編号", "编号", "編號", "序号", "備考", "备注", "出典", "来源", "分类", "分類"),
)
_ATTRIBUTION = re.compile(r"CC[- ]BY|CC0|tatoeba\.org|https?://", re.IGNORECASE)
_IDENTIFIER = re.compile(r"(?=.*\d)\S+")
_SENTENCE_END = re.compile(r"[.!?…。！？,;:]\s*$")
_LONGEST_LABEL = 30


def check_columns(columns: Any) -> None:
    """Raise unless `columns` is None, a sequence of names or a mapping from columns to codes."""
    if columns is None:
        return
    if isinstance(columns, Mapping):
        kinds = {type(key) for key in columns}
        if kinds not in ({str}, {int}):
            raise TypeError(
                'The keys of columns must be names, such as {"한국어": "ko"}, or positions from 0, '
                f"got {list(columns)}."
            )
        if not all(isinstance(code, str) for code in columns.values()):
            raise TypeError(f"The values of columns must be codes of languages, got {columns}.")
    elif isinstance(columns, str) or not hasattr(columns, "__len__"):
        raise TypeError(
            f'columns must be a sequence of names such as ("en", "ko"), got {columns!r}.'
        )


def read_table(
    file: PairFile,
    target_lang: str,
    *,
    columns: Any,
    header: Any,
    delimiter: str | None,
    encoding: str,
) -> Sides:
    """Read the pairs of a table.

    Parameters
    ----------
    file : PairFile
        The table.
    target_lang : str
        Code of the target language.
    columns, header, delimiter, encoding
        As in `ParallelCorpus.read`.

    Returns
    -------
    tuple of list of str
        Target and English cells.
    """
    text = file.text(encoding, target_lang)
    quoted = file.suffix == ".csv"
    _check_not_records(file.label, text)
    if line := re.match(r'"?sep=(.)"?\r?(\n|$)', text, re.IGNORECASE):  # how Excel names it
        text, delimiter = text[line.end() :], delimiter or line[1]
        first_line = 2
    else:
        first_line = 1
    if delimiter is None:
        delimiter = _sniffed(text, quoted, target_lang)
    quoted = quoted or _has_quoted_header(text, delimiter, target_lang)
    rows = list(_rows(file.label, text, quoted, delimiter, first_line))
    if not rows:
        return [], []
    if columns is None and (records := records_of_cells([cells for _, cells in rows])):
        return sides_of_records(file.label, records, target_lang)
    rows = _without_empty_columns(rows, 2 if columns is None else len(columns))
    first = _names_of_first(rows)
    names, has_header = _names(file.label, first, rows, target_lang, columns, header)
    if has_header:
        head = rows[0][1]
        # Files that were joined have the header inside, too.
        rows = [row for row in rows[1:] if row[1] != head or find_sides(head, target_lang) is None]
        rows = _without_second_header(file.label, rows, names, target_lang)
    _check_widths(file.label, rows, len(names or first), columns, target_lang)
    sides = None if names is None else find_sides(names, target_lang)
    if sides is None:
        sides = _sides_by_content(file.label, first, rows, target_lang, has_header)
    if not has_header and header == "auto":
        _check_first_row(file.label, rows, sides, target_lang)
    return [cells[sides[0]] for _, cells in rows], [cells[sides[1]] for _, cells in rows]


def _rows(
    label: str, text: str, quoted: bool, delimiter: str, first_line: int
) -> Iterator[tuple[int, list[str]]]:
    if quoted and len(delimiter) == 1:
        rows = _csv_rows(label, text, delimiter)
    else:
        rows = ((n, line.split(delimiter)) for n, line in enumerate(split_lines(text), start=1))
    for line, cells in rows:
        # DOS ends a file with \x1a.
        if len(cells) > 1 or cells[0].strip().strip("\x1a\ufeff"):
            yield line + first_line - 1, cells


def _csv_rows(label: str, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    # Strict, since a quote that is never closed would otherwise swallow the rest of the file.
    reader = csv.reader(
        io.StringIO(text, newline=""),
        strict=True,
        delimiter=delimiter,
        skipinitialspace=_has_blanks_before_quotes(text, delimiter),
    )
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{label}, row that begins in line {line}: {error}. A quote inside a quoted cell "
            'stands there twice, as in "say ""yes""".'
        ) from error


def _has_blanks_before_quotes(text: str, delimiter: str) -> bool:
    """Whether blanks stand after all delimiters, also before the quotes of a cell."""
    lines = [line for line in text[:_HEAD].splitlines()[:_DETECTION_ROWS] if line.strip()]
    rows = [line.split(delimiter)[1:] for line in lines]
    if not delimiter.strip() or not all(rows) or not all(row[0].startswith(" ") for row in rows):
        return False
    return any(cell.lstrip().startswith('"') for row in rows for cell in row)


def _has_quoted_header(text: str, delimiter: str, target_lang: str) -> bool:
    """Whether the first line names both languages in quotes, which no text would be in."""
    first = next((line for line in text[:_HEAD].splitlines() if line.strip()), "")
    cells = [cell.strip() for cell in first.split(delimiter)]
    if len(delimiter) != 1 or not all(re.fullmatch('"[^"]+"', cell) for cell in cells):
        return False
    if find_sides(cells, target_lang) is None:
        return False
    try:
        return bool(list(_csv_rows("", text, delimiter)))
    except ValueError:
        return False  # quotes are text in other rows


def _check_not_records(label: str, text: str) -> None:
    """Raise ValueError for JSON lines in a file that is named as a table."""
    first = text.lstrip()[:_HEAD].partition("\n")[0]
    if first.startswith("{") and isinstance(_json_of(first), dict):
        raise ValueError(f"{label} holds JSON: add .jsonl to its name.")


def _json_of(line: str) -> Any:
    try:
        return json.loads(line, strict=False)
    except (ValueError, RecursionError):
        return None


def _sniffed(text: str, quoted: bool, target_lang: str) -> str:
    """Delimiter that yields a header, or the same number of cells in every row."""
    usual = "," if quoted else "\t"
    if not quoted and "\t" in text:
        return usual
    good = []
    for delimiter in _CSV_DELIMITERS if quoted else _DELIMITERS:
        try:
            rows = list(itertools.islice(_rows("", text, quoted, delimiter, 1), _DETECTION_ROWS))
        except ValueError:
            continue
        if rows and find_sides(rows[0][1], target_lang) is not None:
            return delimiter
        # A mark with a blank after it is punctuation.
        widths = {len(cells) for _, cells in rows}
        marks = all(cell.startswith(" ") for _, cells in rows for cell in cells[1:])
        if len(widths) == 1 and widths != {1} and not (marks and delimiter in ",;"):
            good.append(delimiter)
    return good[0] if good else usual


def _without_empty_columns(rows: _Rows, least: int) -> _Rows:
    """Rows without the last columns that are blank in all of them."""
    used = least
    for _, cells in rows:
        width = len(cells)
        while width > used and not cells[width - 1].strip():
            width -= 1
        used = max(used, width)
    return [(line, cells[:used]) for line, cells in rows]


def _names_of_first(rows: _Rows) -> list[str]:
    """Cells of the first row, of which those above numbers or codes do not name a language."""
    names = list(rows[0][1])
    for at, name in enumerate(names):
        number = same_spelling(name).strip(".#") in ("id", "no")
        if not number and same_spelling(name) not in TWO_LETTER:
            continue
        below = [cells[at] for _, cells in rows[1:] if at < len(cells)]
        if number and below and all(_IDENTIFIER.fullmatch(cell.strip()) for cell in below):
            names[at] = ""
        if len(names) > 2 and (_are_codes(below) or {*below} == {name}):
            names[at] = ""
    return names


def _are_codes(cells: list[str]) -> bool:
    """Whether most cells are codes of languages, as in exports of Tatoeba."""
    codes = sum(c == same_spelling(c) and c in TWO_LETTER for c in cells)
    return len(cells) > 1 and 2 * codes > len(cells)


def _without_second_header(
    label: str, rows: _Rows, names: list[str] | None, target_lang: str
) -> _Rows:
    """Rows without a rule (Markdown) or another header below the header."""
    if rows and all(re.fullmatch(r"\s*(:?-{2,}:?)?\s*", cell) for cell in rows[0][1]):
        rows = rows[1:]
    sides = None if names is None else find_sides(names, target_lang)
    if len(rows) < 2 or sides is None or find_sides(rows[0][1], target_lang) != sides:
        return rows
    warn_user(
        f"{label}, line {rows[0][0]}: {rows[0][1]} is a second header, and is left out. Pass "
        "header=False with columns= if it is a pair, and remove the first line."
    )
    return rows[1:]


def _names(
    label: str, first: list[str], rows: _Rows, target_lang: str, columns: Any, header: Any
) -> tuple[list[str] | None, bool]:
    """Names of the columns, or None if no one says them, and whether the first row is a header."""
    named = find_sides(first, target_lang)
    if isinstance(columns, Mapping) and isinstance(next(iter(columns), None), str):
        return _renamed(label, first, columns, target_lang, header), True
    if columns is not None:
        names = _listed(label, first, columns, target_lang)
        if header != "auto":
            return names, bool(header)
        if named is not None and find_sides(names, target_lang) != named:
            raise ValueError(
                f"{label} has the header {first}, which columns={columns!r} contradicts. Leave "
                "columns out."
            )
        return names, named is not None or _is_header(label, first, target_lang)
    if header is False:
        return None, False
    if named is not None:
        check_named_once(first, named, label)
        return first, True
    if header == "auto" and _names_others(first):
        raise MissingLanguageError(
            f"{label} has the columns {first}; needed are 'en' and {target_names(target_lang)}. "
            f"Ask for a language that it has.{did_you_mean(target_lang)}"
        )
    return None, header is True or _is_header(label, first, target_lang)


def _renamed(
    label: str, first: list[str], columns: Mapping[str, str], target_lang: str, header: Any
) -> list[str]:
    """Names of a header, of which some are renamed."""
    if header is False:
        raise ValueError(
            f"columns={dict(columns)} names columns of a header, and header=False says that there is "
            f"none. Pass positions, such as columns={{0: 'en', 1: {target_lang!r}}}."
        )
    codes = {_folded(name): code for name, code in columns.items()}
    folded = [_folded(name) for name in first]
    missing = [name for name in columns if _folded(name) not in folded]
    if missing:
        remedy = mapping_remedy(first, target_lang) or "Name columns of that row."
        raise ValueError(
            f"{label} has no column {missing[0]!r}: its first row is {first}. {remedy}"
        )
    # Other columns keep their names, except for those of the languages that are given.
    given = list(codes.values())
    names = [
        codes.get(key, "" if any(column_of([name], code) == 0 for code in given) else name)
        for key, name in zip(folded, first, strict=True)
    ]
    need_sides(names, target_lang, "columns=", "Name the columns of both languages.")
    return names


def _listed(label: str, first: list[str], columns: Any, target_lang: str) -> list[str]:
    """Names in the order of the file, of a sequence or of a mapping from positions."""
    if not isinstance(columns, Mapping):
        names = list(columns)
    else:
        if not all(0 <= at < len(first) for at in columns):
            raise ValueError(f"columns={columns}: {label} has the positions 0 to {len(first) - 1}.")
        names = [columns.get(at, "") for at in range(len(first))]
    need_sides(names, target_lang, "columns=", "Name both languages.")
    return names


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _names_others(first: list[str]) -> bool:
    """Whether a row is a header of English and languages other than the target language."""
    if column_of(first, "en") is None:
        return False
    rest = [name for name in first if column_of([name], "en") is None]
    return any(map(is_language, rest))


def _is_header(label: str, first: list[str], target_lang: str) -> bool:
    """Whether the first row consists of words of headers and languages; a warning says so."""
    named = [cell for cell in first if cell.strip()]
    generic = [_is_generic(cell) for cell in named]
    languages = [_is_named(cell, target_lang) for cell in named]
    numbered = len(named) > 1 and named == [str(at) for at in range(len(named))]  # by pandas
    if numbered:
        generic = [True] * len(named)
    different = len({_folded(cell) for cell in named}) > 1
    if not different or not any(generic) or not all(map(max, generic, languages)):
        return False
    if len(named) == 2 and not any(languages) and named[0].isascii() != named[1].isascii():
        return False  # a word and its translation
    warn_user(
        f"{label}: the first row, {first}, is taken for a header. Pass header=False if it is a pair, "
        "or header=True to confirm it."
    )
    return True


def _is_generic(cell: str) -> bool:
    """Whether a cell consists of words of headers that name no language."""
    if not any(map(str.isalpha, cell)):
        return False
    for word in _HEADER_CJK:
        cell = cell.replace(word, " ")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_\d]+", " ", cell).casefold().split()
    return all(word in _HEADER_WORDS for word in words)


def _is_named(cell: str, target_lang: str) -> bool:
    found = named_language(cell)
    return found is not None and (
        found[1] > 0 or column_of([cell], "en") == 0 or column_of([cell], target_lang) == 0
    )


def _check_widths(label: str, rows: _Rows, due: int, columns: Any, target_lang: str) -> None:
    wrong = next(((line, len(c)) for line, c in rows if len(c) != due), None)
    if wrong is None:
        return
    line, width = wrong
    if columns is None and len(rows[0][1]) == due == 1 and len({len(c) for _, c in rows[1:]}) == 1:
        line, width, due = rows[0][0], 1, width  # a title above the table
    remedy = "Repair or remove the line."
    if columns is not None and len(rows) > 1 and all(len(c) == width for _, c in rows):
        remedy = f"Name all columns of the file in columns=, such as {_remedy(rows, target_lang)}."
    raise ValueError(
        f"{label}, line {line}: {width} cell{'s' * (width != 1)} where {due} are expected. {remedy}"
    )


def _sides_by_content(
    label: str, first: list[str], rows: _Rows, target_lang: str, has_header: bool
) -> tuple[int, int]:
    """Positions of the target and the English column by their scripts."""
    width = len(first)
    if width < 2:
        raise ValueError(
            f"{label} has 1 column and no header with 'en' and {target_names(target_lang)}. If "
            'another character separates the columns, pass delimiter=, such as delimiter=";"; if the '
            "cells are in quotes and have commas between them, name it .csv."
        )
    scripts = scripts_of_language(target_lang)
    if has_header and (named := _one_side_named(first, rows, target_lang)):
        return named
    attributed = [at for at in range(width) if _share(rows, at, _ATTRIBUTION.search) > 0.5]
    if not scripts and width == 3 and attributed == [2]:
        return 1, 0  # ManyThings: English, the other language, attribution
    foreign = [
        at for at in range(width) if _share(rows, at, lambda c: script_of(c) in scripts) > 0.5
    ]
    english = [at for at in range(width) if at not in foreign]
    if width > 2:
        english = [at for at in english if at not in attributed and _is_prose(rows, at)]
    if len(foreign) == len(english) == 1:
        return foreign[0], english[0]
    if not scripts:
        reason = f"{target_lang!r} cannot be told apart from English by its script"
    elif len(foreign) != 1:
        count = "neither" if width == 2 and not foreign else "none"
        several = "both" if width == 2 else str(len(foreign))
        reason = (
            f"{several if foreign else count} of its columns are in the script of {target_lang!r}"
        )
    else:
        reason = f"{len(english) or 'none'} of its {width} columns may be English"
    codes = next((at for at in range(width) if width > 2 and _are_codes(_cells(rows, at))), None)
    if codes is not None and not english:
        raise ValueError(
            f"{label} has the language of each row in column {codes + 1}, and one sentence in a row: "
            "pairs need both sentences in one row. Tatoeba offers sentence pairs as a download of "
            "their own."
        )
    remedy = f"Pass {_remedy(rows, target_lang)}, in the order of the file."
    if has_header:
        remedy = mapping_remedy(first, target_lang, [*english, *foreign])
    kind = MissingLanguageError if scripts and not foreign else ValueError
    raise kind(
        f"{label} has {'a header without languages' if has_header else 'no header'} and {reason}, so "
        f"which column is English is not known. {remedy}{did_you_mean(target_lang)}"
    )


def _one_side_named(first: list[str], rows: _Rows, target_lang: str) -> tuple[int, int] | None:
    """Positions where the header names one language and only one column is left for the other."""
    target, english = column_of(first, target_lang), column_of(first, "en")
    if (target is None) == (english is None):
        return None
    left = [
        at
        for at in range(len(first))
        if at not in (target, english)
        and _is_prose(rows, at)
        and _share(rows, at, _ATTRIBUTION.search) <= 0.5
    ]
    if len(left) != 1:
        return None
    return (left[0], english) if english is not None else (target or 0, left[0])


def _cells(rows: _Rows, at: int) -> list[str]:
    return [cells[at] for _, cells in rows[:_DETECTION_ROWS] if cells[at].strip()]


def _share(rows: _Rows, at: int, holds: Any) -> float:
    cells = _cells(rows, at)
    return sum(bool(holds(cell)) for cell in cells) / max(len(cells), 1)


def _is_prose(rows: _Rows, at: int) -> bool:
    """Whether the cells of a column may be sentences: neither numbers, identifiers nor labels."""
    cells = [cell.strip() for cell in _cells(rows, at)]
    worded = [c for c in cells if any(map(str.isalpha, c)) and not _IDENTIFIER.fullmatch(c)]
    few = _are_codes(cells) or (len(cells) >= 4 and 2 * len(set(cells)) <= len(cells))
    return bool(cells) and 2 * len(worded) > len(cells) and not few


def _check_first_row(label: str, rows: _Rows, sides: tuple[int, int], target_lang: str) -> None:
    """Raise ValueError for a first row that looks like a header that was not understood."""
    scripts = scripts_of_language(target_lang)
    target, english = (rows[0][1][side].strip() for side in sides)
    for cell in (target, english):
        if (
            not 0 < len(cell) <= _LONGEST_LABEL
            or len(cell.split()) > 3
            or _SENTENCE_END.search(cell)
        ):
            return
    # "English" and a word that does not mean English, or the same of the target language.
    names_one = any(
        _is_name_of(cell, language) and not _is_name_of(other, language)
        for cell, other, language in ((english, target, "en"), (target, english, target_lang))
    )
    if names_one and len(rows) > 1:
        raise _unclear_header(label, rows[0][1])
    if not scripts and _are_labels(target, english, rows, sides):
        warn_user(
            f"{label}: the first row, {rows[0][1]}, may be a header, and is read as a pair. Pass "
            "header=True if it is a header, or header=False to confirm that it is a pair."
        )
    if not scripts or len(rows) < 3:
        return
    ours, theirs = script_of(target) in scripts, script_of(english) == "Latin"
    same = _folded(target) == _folded(english)
    if (ours and theirs) or same or not any(map(str.isalpha, target + english)):
        return
    side, script = (sides[1], ("Latin",)) if ours else (sides[0], scripts)
    if _share(rows[1:], side, lambda cell: script_of(cell) in script) < 0.95:
        return
    raise _unclear_header(label, rows[0][1])


def _are_labels(target: str, english: str, rows: _Rows, sides: tuple[int, int]) -> bool:
    """Whether two cells are single words above sentences."""
    if not (target.isidentifier() and english.isidentifier()) or _folded(target) == _folded(
        english
    ):
        return False
    below = rows[1 : 1 + _DETECTION_ROWS]
    sentences = sum(all(len(cells[at].split()) > 1 for at in sides) for _, cells in below)
    return len(below) >= 3 and sentences >= 0.9 * len(below)


def _is_name_of(cell: str, language: str) -> bool:
    """Whether a cell names a language, and not by a code that is a word of many languages."""
    found = named_language(cell)
    if found is None or found[0].language != base_code(language):
        return False
    return found[1] > 0 or len(cell) > 3 or language == "en"


def _unclear_header(label: str, first: list[str]) -> ValueError:
    return ValueError(
        f"{label}: the first row, {first}, looks like a header whose names are not understood. Pass "
        "header=True if it is one, or header=False if it is a pair."
    )


def _remedy(rows: _Rows, target_lang: str) -> str:
    """`columns=` with one name per column, with the languages where they are by their script."""
    width = max(len(cells) for _, cells in rows)
    scripts = scripts_of_language(target_lang)
    rows = [row for row in rows if len(row[1]) == width]
    foreign = [
        at for at in range(width) if _share(rows, at, lambda c: script_of(c) in scripts) > 0.5
    ]
    names = [f"column_{at + 1}" for at in range(width)]
    prose = [at for at in range(width) if at not in foreign[:1] and _is_prose(rows, at)]
    if scripts:  # what is Latin is English, and a column of another script is not
        prose.sort(key=lambda at: -_share(rows, at, lambda c: script_of(c) == "Latin"))
    english = next((at for at in prose if at not in foreign), int(foreign == [0]))
    other = next(at for at in (*foreign, *prose, *range(width)) if at != english)
    names[english], names[other] = "en", target_lang
    return "columns=(" + ", ".join(f'"{name}"' for name in names) + ")"
