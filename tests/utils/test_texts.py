"""Tests of the check of cells of text."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from langalign_sk._utils.texts import check_texts, named_rows

MISSING = [None, float("nan"), np.float32("nan"), np.float64("nan"), pd.NA, pd.NaT]
MISSING += [np.datetime64("NaT"), np.timedelta64("NaT"), Decimal("NaN")]


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


@pytest.mark.parametrize("text", ["\u00a0", "\u200b", "\u3164", "\x00", "\ufeff"], ids=ascii)
def test_blanks_are_empty_texts(text):
    with pytest.raises(ValueError, match=r"^X row 0 is an empty string\. .*clean\(\)\.$"):
        check_texts([text, "a"])


def test_several_cells_are_counted():
    cells = ["a", None, "b", *[np.nan] * 6]
    with pytest.raises(ValueError, match="missing") as raised:
        check_texts(cells, missing="error")
    assert str(raised.value) == (
        "X rows 1, 3, 4, 5, 6 and others (7 of 9 rows) are missing, the first is None. Take such rows "
        'out, or pass missing="empty" to read them as empty texts.'
    )
    with pytest.raises(
        ValueError, match=r"^X rows 11, 13 \(2 of 4 rows\) are empty strings\. Take"
    ):
        check_texts(["a", "", "b", "\u200b"], first=10)


def test_missing_cells_may_be_empty_texts():
    cells = ["a", None, pd.NA]
    assert check_texts(cells, may_be_empty=True, missing="empty") == ["a", "", ""]
    with pytest.raises(ValueError, match=r"rows 1, 2 \(2 of 3 rows\) are empty strings"):
        check_texts(cells, missing="empty")
    with pytest.raises(TypeError, match="X row 1 is int"):
        check_texts(["a", 1, None], missing="empty")


@pytest.mark.parametrize(
    ("rows", "of", "words"),
    [
        ([3], None, "row 3"),
        ([3], 9, "row 3"),
        ([3, 5], None, "rows 3, 5"),
        ([3, 5], 1000, "rows 3, 5 (2 of 1,000 rows)"),
        (range(5), 5, "rows 0, 1, 2, 3, 4 (5 of 5 rows)"),
        (range(6), 6, "rows 0, 1, 2, 3, 4 and others (6 of 6 rows)"),
    ],
)
def test_rows_in_words(rows, of, words):
    assert named_rows(rows, of) == words


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
