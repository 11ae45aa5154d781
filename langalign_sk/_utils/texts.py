"""The one check of cells of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from .normalization import is_blank
from .validation import shorten

__all__ = ["check_texts", "is_missing", "named_rows"]


_N_NAMED = 5  # rows that a message names
_MAY_BE_NAN = (
    float,
    np.floating,
    np.datetime64,
    np.timedelta64,
    Decimal,
)  # NaN differs from itself


def check_texts(
    rows: Iterable[Any],
    what: str = "X",
    *,
    may_be_empty: bool = False,
    missing: str | None = None,
    first: int = 0,
) -> list[str]:
    """Cells of text as a list of str.

    Parameters
    ----------
    rows : iterable
        The cells.
    what : str, default="X"
        Name of the rows in messages, such as "X" or "X column 'en',".
    may_be_empty : bool, default=False
        Whether a text may be empty or blank.
    missing : {"error", "empty"}, default=None
        What a missing cell is: an error, or the empty text. None is an error whose message names no
        such parameter.
    first : int, default=0
        Number of the first row, in messages.

    Returns
    -------
    list of str
        Plain str, also for cells of numpy.str_, which pickles large and prints oddly.

    Raises
    ------
    ValueError
        If cells are missing, or are empty and may not be. The message names their number and the
        first of them.
    TypeError
        If a cell is bytes or another object.
    """
    texts: list[str] = []
    absent: list[int] = []
    blank: list[int] = []
    sample: Any = None
    for row, cell in enumerate(rows, start=first):
        if isinstance(cell, str):
            if not may_be_empty and is_blank(cell):
                blank.append(row)
            texts.append(str(cell))
        elif is_missing(cell):
            sample = sample if absent else cell
            absent.append(row)
            texts.append("")
        else:
            raise _not_a_text(cell, f"{what} row {row}", may_be_empty)
    if absent and missing != "empty":
        raise _missing_error(what, absent, sample, len(texts), may_be_empty, missing)
    if not may_be_empty and (blank or absent):
        where = named_rows(sorted([*blank, *absent]), len(texts))
        is_empty = "is an empty string" if len(blank) + len(absent) == 1 else "are empty strings"
        raise ValueError(
            f"{what} {where} {is_empty}. Take such rows out, or out of pairs by "
            "ParallelCorpus(...).clean()."
        )
    return texts


def named_rows(rows: Sequence[int], of: int | None = None) -> str:
    """Rows in words, for a message: the first five, and how many there are.

    Parameters
    ----------
    rows : sequence of int
        Their numbers, in ascending order.
    of : int, default=None
        Number of all rows.

    Returns
    -------
    str
        Such as "row 3" or "rows 3, 5, 8 (3 of 20 rows)".

    Examples
    --------
    >>> from langalign_sk._utils.texts import named_rows
    >>> named_rows([3]), named_rows(range(7), of=20)
    ('row 3', 'rows 0, 1, 2, 3, 4 and others (7 of 20 rows)')
    """
    if len(rows) == 1:
        return f"row {rows[0]}"
    others = " and others" if len(rows) > _N_NAMED else ""
    count = "" if of is None else f" ({len(rows):,} of {of:,} rows)"
    return f"rows {', '.join(map(str, rows[:_N_NAMED]))}{others}{count}"


def _missing_error(
    what: str, rows: list[int], sample: Any, n: int, may_be_empty: bool, missing: str | None
) -> ValueError:
    if missing == "error":
        remedy = ', or pass missing="empty" to read them as empty texts'
    else:
        remedy = ", or fill them with ''" if may_be_empty else ""
    where = named_rows(rows, n)
    found = (
        f"is missing ({sample!r})" if len(rows) == 1 else f"are missing, the first is {sample!r}"
    )
    return ValueError(f"{what} {where} {found}. Take such rows out{remedy}.")


def _not_a_text(cell: Any, where: str, may_be_empty: bool) -> TypeError:
    if isinstance(cell, bytes):
        return TypeError(f'{where} is bytes; decode it first, such as cell.decode("utf-8").')
    embeddings = "" if may_be_empty else "; embeddings go in as a 2-d float array"
    return TypeError(
        f"{where} is {type(cell).__name__}, not text: {shorten(repr(cell))}. Convert it to "
        f"str{embeddings}."
    )


def is_missing(value: Any) -> bool:
    """Whether a cell is None, NaN, NaT or the NA of pandas, told without importing pandas."""
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, _MAY_BE_NAN) and bool(value != value))
    )
