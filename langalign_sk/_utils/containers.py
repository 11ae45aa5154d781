"""Containers of text and of embeddings: which objects hold a column, and its cells."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .optional import import_extra
from .texts import check_texts, is_missing
from .validation import shorten

__all__ = [
    "Table",
    "cells_of",
    "check_column_names",
    "check_text_column",
    "embedding_rows",
    "iterate_texts",
    "label_column",
    "opened",
    "plain_values",
    "text_cells",
]


_NUMBERS = "biufc"  # kinds of dtypes
_NUMBER_TYPES = ("int", "uint", "float", "double", "half", "bool", "decimal")  # of columns
# Methods that tell a table which is computed when it is asked for; the first one does so. They are
# those of Spark, of polars and narwhals, of dask, of ibis and of DuckDB.
_LAZY = (
    ("toPandas",),
    ("collect",),
    ("compute", "__dask_graph__"),
    ("execute", "to_pandas"),
    ("df", "fetchall"),
)
_HOW_TO_PASS = "Pass a list of str, or embeddings as a 2-d float array."


@dataclass(frozen=True)
class Table:
    """Named columns of cells.

    Attributes
    ----------
    names : list
        Names of the columns, as they are in the container.
    columns : list of list
        Cells of the columns, all of one length.
    by_position : bool
        Whether a row is a tuple too, such as a namedtuple, whose fields have an order of their own.
    """

    names: list[Any]
    columns: list[list[Any]]
    by_position: bool = False

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0


def opened(X: Any, what: str = "X") -> Any:
    """Contents of a container, which can be read several times.

    Parameters
    ----------
    X : object
        What a user passed: a sequence, iterator, array, Series, frame, table of records, tensor, or
        anything else. An iterator is consumed.
    what : str, default="X"
        Its name in messages.

    Returns
    -------
    list, tuple, ndarray, Table or object
        Text is in a list, tuple or object array of one or two dimensions, or in a Table where its
        columns have names. Vectors of a column are a 2-d array. What holds numbers, or is of an
        unknown kind, is returned as it is. The result of `opened` stays as it is.

    Raises
    ------
    TypeError
        If X is lazy, a set, whose order is undefined, a dict of single texts, or cannot be iterated,
        such as a coroutine.
    ValueError
        If X holds vectors or columns of different lengths.

    Examples
    --------
    >>> from langalign_sk._utils.containers import opened
    >>> opened(word for word in ["a", "b"])
    ['a', 'b']
    >>> opened([{"en": "a", "id": 1}]).names
    ['en', 'id']
    """
    if X is None or isinstance(X, str | bytes | Table) or hasattr(X, "tocsr"):
        return X
    if type(X) is list or type(X) is tuple:
        return _opened_rows(X, what)
    _refuse_unread(X, what)
    if isinstance(X, Mapping):
        return _table_of_dict(X, what)
    X = _unwrapped(X)
    if _is_frame_of_numbers(X):
        return X
    frame = _columns_of_frame(X)
    if frame is not None:
        return _opened_frame(X, *frame, what)
    cells = _cells(X, what)
    return _opened_rows(cells, what) if isinstance(cells, list | tuple) else _opened_array(cells)


def text_cells(X: Any) -> NDArray | None:
    """Text as an object array of one or two dimensions; None if X does not hold text.

    A table of several columns has names, and is not one of these arrays.

    Raises
    ------
    ValueError
        If X is a list of rows of text that differ in length.
    """
    X = opened(X)
    if isinstance(X, Table):
        return _object_array(X.columns[0]) if len(X.columns) == 1 else None
    if isinstance(X, np.ndarray):
        return _cells_of_array(X)
    return _cells_of_rows(X) if isinstance(X, list | tuple) else None


def cells_of(X: Any, what: str = "X") -> list[Any]:
    """Cells of one column, which are not checked yet.

    Parameters
    ----------
    X : object
        A column in any container.
    what : str, default="X"
        Its name in messages.

    Returns
    -------
    list
        One cell per row.

    Raises
    ------
    ValueError
        If X is a single text, has more than one column, or is not a container.
    TypeError
        If X is lazy, or has no order.
    """
    if isinstance(X, str | bytes):
        raise ValueError(
            f"{what} is a single {type(X).__name__}: pass a sequence of texts, such as [text]."
        )
    X = opened(X, what)
    one_column = (
        f"{what} must be one column of text: a list, array, Series or one-column frame of str"
    )
    if isinstance(X, Table):
        if len(X.columns) != 1:
            raise ValueError(f"{one_column}. It has the columns {_quoted(X.names)}.")
        return X.columns[0]
    if not isinstance(X, list | tuple):
        array = np.asarray(X, dtype=object)
        if not array.ndim:
            raise ValueError(f"{one_column}, got {type(X).__name__}.")
        if array.ndim != 1 and array.shape[1:] != (1,):
            raise ValueError(f"{one_column}. Its shape is {array.shape}.")
        return array.ravel().tolist()
    if not X or not all(map(_has_cells, X)):
        return list(X)
    if any(len(row) != 1 for row in X):
        raise ValueError(f"{one_column}. It is a list of rows of several cells.")
    return [row[0] for row in X]


def check_column_names(names: Sequence[Any], what: str, needed: Iterable[Any] = ()) -> None:
    """Raise ValueError for names of several levels, and for names that stand there twice.

    Parameters
    ----------
    names : sequence
        Names of the columns.
    what : str
        The table in messages.
    needed : iterable, default=()
        Names of the columns that are read: no other name may differ from one of them in case,
        blanks and hyphens only.
    """
    if any(isinstance(name, tuple) for name in names):
        raise ValueError(
            f"{what} has columns of several levels, {_quoted(names)}. Keep one of them, such as "
            "X.droplevel(0, axis=1)."
        )
    spelled = [spelling_of(name) for name in names]
    read = {spelling_of(name) for name in needed}
    twice = [
        name
        for name, spelling in zip(names, spelled, strict=True)
        if list(names).count(name) > 1 or (spelling in read and spelled.count(spelling) > 1)
    ]
    if twice:
        raise ValueError(
            f"{what} has columns of the same name, {_quoted(dict.fromkeys(twice))}: its columns are "
            f"{_quoted(names)}. Rename or drop all but one of them."
        )


def spelling_of(name: Any) -> str:
    """Name of a column without differences in case, blanks and hyphens."""
    return str(name).strip().strip("\ufeff").replace("_", "-").casefold()


def check_text_column(X: Any, *, may_have_no_rows: bool = False) -> list[str]:
    """One column of text, in any container, as a list of str.

    Raises
    ------
    ValueError
        If X is a single text, has no row or more than one column, or a cell is missing.
    TypeError
        If a cell is not a str.
    """
    cells = cells_of(X)
    if not cells and not may_have_no_rows:
        raise ValueError("X has no rows: pass at least one text.")
    return check_texts(cells, may_be_empty=True)


def iterate_texts(texts: Any, what: str = "texts") -> Iterator[Any]:
    """Cells of one column, one after another, in constant memory where the container allows it.

    Parameters
    ----------
    texts : object
        A column of text in any container. What can be read only once is read as cells are asked
        for, and everything else is checked before.
    what : str, default="texts"
        Its name in messages.

    Returns
    -------
    iterator
        Of the cells.

    Raises
    ------
    ValueError, TypeError
        If a cell of a container in memory is missing, or is not a str.
    """
    if isinstance(texts, io.TextIOBase):
        return _lines(texts)
    if isinstance(texts, Iterator):
        return texts
    if isinstance(texts, Sequence) and not isinstance(texts, list | tuple):
        for row, cell in enumerate(texts):
            if not isinstance(cell, str):
                check_texts([cell], f"{what},", may_be_empty=True, first=row)
        return iter(texts)
    if hasattr(texts, "__len__") or not hasattr(texts, "__iter__") or hasattr(texts, "columns"):
        return iter(check_texts(cells_of(texts, what), f"{what},", may_be_empty=True))
    _refuse_unread(texts, what)
    return iter(texts)


def plain_values(values: Any) -> list[Any]:
    """Values of a sequence or one-column frame as objects of Python; tuples stay as they are."""
    values = _unwrapped(values)
    frame = None if isinstance(values, Mapping) else _columns_of_frame(values)
    if frame is not None and len(frame[1]) == 1:
        return plain_values(frame[1][0])
    if not hasattr(values, "__iter__") and hasattr(values, "__array__"):
        values = np.asarray(values)
    for method in ("to_pylist", "tolist", "to_list"):  # pyarrow, numpy and pandas, polars
        if hasattr(values, method):
            return list(getattr(values, method)())
    return list(values)


def embedding_rows(X: Any, what: str = "X", width: int | None = None) -> Any:
    """Embeddings as scikit-learn's checks take them; an error for text.

    Parameters
    ----------
    X : object
        Embeddings in any container.
    what : str, default="X"
        Its name in messages.
    width : int, default=None
        Width of the array that stands for a container without rows; None leaves it as it is.

    Raises
    ------
    ValueError
        If X holds text.
    """
    X = X if isinstance(X, str | bytes) else opened(X, what)
    cells = None if isinstance(X, str | bytes) else text_cells(X)
    if cells is not None and not len(cells):
        return X if width is None else np.empty((0, width), dtype=np.float32)
    if isinstance(X, str | bytes | Table) or cells is not None:
        raise ValueError(f"{what} holds text, and embeddings are needed: a 2-d float array.")
    return X


def label_column(y: Any) -> Any:
    """Labels as scikit-learn's checks take them; those of numpy and pandas stay as they are."""
    if isinstance(y, np.ndarray):
        return np.array(y.tolist()) if y.dtype.kind == "T" else y
    if y is None or hasattr(y, "iloc") or "categor" in _type_name(y):
        return y
    y = opened(y, "y")
    return y.columns[0] if isinstance(y, Table) and len(y.columns) == 1 else y


