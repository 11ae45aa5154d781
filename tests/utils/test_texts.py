"""Tests of the check of cells of text."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from langalign_sk._utils.texts import check_text_column, check_texts, text_cells

MISSING = [None, float("nan"), np.float32("nan"), np.float64("nan"), pd.NA, pd.NaT]


@pytest.mark.parametrize("value", MISSING, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("may_be_empty", [False, True])
def test_missing_cells(value, may_be_empty):
    with pytest.raises(ValueError, match=r"^side, row 1 is missing \(.*\)\. Take such rows out"):
        check_texts(["a", value], "side,", may_be_empty=may_be_empty)


@pytest.mark.parametrize("value", [3, 1.5, float("inf"), ["a"], datetime.date(2020, 1, 2), True])
@pytest.mark.parametrize("may_be_empty", [False, True])
def test_cells_of_other_types(value, may_be_empty):
    with pytest.raises(TypeError, match=rf"^X row 0 is {type(value).__name__}, not text: "):
        check_texts([value], may_be_empty=may_be_empty)


def test_bytes_are_to_be_decoded():
    with pytest.raises(TypeError, match=r"X row 0 is bytes; decode it first, such as cell\.decode"):
        check_texts([b"a"])


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u3000"])
def test_empty_texts(text):
    with pytest.raises(ValueError, match=r"^X row 1 is an empty string"):
        check_texts(["a", text])
    assert check_texts(["a", text], may_be_empty=True) == ["a", text]


def test_rows_are_counted_from_the_first():
    with pytest.raises(TypeError, match=r"^X row 12 is int"):
        check_texts(["a", "b", 3], first=10)


def test_long_values_are_quoted_short():
    with pytest.raises(TypeError, match=r"not text: \[0, 1, .*\.\.\.\. Convert") as raised:
        check_texts([list(range(1000))])
    assert len(str(raised.value)) < 200


def test_texts_become_plain_str():
    texts = check_texts(iter(np.array(["a", "b"])))
    assert texts == ["a", "b"]
    assert {type(text) for text in texts} == {str}


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
    ],
)
def test_text_in_any_container(X, cells):
    found = text_cells(X)
    assert found.dtype == object
    assert found.tolist() == cells


@pytest.mark.parametrize(
    "X",
    [
        [],
        [1.0, 2.0],
        [None, None],
        [[1.0], [2.0]],
        np.ones((2, 3)),
        np.array("a"),
        np.full((1, 1, 1), "a"),
        np.array([1, "a"], dtype=object),
        pd.Series([1.0, 2.0]),
        pd.DataFrame({"a": ["a"]}),
        {"a": "b"},
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


@pytest.mark.parametrize("X", [[], [("a", "b")], np.array([["a", "b"]]), pd.DataFrame({"x": []})])
def test_what_is_not_one_column(X):
    with pytest.raises(ValueError, match="X must be one column of text"):
        check_text_column(X)
