"""Containers of a column of text, of embeddings and of pairs, each built from lists."""

from __future__ import annotations

import io
import sqlite3
from collections import UserList, deque, namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

Build = Callable[[list[str]], Any]


class Column(Sequence):
    """Column of a Hugging Face dataset, from release 4 on: a sequence and nothing else."""

    def __init__(self, cells):
        self._cells = list(cells)

    def __len__(self):
        return len(self._cells)

    def __getitem__(self, key):
        return self._cells[key]


class Dataset:
    """Hugging Face dataset: columns by name, rows as dicts."""

    def __init__(self, **columns):
        self._columns = columns
        self.column_names = list(columns)

    def __len__(self):
        return len(next(iter(self._columns.values())))

    def __getitem__(self, key):
        if isinstance(key, str):
            return Column(self._columns[key])
        return {name: column[key] for name, column in self._columns.items()}

    def __iter__(self):
        return (self[row] for row in range(len(self)))


class OnlyItems:
    """Old protocol of a sequence: a length and items."""

    def __init__(self, cells):
        self._cells = list(cells)

    def __len__(self):
        return len(self._cells)

    def __getitem__(self, row):
        if row >= len(self._cells):
            raise IndexError(row)
        return self._cells[row]


class OnlyArray:
    """Array of another library."""

    def __init__(self, cells):
        self._cells = cells

    def __array__(self, dtype=None, copy=None):
        return np.array(self._cells, dtype=dtype)


