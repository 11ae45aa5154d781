"""Tests of containers of text."""

import io
from collections import UserList

import numpy as np
import pandas as pd
import polars as pl
import pytest

from langalign_sk._utils.containers import (
    check_column_names,
    check_text_column,
    embedding_rows,
    iterate_texts,
    label_column,
    opened,
    plain_values,
    text_cells,
)
from langalign_sk.mapping import LinearAligner
from langalign_sk.metrics import retrieval_recall_score
from langalign_sk.trust import drift_test
from tests.containers import array_of_strings


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


def test_opened_stays_as_it_is():
    table = opened([{"en": "a", "translation": {"ko": "b"}}, None, {"en": "c"}])
    assert (table.names, table.columns) == (["en", "ko"], [["a", None, "c"], ["b", None, None]])
    assert opened(table) is table
    for X in (["a"], ("a", "b"), np.array(["a"], dtype=object), np.ones((2, 2)), None, "a", 3):
        assert opened(opened(X)) is opened(X) or np.array_equal(opened(X), X)
    frame = pd.DataFrame({"a": [1.0], "b": [2]})
    assert opened(frame) is frame  # scikit-learn asks for its names
    arrays = [np.ones((2, 3)), np.ones((2, 3))]
    assert opened(arrays) is arrays  # one per view


def test_names_that_are_there_twice():
    check_column_names(["en", "ko", "note", "Note"], "X", ["en", "ko"])
    with pytest.raises(ValueError, match=r"X has columns of the same name, \['note'\]"):
        check_column_names(["en", "ko", "note", "note"], "X", ["en", "ko"])
    with pytest.raises(ValueError, match=r"\['zh_TW', 'zh-tw'\]"):
        check_column_names(["en", "zh_TW", "zh-tw"], "X", ["en", "zh_TW"])
    with pytest.raises(ValueError, match="several levels"):
        check_column_names([("en", ""), ("ko", "")], "X")


@pytest.mark.parametrize("kind", ["toPandas", "collect", "compute __dask_graph__", "df fetchall"])
def test_tables_that_are_not_computed(kind):
    methods = kind.split()
    lazy = type("Relation", (), {name: lambda self: None for name in methods})
    with pytest.raises(TypeError, match=rf"Relation, which is not computed.*\.{methods[0]}\(\)"):
        opened(lazy())


def test_texts_of_an_iterator_are_read_as_needed():
    seen = []

    def lines():
        for number in range(5):
            seen.append(number)
            yield str(number)

    texts = iterate_texts(lines())
    assert (next(texts), seen) == ("0", [0])
    assert list(iterate_texts(io.StringIO("a\nb\r\n\nc"))) == ["a", "b", "", "c"]
    with pytest.raises(TypeError, match="texts, row 1 is int"):
        iterate_texts(UserList(["a", 1]))


def test_values_of_identifiers():
    ids = [("a", 1), ("b", 2)]
    assert plain_values(ids) == plain_values(iter(ids)) == ids
    assert plain_values(pd.Series([3, 4])) == plain_values(pl.DataFrame({"id": [3, 4]})) == [3, 4]
    assert plain_values(pytest.importorskip("pyarrow").array(["a", "b"])) == ["a", "b"]


def test_labels_of_numpy_and_pandas_stay_as_they_are():
    for y in (None, np.array([1, 2]), pd.Series(["a", "b"]), pd.Categorical(["a", "b"])):
        assert label_column(y) is y
    assert label_column(pl.DataFrame({"y": ["a", "b"]})) == ["a", "b"]
    assert label_column(array_of_strings(["a"])).dtype.kind == "U"


@pytest.mark.parametrize("secret", [["비밀"], np.array([["비밀", "b"]]), "비밀", [[1.0, "비밀"]]])
def test_messages_do_not_quote_text_in_place_of_embeddings(secret):
    uses = (
        lambda X: embedding_rows(X),
        lambda X: LinearAligner().fit(X, X),
        lambda X: retrieval_recall_score(X, X),
        lambda X: drift_test(X, X),
    )
    for use in uses:
        with pytest.raises(ValueError, match="holds text, and embeddings are needed") as raised:
            use(secret)
        assert "비밀" not in str(raised.value)
