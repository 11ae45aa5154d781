"""Containers of text: which objects hold a column of text, and its cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .texts import check_texts, is_missing

__all__ = ["check_text_column", "text_cells"]


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
    return next((cell for cell in cells if not is_missing(cell)), None)


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