def _refuse_unread(X: Any, what: str) -> None:
    """Raise for what is not in memory, or has no order."""
    kind = type(X)
    if isinstance(X, Set) and not isinstance(X, KeysView | ItemsView | Sequence):
        raise TypeError(
            f"{what} is a {kind.__name__}, whose order is undefined, so that rows have no numbers: "
            "pass sorted(...) of it, or a list."
        )
    for methods in _LAZY:
        if all(hasattr(kind, name) for name in methods):
            raise TypeError(
                f"{what} is a {kind.__name__}, which is not computed yet: pass its result, "
                f".{methods[0]}()."
            )


def _unwrapped(X: Any) -> Any:
    """The frame or Series inside a wrapper, or built from an interface between libraries."""
    if hasattr(type(X), "to_native"):  # narwhals
        return X.to_native()
    if hasattr(X, "read_all") and hasattr(X, "schema"):  # RecordBatchReader
        return X.read_all()
    if any(hasattr(X, name) for name in ("columns", "column_names", "__len__", "__iter__")):
        return X
    if hasattr(X, "__arrow_c_stream__") or hasattr(X, "__arrow_c_array__"):
        return import_extra(
            "pyarrow", f"Reading {type(X).__name__} needs pyarrow", "parquet"
        ).table(X)
    if hasattr(X, "__dataframe__"):
        from pandas.api.interchange import from_dataframe

        return from_dataframe(X)
    return X


