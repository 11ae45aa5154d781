"""The check of cells of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_texts"]


def check_texts(rows: Sequence[Any], what: str = "X") -> list[str]:
    """The rows as a list of str, or an error that names the first row that is none."""
    for i, row in enumerate(rows):
        if isinstance(row, str):
            if not row.strip():
                raise ValueError(
                    f"{what} row {i} is an empty string. Take such rows out, or out of pairs by "
                    "ParallelCorpus(...).clean()."
                )
        elif isinstance(row, bytes):
            raise TypeError(
                f'{what} row {i} is bytes; decode it first, such as row.decode("utf-8").'
            )
        elif _is_missing(row):
            raise ValueError(f"{what} row {i} is missing ({row!r}). Take such rows out.")
        else:
            raise TypeError(
                f"{what} row {i} is {type(row).__name__}, where text is due: {row!r}. Convert it to "
                "str; embeddings go in as a 2-d float array."
            )
    return [str(row) for row in rows]


def _is_missing(value: Any) -> bool:
    """None, NaN or pandas' NA, which refuses to be compared."""
    return (
        value is None
        or type(value).__name__ == "NAType"
        or (isinstance(value, float) and value != value)
    )


def _cells(X: Any) -> NDArray | None:
    """An object array of text cells, or None where X holds no text."""
    if isinstance(X, np.ndarray):
        if X.dtype.kind in "US":
            return X.astype(object) if X.ndim in (1, 2) else None
        if X.dtype.kind != "O" or X.ndim not in (1, 2):
            return None
        first = next((v for v in X.ravel() if not _is_missing(v)), None)
        return X if isinstance(first, str | bytes) else None
    if hasattr(X, "to_numpy") and not hasattr(X, "columns"):  # a pandas or polars Series
        return _cells(np.asarray(X.to_list() if hasattr(X, "to_list") else X, dtype=object))
    if not isinstance(X, list | tuple) or not X:
        return None
    first = next((row for row in X if not _is_missing(row)), None)
    if isinstance(first, str | bytes):
        out = np.empty(len(X), dtype=object)
        out[:] = list(X)
        return out
    widths = {len(row) for row in X if isinstance(row, Sequence | np.ndarray)}
    if isinstance(first, list | tuple | np.ndarray) and any(
        isinstance(cell, str | bytes) for cell in first
    ):
        if len(widths) != 1:
            raise ValueError(
                "X is a list of rows of different lengths. Pairs are rows (target, English)."
            )
        return np.array([list(row) for row in X], dtype=object)
    return None


def _column(X: Any) -> list[str]:
    if isinstance(X, str | bytes):
        raise ValueError(f"X is one {type(X).__name__}: pass a sequence of texts, such as [text].")
    values = X[X.columns[0]] if hasattr(X, "columns") and len(X.columns) == 1 else X
    if isinstance(values, list | tuple):
        # Not by np.array, which would turn numbers among the texts into text.
        cells = [v if isinstance(v, list | tuple | np.ndarray) else [v] for v in values]
        rows = [v for cell in cells for v in cell]
        one_column = all(len(cell) == 1 for cell in cells)
    else:
        array = np.asarray(values, dtype=object)
        rows = array.ravel().tolist()
        one_column = array.ndim == 1 or array.shape[1:] == (1,)
    if not one_column or not rows:
        raise ValueError(
            "X must be one column of text: a list, array, Series or one-column frame of str, with at "
            "least one row."
        )
    return check_texts(rows)
