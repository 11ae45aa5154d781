"""Tests of the check of cells of text."""

import datetime

import numpy as np
import pandas as pd
import pytest

from langalign_sk._utils.texts import check_texts

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