def _columns_of_frame(X: Any) -> tuple[list[Any], list[Any]] | None:
    """Names and columns of a frame, by position, as names may be there twice; None for others."""
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        return list(X.columns), [X.iloc[:, i] for i in range(len(X.columns))]
    if hasattr(X, "get_columns") and hasattr(X, "columns"):
        return list(X.columns), list(X.get_columns())
    fields = X.dtype.names if isinstance(X, np.ndarray) and X.ndim == 1 else None
    if fields:  # structured arrays; those of numbers stay as they are
        text = any(X.dtype[name].kind not in _NUMBERS for name in fields)
        return (list(fields), [X[name] for name in fields]) if text else None
    names = getattr(X, "column_names", None)
    if names is not None and hasattr(X, "column"):  # pyarrow
        return list(names), [X.column(i) for i in range(len(names))]
    if names is not None and hasattr(X, "__getitem__"):  # Hugging Face datasets
        plain = X.with_format(None) if hasattr(X, "with_format") else X
        return list(names), [plain[name] for name in names]
    if hasattr(X, "columns") and hasattr(X, "__getitem__") and not isinstance(X, np.ndarray):
        return list(X.columns), [X[name] for name in X.columns]
    return None


def _opened_frame(X: Any, names: list[Any], columns: list[Any], what: str) -> Any:
    """Table of a frame, vectors of its only column, or itself where it holds numbers."""
    if len(columns) == 1 and not len(columns[0]):
        return Table(names, [[]])
    if columns and all(map(_is_numeric, columns)):
        return X
    if len(columns) == 1:
        column = opened(columns[0], what)
        if isinstance(column, np.ndarray) and column.ndim == 2:
            return column
        if isinstance(column, Table):
            return column
    return _table(names, [list(_cells(column, what)) for column in columns], X)


