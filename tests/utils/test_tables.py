"""Columns of tables: any text, whatever a broken file holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_series_equal

from langalign_sk._utils.tables import as_column
from langalign_sk.retrieval import MinedPairs


@pytest.mark.parametrize(
    "values", [["a", "b"], [1, 2], [1, "1"], [("a", 1)], ["\x00", "\U0001f600"]], ids=repr
)
def test_columns_are_those_of_pandas(values):
    assert_series_equal(as_column(values), pd.Series(values))


def test_an_empty_column_is_one_of_strings():
    assert_series_equal(as_column(()), pd.Series(["a"]).iloc[:0], check_index_type=False)


def test_half_a_surrogate_pair_is_kept():
    texts = ["\ud83d broken", "whole"]
    assert as_column(texts).tolist() == texts
    zero = np.zeros(1, dtype=np.intp)
    score = np.ones(1, dtype=np.float32)
    mined = MinedPairs(zero, zero, score, 1.0, 1, 1.0, 1.0, ("a\udc00",), ("b",), "ko")
    assert mined.to_frame()["source"].tolist() == ["a\udc00"]
