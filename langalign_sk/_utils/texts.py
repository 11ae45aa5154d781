"""The one check of cells of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .validation import shorten

__all__ = ["check_text_column", "check_texts", "text_cells"]


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
    if _is_missing(cell):
        filled = ", or fill them with ''" if may_be_empty else ""
        return ValueError(f"{where} is missing ({cell!r}). Take such rows out{filled}.")
    embeddings = "" if may_be_empty else "; embeddings go in as a 2-d float array"
    return TypeError(
        f"{where} is {type(cell).__name__}, not text: {shorten(repr(cell))}. Convert it to "
        f"str{embeddings}."
    )


def _is_missing(value: Any) -> bool:
    """Whether a cell is None, NaN, or the NA or NaT of pandas, told without importing pandas."""
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, float | np.floating) and bool(np.isnan(value)))
    )


def text_cells(X: Any) -> NDArray | None:
    """Text as an object array of one or two dimensions; None if X does not hold text.

    Raises
    ------
    ValueError
        If X is a list of rows of text that differ in length.
    """
    if hasattr(X, "to_numpy") and not hasattr(X, "columns"):  # a pandas or polars Series
        X = np.asarray(X.to_list() if hasattr(X, "to_list") else X, dtype=object)
    if isinstance(X, np.ndarray):
        return _cells_of_array(X)
    return _cells_of_rows(X) if isinstance(X, list | tuple) else None


def _cells_of_array(X: NDArray) -> NDArray | None:
    if X.ndim not in (1, 2):
        return None
    if X.dtype.kind in "US":
        return X.astype(object)
    return X if X.dtype.kind == "O" and _is_text(_first_present(X.ravel())) else None


def _cells_of_rows(X: Sequence[Any]) -> NDArray | None:
    first = _first_present(X)
    if _is_text(first):
        cells = np.empty(len(X), dtype=object)
        cells[:] = list(X)
        return cells
    if not isinstance(first, list | tuple | np.ndarray) or not any(map(_is_text, first)):
        return None
    if len({len(row) for row in X if isinstance(row, Sequence | np.ndarray)}) != 1:
        raise ValueError(
            "X is a list of rows of different lengths. Pairs are rows (target, English)."
        )
    return np.array([list(row) for row in X], dtype=object)


def _first_present(cells: Iterable[Any]) -> Any:
    return next((cell for cell in cells if not _is_missing(cell)), None)


def _is_text(cell: Any) -> bool:
    return isinstance(cell, str | bytes)


def check_text_column(X: Any) -> list[str]:
    """One column of text, in any container, as a list of str.

    Raises
    ------
    ValueError
        If X is a single text, has no row or more than one column, or a cell is missing or empty.
    TypeError
        If a cell is not a str.
    """
    if isinstance(X, str | bytes):
        raise ValueError(f"X is one {type(X).__name__}: pass a sequence of texts, such as [text].")
    values = X[X.columns[0]] if hasattr(X, "columns") and len(X.columns) == 1 else X
    if isinstance(values, list | tuple):
        # Not by np.array, which would turn numbers among the texts into text.
        rows = [v if isinstance(v, list | tuple | np.ndarray) else [v] for v in values]
        cells = [cell for row in rows for cell in row]
        one_column = all(len(row) == 1 for row in rows)
    else:
        array = np.asarray(values, dtype=object)
        cells = array.ravel().tolist()
        one_column = array.ndim == 1 or array.shape[1:] == (1,)
    if not one_column or not cells:
        raise ValueError(
            "X must be one column of text: a list, array, Series or one-column frame of str, with at "
            "least one row."
        )
    return check_texts(cells)