def _is_frame_of_numbers(X: Any) -> bool:
    """Whether all columns of a frame are of numbers, told without a look at each of them."""
    if not hasattr(X, "columns"):
        return False
    schema: Any = getattr(X, "schema", None)
    types: Any = schema.types if hasattr(schema, "types") else getattr(X, "dtypes", ())
    empty = len(types) == 1 and not len(X)  # the dtype of a column without cells means nothing
    return bool(len(types)) and not empty and all(map(_is_number_type, types))


def _is_number_type(dtype: Any) -> bool:
    kind = getattr(dtype, "kind", None)
    return kind in _NUMBERS if kind is not None else str(dtype).lower().startswith(_NUMBER_TYPES)


def _is_numeric(column: Any) -> bool:
    """Whether the dtype of a column is one of numbers."""
    return _is_number_type(getattr(column, "dtype", getattr(column, "type", "")))


def _is_vectors(column: Any) -> bool:
    """Whether the dtype of a column of polars or pyarrow is one of lists of numbers."""
    name = _type_name(column)
    nested = name.startswith(("list", "array", "large_list", "fixed_size_list"))
    return nested and any(number in name for number in _NUMBER_TYPES) and "struct" not in name


def _type_name(column: Any) -> str:
    return str(getattr(column, "dtype", getattr(column, "type", ""))).lower()


def _table(names: list[Any], columns: list[list[Any]], otherwise: Any = None) -> Any:
    """Table, whose columns of records are those of the records; numbers stay as they are."""
    out: tuple[list[Any], list[list[Any]]] = [], []
    for name, column in zip(names, columns, strict=True):
        if isinstance(_first_present(column), Mapping):
            inner = _table_of_records(column)
            out[0].extend(inner.names)
            out[1].extend(inner.columns)
        else:
            out[0].append(name)
            out[1].append(column)
    has_rows = bool(out[1]) and bool(out[1][0])
    if otherwise is not None and has_rows and not any(map(_is_text, chain(*out[1]))):
        return otherwise
    return Table(*out)


def _table_of_dict(X: Mapping[Any, Any], what: str) -> Any:
    """Table of a dict of columns."""
    if not X:
        raise ValueError(f"{what} is an empty dict. {_HOW_TO_PASS}")
    if any(isinstance(value, str | bytes) or value is None for value in X.values()):
        raise TypeError(
            f"{what} is a dict of single texts, with the keys {_quoted(X)}: pass "
            "list(X.values()), or a list of such dicts as the rows of a table."
        )
    columns = []
    for name, value in X.items():
        of_column = f"{what} {name!r}"
        column = opened(value, of_column)
        if isinstance(column, Table) or _columns_of_frame(column) is not None:
            raise ValueError(
                f"{of_column} is a table: pass one of the tables, such as X[{name!r}], or a dict of "
                "columns."
            )
        columns.append(column)
    lengths = {name: len(column) for name, column in zip(X, columns, strict=True)}
    if len({*lengths.values()}) > 1:
        raise ValueError(f"{what} is a dict of columns of different lengths: {lengths}.")
    if len(columns) == 1 and isinstance(columns[0], np.ndarray) and columns[0].ndim == 2:
        return columns[0]
    listed = [list(column) for column in columns]
    table: Table = _table(list(X), listed)
    if len(table) and not any(map(_is_text, chain(*table.columns))):
        return np.column_stack([np.asarray(column) for column in listed])
    return table


