"""The one check of cells of text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .validation import shorten

__all__ = ["check_texts", "is_missing"]


def check_texts(
    rows: Iterable[Any], what: str = "X", *, may_be_empty: bool = False, first: int = 0
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
    first : int, default=0
        Number of the first row, in messages.

    Returns
    -------
    list of str
        Plain str, also for cells of numpy.str_, which pickles large and prints oddly.

    Raises
    ------
    ValueError
        If a cell is missing, or is empty and may not be.
    TypeError
        If a cell is bytes or another object.
    """
    texts = []
    for row, cell in enumerate(rows, start=first):
        if not isinstance(cell, str):
            raise _not_a_text(cell, f"{what} row {row}", may_be_empty)
        if not may_be_empty and not cell.strip():
            raise ValueError(
                f"{what} row {row} is an empty string. Take such rows out, or out of pairs by "
                "ParallelCorpus(...).clean()."
            )
        texts.append(str(cell))
    return texts


def _not_a_text(cell: Any, where: str, may_be_empty: bool) -> ValueError | TypeError:
    if isinstance(cell, bytes):
        return TypeError(f'{where} is bytes; decode it first, such as cell.decode("utf-8").')
    if is_missing(cell):
        filled = ", or fill them with ''" if may_be_empty else ""
        return ValueError(f"{where} is missing ({cell!r}). Take such rows out{filled}.")
    embeddings = "" if may_be_empty else "; embeddings go in as a 2-d float array"
    return TypeError(
        f"{where} is {type(cell).__name__}, not text: {shorten(repr(cell))}. Convert it to "
        f"str{embeddings}."
    )


def is_missing(value: Any) -> bool:
    """Whether a cell is None, NaN, or the NA or NaT of pandas, told without importing pandas."""
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, float | np.floating) and bool(np.isnan(value)))
    )