class OnlyArrowStream:
    """Table of another library, by the Arrow interface."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


class OnlyInterchange:
    """Table of another library, by the DataFrame interchange protocol."""

    def __init__(self, frame):
        self._frame = frame

    def __dataframe__(self, **options):
        return self._frame.__dataframe__(**options)


class Lines:
    """Iterable without a length, which can be iterated again."""

    def __init__(self, cells):
        self._cells = cells

    def __iter__(self):
        return iter(self._cells)


def arrow() -> Any:
    return pytest.importorskip("pyarrow")


def _dataset(cells: list[str]) -> Any:
    return pytest.importorskip("datasets").Dataset.from_dict({"text": cells})


def _narwhals(cells: list[str]) -> Any:
    return pytest.importorskip("narwhals").from_native(pl.DataFrame({"text": cells}))


def array_of_strings(cells: list[str]) -> Any:
    """Array of StringDType, which numpy has since its second release."""
    if not hasattr(np.dtypes, "StringDType"):
        pytest.skip("numpy has no StringDType")
    return np.array(cells, dtype=np.dtypes.StringDType())


# What can be read again; scikit-learn indexes some of them.
TEXT: dict[str, Build] = {
    "list": list,
    "tuple": tuple,
    "list of rows": lambda cells: [[cell] for cell in cells],
    "array of str": np.array,
    "array of StringDType": array_of_strings,
    "array of objects": lambda cells: np.array(cells, dtype=object),
    "array of one column": lambda cells: np.array(cells).reshape(-1, 1),
    "masked array": lambda cells: np.ma.array(cells, mask=[False] * len(cells)),
    "Series of objects": lambda cells: pd.Series(cells, dtype=object),
    "Series of str": lambda cells: pd.Series(cells, dtype="string", index=range(7, 7 + len(cells))),
    "Series of categories": lambda cells: pd.Series(cells, dtype="category"),
    "Series of arrow": lambda cells: arrow() and pd.Series(cells, dtype="string[pyarrow]"),
    "pandas array": lambda cells: pd.array(cells, dtype="string"),
    "pandas frame": lambda cells: pd.DataFrame({"text": cells}),
    "pandas frame of levels": lambda cells: pd.DataFrame({("a", "text"): cells}),
    "Index": pd.Index,
    "polars Series": pl.Series,
    "polars Series of categories": lambda cells: pl.Series(cells, dtype=pl.Categorical),
    "polars frame": lambda cells: pl.DataFrame({"text": cells}),
    "arrow array": lambda cells: arrow().array(cells),
    "arrow dictionary": lambda cells: arrow().array(cells).dictionary_encode(),
    "arrow large strings": lambda cells: arrow().array(cells, arrow().large_string()),
    "arrow chunks": lambda cells: arrow().chunked_array([cells[:1], cells[1:]]),
    "arrow table": lambda cells: arrow().table({"text": cells}),
    "arrow batch": lambda cells: arrow().RecordBatch.from_pydict({"text": cells}),
    "Hugging Face dataset": _dataset,
    "Hugging Face column": lambda cells: _dataset(cells)["text"],
    "narwhals frame": _narwhals,
    "dataset": lambda cells: Dataset(text=cells),
    "column": Column,
    "UserList": UserList,
    "deque": deque,
    "dict of one column": lambda cells: {"text": cells},
    "records": lambda cells: [{"text": cell} for cell in cells],
    "old sequence": OnlyItems,
    "__array__": OnlyArray,
    "__arrow_c_stream__": lambda cells: OnlyArrowStream(arrow().table({"text": cells})),
    "__dataframe__": lambda cells: OnlyInterchange(pd.DataFrame({"text": cells})),
    "iterable": Lines,
    "values of a dict": lambda cells: dict(enumerate(cells)).values(),
}
# What is consumed when it is read.
ITERATORS: dict[str, Build] = {
    "generator": lambda cells: (cell for cell in cells),
    "iterator": iter,
    "map": lambda cells: map(str, cells),
    "file": lambda cells: io.StringIO("".join(f"{cell}\n" for cell in cells)),
}
ALL = {**TEXT, **ITERATORS}

# Vectors, from a 2-d array of float64.
VECTORS: dict[str, Callable[[np.ndarray], Any]] = {
    "array": np.asarray,
    "list of lists": lambda rows: rows.tolist(),
    "list of arrays": list,
    "deque of arrays": deque,
    "generator of arrays": iter,
    "pandas frame": pd.DataFrame,
    "polars frame": lambda rows: pl.DataFrame(rows),
    "Series of arrays": lambda rows: pd.Series(list(rows)),
    "frame of a column of arrays": lambda rows: pd.DataFrame({"embedding": list(rows)}),
    "polars arrays": lambda rows: pl.Series(rows),
    "polars lists": lambda rows: pl.Series(rows.tolist()),
    "polars frame of arrays": lambda rows: pl.DataFrame({"embedding": pl.Series(rows)}),
    "arrow lists": lambda rows: arrow().array(rows.tolist()),
    "arrow lists of one size": lambda rows: arrow().FixedSizeListArray.from_arrays(
        arrow().array(rows.ravel()), rows.shape[1]
    ),
    "arrow table": lambda rows: arrow().table({"embedding": rows.tolist()}),
    "arrow table of floats": lambda rows: arrow().table(
        {f"x{i}": column for i, column in enumerate(rows.T)}
    ),
    "dict of columns": lambda rows: {f"x{i}": column for i, column in enumerate(rows.T)},
    "dataset": lambda rows: Dataset(embedding=rows.tolist()),
    "column": lambda rows: Column(rows.tolist()),
    "tensor": lambda rows: pytest.importorskip("torch").tensor(rows, requires_grad=True),
    "list of tensors": lambda rows: list(pytest.importorskip("torch").tensor(rows)),
    "__array__": OnlyArray,
}

Pair = namedtuple("Pair", "ko en")
Sides = namedtuple("Sides", "target english")


@dataclass
class PairOfClass:
    en: str
    id: int
    ko: str


def _rows_of_sqlite(pairs: list[tuple[str, str]]) -> list[Any]:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.execute("create table pairs (id integer primary key, en text, ko text)")
    connection.executemany("insert into pairs (ko, en) values (?, ?)", pairs)
    rows = connection.execute("select * from pairs order by id").fetchall()
    connection.close()
    return rows


def _frame(pairs: list[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["ko", "en"])


def _translations(pairs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"id": i, "translation": {"en": en, "ko": ko}} for i, (ko, en) in enumerate(pairs)]


def _columns(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    return {"en": [en for _, en in pairs], "ko": [ko for ko, _ in pairs]}


# Pairs, from a list of (target, English).
PAIRS: dict[str, Callable[[list[tuple[str, str]]], Any]] = {
    "list of tuples": list,
    "list of lists": lambda pairs: [[*pair] for pair in pairs],
    "array": np.array,
    "zip": lambda pairs: zip(*zip(*pairs, strict=True), strict=True),
    "items of a dict": lambda pairs: dict(pairs).items(),
    "pandas frame": _frame,
    "frame in another order": lambda pairs: _frame(pairs).assign(id=range(len(pairs)))[
        ["id", "en", "ko"]
    ],
    "frame of categories": lambda pairs: _frame(pairs).astype("category"),
    "polars frame": lambda pairs: pl.DataFrame(_columns(pairs)),
    "arrow table": lambda pairs: arrow().table(_columns(pairs)),
    "dataset": lambda pairs: Dataset(**_columns(pairs)),
    "dataset of translations": lambda pairs: Dataset(
        translation=[row["translation"] for row in _translations(pairs)]
    ),
    "Hugging Face dataset of translations": lambda pairs: pytest.importorskip(
        "datasets"
    ).Dataset.from_list(_translations(pairs)),
    "records": lambda pairs: _frame(pairs).assign(id=1).to_dict("records"),
    "generator of records": lambda pairs: ({"en": en, "ko": ko} for ko, en in pairs),
    "records of translations": _translations,
    "struct of polars": lambda pairs: pl.DataFrame(_translations(pairs)),
    "dict of columns": _columns,
    "dict of Series": lambda pairs: {k: pd.Series(v) for k, v in _columns(pairs).items()},
    "namedtuples": lambda pairs: [Pair(*pair) for pair in pairs],
    "namedtuples by position": lambda pairs: [Sides(*pair) for pair in pairs],
    "rows of itertuples": lambda pairs: _frame(pairs).itertuples(),
    "objects of a dataclass": lambda pairs: [PairOfClass(en, 1, ko) for ko, en in pairs],
    "namespaces": lambda pairs: [SimpleNamespace(en=en, ko=ko) for ko, en in pairs],
    "rows of sqlite": _rows_of_sqlite,
}