def _cells(X: Any, what: str) -> Any:
    """List or array of the rows of a container that is not a frame."""
    if isinstance(X, np.ma.MaskedArray) and X.dtype.kind not in _NUMBERS:
        cells = np.ma.getdata(X).astype(object)
        cells[np.ma.getmaskarray(X)] = None  # filled(None) would fill in "?"
        return cells
    if isinstance(X, list | tuple | np.ndarray):
        return X
    if isinstance(X, io.TextIOBase):
        return list(_lines(X))
    if hasattr(X, "detach"):
        return _array_of_tensor(X)
    if hasattr(X, "to_numpy") and _is_vectors(X):
        return X.to_numpy(zero_copy_only=False) if hasattr(X, "to_pylist") else X.to_numpy()
    if hasattr(X, "to_pylist"):  # pyarrow
        return np.asarray(X) if _is_numeric(X) else X.to_pylist()
    if hasattr(X, "to_list") or (hasattr(X, "tolist") and not hasattr(X, "__array__")):
        return X if _is_numeric(X) else (X.to_list() if hasattr(X, "to_list") else X.tolist())
    if hasattr(X, "__array__"):
        return np.asarray(X)
    if not hasattr(X, "__iter__") and not (hasattr(X, "__getitem__") and hasattr(X, "__len__")):
        if hasattr(X, "__await__") or hasattr(X, "__aiter__"):
            raise TypeError(f"{what} is a {type(X).__name__}, which has no rows. {_HOW_TO_PASS}")
        return X
    return [X[i] for i in range(len(X))] if not hasattr(X, "__iter__") else list(X)


def _lines(file: io.TextIOBase) -> Iterator[str]:
    """Lines of a file without their ends."""
    return (line.rstrip("\r\n") for line in file)


def _array_of_tensor(X: Any) -> NDArray:
    X = X.detach().cpu()
    try:
        return np.asarray(X.numpy())
    except TypeError:  # numpy has no bfloat16
        return np.asarray(X.float().numpy())


def _opened_array(X: Any) -> Any:
    """Text and objects as an object array; vectors of a column as rows; others as they are."""
    if np.shape(X) in ((0,), (0, 1)):
        return []
    if not isinstance(X, np.ndarray) or X.dtype.kind in _NUMBERS:
        return X
    X = X if X.dtype.kind == "O" else X.astype(object)
    return _opened_rows(X.tolist(), "X", X) if X.ndim == 1 else X


def _opened_rows(X: Any, what: str, otherwise: Any = None) -> Any:
    """Table of records, array of vectors, or the rows as they are."""
    out = X if otherwise is None else otherwise
    first = _first_present(X)
    if first is None or _is_text(first):
        return out
    if _fields_of(first) is not None:
        return _table_of_records(X)
    if hasattr(first, "detach") or isinstance(first, list | tuple | np.ndarray):
        return _opened_vectors(X, what, out)
    if hasattr(first, "as_py"):  # scalars of pyarrow
        return _opened_rows([None if cell is None else cell.as_py() for cell in X], what)
    return out


def _opened_vectors(X: Any, what: str, otherwise: Any) -> Any:
    """Rows of numbers as a 2-d array; rows of text as they are."""
    first = _first_present(X)
    if np.ndim(first) != 1 or any(map(_is_text, first)):
        return otherwise  # arrays of several views, or rows of text
    rows = [_array_of_tensor(row) if hasattr(row, "detach") else row for row in X]
    try:
        array = np.asarray(rows)
    except ValueError:
        array = np.empty(0, dtype=object)
    if array.dtype.kind in _NUMBERS:
        return array
    if any(map(_is_text, chain.from_iterable(row for row in rows if _has_cells(row)))):
        return otherwise
    lengths = [len(row) if _has_cells(row) else None for row in rows]
    odd = next((i for i, n in enumerate(lengths) if n != lengths[0]), None)
    if odd is not None:
        raise ValueError(
            f"{what} row {odd} is {_described(rows[odd])}, and row 0 is {_described(rows[0])}: "
            "all embeddings must have the same length."
        )
    return otherwise


