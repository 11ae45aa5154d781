"""Tests of containers of text."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from langalign_sk._utils.containers import check_text_column, text_cells


@pytest.mark.parametrize(
    ("X", "cells"),
    [
        (["a", "b"], ["a", "b"]),
        ((None, "b"), [None, "b"]),
        (["a", 3], ["a", 3]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([["a"], ["b"]]), [["a"], ["b"]]),
        (np.array(["a", None], dtype=object), ["a", None]),
        (pd.Series(["a", "b"], index=[7, 9]), ["a", "b"]),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
        (pl.Series(["a", None]), ["a", None]),
        ([("a", "b"), ("c", "d")], [["a", "b"], ["c", "d"]]),
        ([np.array(["a", "b"])], [["a", "b"]]),
        ([b"a"], [b"a"]),
        ([1, "a"], [1, "a"]),
        ([None, None], [None, None]),
        ([], []),
        (pd.DataFrame({"x": ["a"]}), ["a"]),
    ],
)
def test_text_in_any_container(X, cells):
    found = text_cells(X)
    assert found.dtype == object
    assert found.tolist() == cells


@pytest.mark.parametrize(
    "X",
    [
        [1.0, 2.0],
        [[1.0], [2.0]],
        np.ones((2, 3)),
        np.array("a"),
        np.full((1, 1, 1), "a"),
        pd.Series([1.0, 2.0]),
        pd.DataFrame({"a": [1.0]}),
        pd.DataFrame({"a": ["a"], "b": ["c"]}),
        3,
        None,
    ],
    ids=repr,
)
def test_what_does_not_hold_text(X):
    assert text_cells(X) is None


def test_rows_of_different_lengths():
    with pytest.raises(ValueError, match="rows of different lengths"):
        text_cells([("a", "b"), ("c",)])


@pytest.mark.parametrize(
    "X", [[["a"], ["b"]], np.array(["a", "b"]), pl.DataFrame({"x": ["a", "b"]})]
)
def test_one_column(X):
    assert check_text_column(X) == ["a", "b"]


@pytest.mark.parametrize(
    "X", [[("a", "b")], np.array([["a", "b"]]), pd.DataFrame({"x": ["a"], "y": "b"})]
)
def test_what_is_not_one_column(X):
    with pytest.raises(ValueError, match="X must be one column of text"):
        check_text_column(X)
