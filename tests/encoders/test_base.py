"""Tests of TextEncoder: input, output and progress bars."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from langalign_sk import ParallelCorpus, SentenceEncoder
from langalign_sk.encoders.models import registry
from tests.encoders.toy import MIXED, TEXTS, assert_rows_close


@pytest.mark.parametrize(
    "column",
    [
        list,
        tuple,
        np.array,
        lambda texts: np.array(texts, dtype=object),
        lambda texts: np.array(texts)[:, None],
        lambda texts: [[text] for text in texts],
        pd.Series,
        lambda texts: pd.Series(texts, dtype=object, index=range(7, 12)),
        lambda texts: pd.Series(texts).astype("category"),
        lambda texts: pd.DataFrame({"text": texts}),
        pl.Series,
        lambda texts: pl.DataFrame({"text": texts}),
    ],
)
def test_a_column_of_text_in_any_container(tiny, mean_rows, column):
    encoder, X = SentenceEncoder(str(tiny)), column(TEXTS)
    for rows in (encoder.transform(X), encoder.fit(X).transform(X), encoder.fit_transform(X)):
        assert (type(rows), rows.dtype) == (np.ndarray, np.float32)
        assert_rows_close(rows, mean_rows(TEXTS))


BAD = [
    ("a text", ValueError, r"X is a single str: pass a sequence of texts, such as \[text\]"),
    (b"a text", ValueError, "X is a single bytes: pass a sequence of texts"),
    (["a", b"b"], TypeError, r'X row 1 is bytes; decode it first, such as cell.decode\("utf-8"\)'),
    (np.array([b"a"]), TypeError, "X row 0 is bytes; decode it first"),
    (["a", None], ValueError, r"X row 1 is missing \(None\). Take such rows out"),
    ([np.nan, "a"], ValueError, r"X row 0 is missing \(nan\). Take such rows out"),
    (pd.Series(["a", "b", None]), ValueError, "X row 2 is missing .* Take such rows out"),
    (pd.DataFrame({"x": ["a", pd.NA]}), ValueError, "X row 1 is missing .* Take such rows out"),
    (pl.Series(["a", None]), ValueError, "X row 1 is missing .* Take such rows out"),
    (
        [None, "a", np.nan],
        ValueError,
        r"X rows 0, 2 \(2 of 3 rows\) are missing, the first is None",
    ),
    (["a", 3], TypeError, "X row 1 is int, not text: 3. Convert it to str"),
    ([1, 2], TypeError, "X row 0 is int, not text: 1. Convert it"),
    (np.ones((2, 3)), ValueError, "X must be one column of text"),
    (pd.DataFrame({"x": [1.5]}), TypeError, "X row 0 is float, not text: 1.5"),
    (3, ValueError, "X must be one column of text"),
    (pd.DataFrame({"x": ["a"], "y": ["b"]}), ValueError, "X must be one column of text"),
    ([("a", "b", "c")], ValueError, "X must be one column of text"),
]


@pytest.mark.parametrize(("X", "error", "message"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_invalid_columns_are_refused_before_loading(no_models, X, error, message):
    encoder = SentenceEncoder()
    for use in (encoder.fit, encoder.transform, encoder.fit_transform):
        with pytest.raises(error, match=message):
            use(X)
    assert not registry._models


@pytest.mark.parametrize("X", [[], iter([]), pd.Series([], dtype=str), pl.DataFrame({"x": []})])
def test_no_rows(X):
    with pytest.raises(ValueError, match="X has no rows"):
        SentenceEncoder().fit(X)
    assert SentenceEncoder().transform(X).shape == (0, 512)


@pytest.mark.parametrize("X", [[("a", "b")], np.array([["a", "b"]])])
def test_two_columns_are_refused(X):
    with pytest.raises(ValueError, match="one column of text"):
        SentenceEncoder().transform(X)


@pytest.mark.parametrize(
    "X",
    [pd.DataFrame({"ko": ["가"], "en": ["a"]}), ParallelCorpus(["가"], ["a"], target_lang="ko")],
)
def test_pairs_are_refused_without_a_word_about_languages(X):
    with pytest.raises(ValueError, match="column of text") as raised:
        SentenceEncoder().transform(X)
    assert not {"[]", "()", "target_lang"} & set(str(raised.value).replace(".", "").split())


@pytest.mark.parametrize("cache", ["memory", None])
@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (None, ValueError, r"texts, row 1 is missing \(None\). Take such rows out, or fill"),
        (np.nan, ValueError, r"texts, row 1 is missing \(nan\)"),
        (3, TypeError, r"texts, row 1 is int, not text: 3. Convert it to str\.$"),
        (b"b", TypeError, "texts, row 1 is bytes; decode it first"),
    ],
)
def test_encode_names_what_is_not_a_text(tiny, cache, bad, error, message):
    with pytest.raises(error, match=message):
        SentenceEncoder(str(tiny), cache=cache).encode(["the cat", bad])


def test_names_of_the_output_columns(tiny):
    encoder = SentenceEncoder(str(tiny))
    names = [f"sentenceencoder{i}" for i in range(16)]
    assert encoder.get_feature_names_out().tolist() == names
    assert encoder.get_feature_names_out(["text"]).tolist() == names
    assert encoder.get_feature_names_out().dtype == object


@pytest.mark.parametrize("X", [TEXTS, pd.Series(TEXTS), pd.DataFrame({"text": TEXTS})])
def test_frames_as_output(tiny, mean_rows, X):
    encoder = SentenceEncoder(str(tiny)).set_output(transform="pandas")
    for frame in (encoder.transform(X), encoder.fit_transform(X)):
        assert isinstance(frame, pd.DataFrame)
        assert frame.columns.tolist() == encoder.get_feature_names_out().tolist()
        assert_rows_close(frame, mean_rows(TEXTS))
    assert isinstance(encoder.encode(TEXTS), np.ndarray)
    polars = encoder.set_output(transform="polars").transform(X)
    assert isinstance(polars, pl.DataFrame)
    assert polars.columns == encoder.get_feature_names_out().tolist()


@pytest.mark.parametrize("kind", [pd.Series, lambda *a, index: pd.DataFrame(*a, index=index)])
def test_pandas_output_keeps_the_index(tiny, kind):
    X = kind(TEXTS, index=list("abcde"))
    frame = SentenceEncoder(str(tiny)).set_output(transform="pandas").transform(X)
    assert frame.index.tolist() == list("abcde")


@pytest.fixture
def loaded(tiny):
    SentenceEncoder(str(tiny)).load()  # transformers has a bar for weights
    return str(tiny)


@pytest.mark.parametrize("cache", [None, "memory"])
def test_verbose_shows_a_bar_over_distinct_texts(loaded, capfd, cache):
    SentenceEncoder(loaded, verbose=True, cache=cache).encode([*TEXTS, TEXTS[0]])
    out, err = capfd.readouterr()
    assert out == ""
    assert "5/5" in err
    assert "text/s" in err
    assert loaded in err


def test_no_bar_where_all_rows_are_there(loaded, capfd):
    encoder = SentenceEncoder(loaded, verbose=True)
    encoder.encode(TEXTS[:2])
    assert "2/2" in capfd.readouterr().err
    encoder.encode(TEXTS)
    assert "5/5" in capfd.readouterr().err  # with the two that were there
    encoder.encode(TEXTS)
    encoder.encode([])
    assert capfd.readouterr() == ("", "")


def test_no_bar_unasked(loaded, capfd):
    encoder = SentenceEncoder(loaded)
    encoder.fit(TEXTS).transform(TEXTS)
    encoder.encode(["a"])
    assert capfd.readouterr() == ("", "")


def test_a_string_is_one_text():
    encoder = SentenceEncoder("use-multilingual")
    assert_rows_close(encoder.encode("text"), encoder.encode(["text"]))


@pytest.mark.parametrize("container", [tuple, np.array, pd.Series, iter])
def test_texts_in_other_containers(container):
    encoder = SentenceEncoder()
    assert_rows_close(encoder.encode(container(MIXED)), encoder.encode(MIXED))