def _has_cells(row: Any) -> bool:
    return isinstance(row, list | tuple) or (isinstance(row, np.ndarray) and row.ndim > 0)


def _described(row: Any) -> str:
    return f"a vector of {len(row)} numbers" if _has_cells(row) else shorten(repr(row))


def _fields_of(record: Any) -> list[Any] | None:
    """Names of the fields of a record; None for what is not one."""
    if isinstance(record, Mapping):
        return list(record)
    if isinstance(record, type | str | bytes | list | np.ndarray):
        return None
    if dataclasses.is_dataclass(record):
        return [field.name for field in dataclasses.fields(record)]
    if isinstance(record, SimpleNamespace):
        return list(vars(record))
    # namedtuples and rows of SQLAlchemy, rows of Spark, models of pydantic, classes of attrs
    for name in ("_fields", "__fields__", "model_fields", "__attrs_attrs__"):
        fields = getattr(type(record), name, None) or getattr(record, name, None)
        if isinstance(fields, Iterable) and not isinstance(fields, str):
            return [getattr(field, "name", field) for field in fields]
    if hasattr(record, "keys") and hasattr(record, "__getitem__"):  # sqlite3.Row
        return list(record.keys())
    return None


def _table_of_records(records: Sequence[Any]) -> Table:
    """Table of rows with named fields; a field that a row lacks is a missing cell."""
    rows = [None if is_missing(record) else _values_of(record) for record in records]
    names = list(dict.fromkeys(name for row in rows for name in row or ()))
    columns = [[None if row is None else row.get(name) for row in rows] for name in names]
    table: Table = _table(names, columns)
    return dataclasses.replace(
        table, by_position=isinstance(_first_present(records), tuple) and len(names) == 2
    )


def _values_of(record: Any) -> Mapping[Any, Any]:
    fields = _fields_of(record)
    if isinstance(record, Mapping) or fields is None:
        return record if isinstance(record, Mapping) else {}
    if isinstance(record, tuple):
        return dict(zip(fields, record, strict=True))
    if hasattr(record, "keys"):
        return {name: record[name] for name in fields}
    return {name: getattr(record, name) for name in fields}


def _cells_of_array(X: NDArray) -> NDArray | None:
    if X.ndim not in (1, 2) or X.dtype.kind in _NUMBERS:
        return None
    cells = X if X.dtype.kind == "O" else X.astype(object)
    return cells if _holds_text(cells.ravel(), X.ndim) else None


def _cells_of_rows(X: Sequence[Any]) -> NDArray | None:
    if _holds_text(X, 1):
        return _object_array(X)
    first = _first_present(X)
    if not isinstance(first, list | tuple | np.ndarray):
        return None
    rows = [row for row in X if _has_cells(row)]
    if not any(map(_is_text, chain.from_iterable(rows))):
        return None
    if len({len(row) for row in rows}) != 1:
        raise ValueError(
            "X is a list of rows of different lengths. Pairs are rows (target, English)."
        )
    return np.array([list(row) if _has_cells(row) else [row] * len(first) for row in X], object)


def _holds_text(cells: Iterable[Any], ndim: int) -> bool:
    """Whether a cell is text, or a column has no cell that is not missing."""
    cells = list(cells)
    return any(map(_is_text, cells)) or ((ndim == 1 or not cells) and all(map(is_missing, cells)))


def _object_array(cells: Sequence[Any]) -> NDArray:
    out = np.empty(len(cells), dtype=object)
    out[:] = list(cells)
    return out


def _first_present(cells: Iterable[Any]) -> Any:
    return next((cell for cell in cells if not is_missing(cell)), None)


def _is_text(cell: Any) -> bool:
    return isinstance(cell, str | bytes)


def _quoted(names: Iterable[Any]) -> str:
    return shorten(str([*names]), 200)
