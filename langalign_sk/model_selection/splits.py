"""Folds that keep translations of one sentence together, and folds of target-language rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    BaseCrossValidator,
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.utils import _safe_indexing, check_array, check_consistent_length
from sklearn.utils.multiclass import type_of_target

from .._utils.containers import Table, check_column_names, label_column, opened, text_cells
from .._utils.texts import check_texts
from ..corpus import ParallelCorpus
from ..corpus._corpus import letters_and_digits
from ..corpus._inputs import Embeddings, Text, read_input
from ..languages import LanguageRouter
from ..languages.codes import languages_of
from ..mapping._base import check_counterparts
from ..metrics._core import duplicate_groups

__all__ = ["CrossLingualSplit", "pair_groups"]


_FLOATS = [np.float64, np.float32]


def pair_groups(X: Any, y: Any = None) -> NDArray[np.intp]:
    """Group labels of pairs: pairs that share a sentence have the same label.

    Pass the labels as `groups` to GroupKFold and similar splitters: a sentence of several pairs
    is then never in both the training and the test rows. Sharing is transitive: if one pair
    shares its Korean side with a second, and the second its English side with a third, all three
    have the same label.

    Parameters
    ----------
    X : pairs of text, or array-like of shape (n_pairs, n_features)
        Pairs: a ParallelCorpus, a list of tuples, or a frame or array of two or more columns that
        all hold sentences. Texts are compared without case, spaces and punctuation, as
        :meth:`ParallelCorpus.clean <langalign_sk.ParallelCorpus.clean>` does; a text without
        letters and digits is compared as it is. Embeddings, float32 or float64, are compared by
        value.
    y : array-like of shape (n_pairs, n_targets), default=None
        Embeddings of the counterparts, if X holds embeddings; None for pairs of text.

    Returns
    -------
    ndarray of shape (n_pairs,), dtype intp
        Labels, integers from 0.

    Raises
    ------
    ValueError
        If X is one column of text or has a column without text, if a text is empty or missing, or
        if embeddings come without y or with a y of another length.
    TypeError
        If a cell of a column of text is not a str.

    See Also
    --------
    make_retrieval_scorer : Scorer on held-out pairs.

    Examples
    --------
    >>> from langalign_sk.model_selection import pair_groups
    >>> pairs = [("안녕", "Hello"), ("안녕하세요", "hello!"), ("감사합니다", "Thank you")]
    >>> pair_groups(pairs)
    array([0, 0, 1])
    """
    sides = _text_columns(X)
    if isinstance(sides, Embeddings):
        if y is None:
            raise ValueError(
                "X holds no text, so y is needed: pass the embeddings of the counterparts of the rows "
                "of X as y, or pairs of text as X."
            )
        X = check_array(sides.rows, dtype=_FLOATS, input_name="X")
        return duplicate_groups(X, check_counterparts(X, y))
    if y is not None:
        raise ValueError(
            "X holds pairs of text, so y must be None: class labels do not group pairs."
        )
    if len(sides) < 2:
        raise ValueError(
            "X is one column of text, and pairs need two or more. Pass both sides, such as "
            "list(zip(target, english))."
        )
    return text_groups(*sides)


def text_groups(*sides: Sequence[str]) -> NDArray[np.intp]:
    """Group labels of rows of text: rows that share a text on one side have the same label."""
    coded = []
    for side in sides:
        codes: dict[str, int] = {}
        keys = (letters_and_digits(text) or text for text in side)
        coded.append(np.array([codes.setdefault(key, len(codes)) for key in keys]))
    return duplicate_groups(*coded)


def _text_columns(X: Any) -> list[list[str]] | Embeddings:
    """Columns of text, or embeddings where X holds no text."""
    if isinstance(X, ParallelCorpus):
        X = list(zip(X.target, X.source, strict=True))
    X = opened(X)
    if isinstance(X, Table):
        check_column_names(X.names, "X")
        columns = dict(zip(X.names, X.columns, strict=True))
        bare = [n for n, rows in columns.items() if not any(isinstance(v, str) for v in rows)]
        if bare:
            raise ValueError(
                f"X column {bare[0]!r} holds no text. Pass the columns of sentences alone, such as "
                "X[['ko', 'en']]."
            )
        return [check_texts(rows, f"X column {name!r},") for name, rows in columns.items()]
    cells = text_cells(X)
    if cells is None:
        return Embeddings(X)
    columns = {i: list(column) for i, column in enumerate(np.atleast_2d(cells.T))}
    return [check_texts(rows, f"X column {i},") for i, rows in columns.items()]


class CrossLingualSplit(BaseCrossValidator):
    """Cross-validator that trains on English rows and tests on folds of target-language rows.

    English rows bypass the language map, so accuracy on held-out English rows is the same for
    every map: a search that is scored on them cannot choose one. A few labelled target-language
    rows can tell maps apart. Every split trains on English rows only and tests on a fold of the
    target rows, as the system will be used.

    The target rows are labelled *development* rows. Settings that are chosen on them fit them
    better than new text: never put rows of the test set among them.

    Parameters
    ----------
    target_lang : str or sequence of str, default="ko"
        Language of the target rows, or several, as in CrossLingualAligner. Folds do not
        distinguish between several languages.
    n_splits : int, default=5
        Number of folds of the target rows. 1 tests on all of them at once, which is enough where
        one number per candidate will do, since the training rows are the same in every split.
    detect : callable, default=None
        ``list of str -> list of language codes``, for languages written in Latin script. None
        tells languages by script.
    shuffle : bool, default=False
        Shuffle the target rows before they are cut into folds.
    random_state : int, RandomState instance or None, default=None
        Seed of `shuffle`.
    column : str, int, callable or list of one of the first two, default=None
        Column of text of a table X, as a ColumnTransformer takes it: its name, its position, or a
        function of X that returns one of them. None takes X as it is, and of a frame with other
        columns the only one that holds text.

    Raises
    ------
    ValueError
        If `n_splits` is not a positive int, or `random_state` is set without `shuffle`.
    TypeError
        If `shuffle` is not a bool, or `column` is none of the above.

    See Also
    --------
    make_retrieval_scorer : Scorer on translation pairs, which needs no label.

    Notes
    -----
    With class labels as y, the folds are stratified. With `groups`, target rows of a group stay in
    one fold, and English rows whose group is in the test fold are left out of training: give a
    sentence and its translation the same group, and no translation of a test row is trained on.
    scikit-learn's metadata routing passes `groups` on without a request.

    Examples
    --------
    >>> from langalign_sk.model_selection import CrossLingualSplit
    >>> texts = ["Hello", "Bye", "안녕하세요", "안녕히 가세요", "Thanks", "감사합니다"]
    >>> cv = CrossLingualSplit("ko", n_splits=3)
    >>> for train, test in cv.split(texts):
    ...     print(train, test)
    [0 1 4] [2]
    [0 1 4] [3]
    [0 1 4] [5]

    The translation of a test row is not trained on:

    >>> groups = [0, 1, 0, 1, 2, 2]
    >>> [train.tolist() for train, _ in CrossLingualSplit(n_splits=3).split(texts, groups=groups)]
    [[0, 1], [0, 4], [1, 4]]

    A table with further columns, of which a ColumnTransformer gives one to the aligner:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"text": texts, "channel": "chat", "n_words": 1})
    >>> cv = CrossLingualSplit("ko", n_splits=3, column="text")
    >>> [test.tolist() for _, test in cv.split(table)]
    [[2], [3], [5]]
    """

    # `groups` is requested by default, as by scikit-learn's own splitters of groups.
    __metadata_request__split = {"groups": True}  # noqa: RUF012

    def __init__(
        self,
        target_lang: str | Sequence[str] = "ko",
        *,
        n_splits: int = 5,
        detect: Callable[[list[str]], list[str]] | None = None,
        shuffle: bool = False,
        random_state: Any = None,
        column: Any = None,
    ) -> None:
        if not isinstance(n_splits, int | np.integer) or n_splits < 1:
            raise ValueError(f"n_splits must be a positive int, got {n_splits!r}.")
        if not isinstance(shuffle, bool):
            raise TypeError(f"shuffle must be True or False, got {shuffle!r}.")
        if random_state is not None and not shuffle:
            raise ValueError(
                "random_state has no effect without shuffle: set shuffle=True, or leave it None."
            )
        single = column[0] if isinstance(column, list | tuple) and len(column) == 1 else column
        if not (column is None or callable(column) or _is_column(single)):
            raise TypeError(
                "column must be the name or the position of the column of text, or a function of X "
                f"that returns one of them, got {column!r}."
            )
        self.target_lang = target_lang
        self.n_splits = n_splits
        self.detect = detect
        self.shuffle = shuffle
        self.random_state = random_state
        self.column = column

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of splits.

        Parameters
        ----------
        X, y, groups : object, default=None
            Ignored.

        Returns
        -------
        int
            `n_splits`.
        """
        return int(self.n_splits)

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Generate row numbers to train on and to test on.

        Parameters
        ----------
        X : one column of text, of shape (n_samples,), or table of n_samples rows
            Labelled rows in English and the target languages, in any order; `column` names the text of
            a table.
        y : array-like of shape (n_samples,), default=None
            Labels; classes stratify the folds.
        groups : array-like of shape (n_samples,), default=None
            Group labels, such as one label for a sentence and its translation.

        Yields
        ------
        train : ndarray, dtype intp
            All English rows but those whose group is in the test fold.
        test : ndarray, dtype intp
            A fold of the target rows.

        Raises
        ------
        ValueError
            If X is not one column of text and `column` names none; if it holds no English row or no
            target row; if there are fewer target rows (or groups of them) than `n_splits`; or if
            `groups` leaves no English row to train on.
        """
        english, target = self._sort_rows(X)
        y = None if y is None else np.asarray(label_column(y))
        groups = None if groups is None else np.asarray(label_column(groups))
        check_consistent_length([*english, *target], y, groups)
        for fold in self._folds(target, y, groups):
            test, train = target[fold], english
            if groups is not None:
                train = english[~np.isin(groups[english], groups[test])]
            if not len(train):
                raise ValueError(
                    "No English row is left to train on: each has a group that is in the test fold. "
                    "Use more n_splits, or add English rows."
                )
            yield train, test

    def _sort_rows(self, X: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        languages = languages_of(self.target_lang)
        router = LanguageRouter(languages, self.detect)
        data = read_input(self._text_of(X), router, languages)
        if isinstance(data, Embeddings):
            raise ValueError(
                "CrossLingualSplit tells languages by text, and X holds embeddings or numbers, which "
                "carry no script. Use PredefinedSplit(np.where(languages == 'en', -1, 0)) of "
                "scikit-learn, with the column of languages of your rows."
            )
        if not isinstance(data, Text):
            raise ValueError(
                "X holds pairs, and CrossLingualSplit splits labelled rows, one column of text. Split "
                "pairs by GroupKFold with groups=pair_groups(X)."
            )
        is_english = np.array(router(data.rows)) == "en"
        for name, wanted in (("English", True), ("target-language", False)):
            if not (is_english == wanted).any():
                raise ValueError(
                    f"X holds no {name} row (target_lang={self.target_lang!r}). Put labelled English "
                    "rows to train on and labelled target rows to test on into one X."
                )
        return np.flatnonzero(is_english), np.flatnonzero(~is_english)

    def _text_of(self, X: Any) -> Any:
        """The column of text of a table, or X itself."""
        column = getattr(self, "column", None)  # splitters of earlier releases have none
        if column is not None:
            return _column_of_table(X, column(X) if callable(column) else column)
        names = _names_of(X)
        if names is None or len(names) == 1:
            return X
        lower = {str(name).lower() for name in names}
        if "en" in lower and lower & {code.lower() for code in languages_of(self.target_lang)}:
            return X  # pairs, whose error says more
        text = [i for i in range(len(names)) if _holds_text(_column_at(X, i))]
        if len(text) == 1:
            return _column_at(X, text[0])
        if not text:
            return X
        raise ValueError(
            f"X is a table with the text columns {[names[i] for i in text]}. Name the one that tells "
            f"languages apart, such as CrossLingualSplit(column={names[text[0]]!r})."
        )

    def _folds(
        self, target: NDArray[np.intp], y: NDArray | None, groups: NDArray | None
    ) -> Iterator[NDArray[np.intp]]:
        """Test folds, as positions among the target rows."""
        labels = None if y is None else y[target]
        own = None if groups is None else groups[target]
        n, what = (len(target), "rows") if own is None else (len(np.unique(own)), "groups of rows")
        if n < self.n_splits:
            raise ValueError(
                f"X holds {n} target-language {what}, fewer than n_splits={self.n_splits}. Use fewer "
                "splits, or label more."
            )
        if self.n_splits == 1:
            yield np.arange(len(target))
            return
        # Regression targets and rows with several labels cannot be stratified.
        strata = labels is not None and type_of_target(labels) in ("binary", "multiclass")
        if own is None:
            kind = StratifiedKFold if strata else KFold
        else:
            kind = StratifiedGroupKFold if strata else GroupKFold
        cv = kind(self.n_splits, shuffle=self.shuffle, random_state=self.random_state)
        for _, fold in cv.split(target, labels, own):
            yield fold


def _is_column(column: Any) -> bool:
    return isinstance(column, str | int | np.integer) and not isinstance(column, bool)


def _column_of_table(X: Any, column: Any) -> Any:
    """Column of a frame, an array or a list of rows, by name or position."""
    if not _is_column(column):
        given = list(column) if np.iterable(column) else [column]
        if len(given) != 1 or not _is_column(given[0]):
            raise ValueError(
                f"column names {given}, but languages are detected in one column of text: pass its "
                "name or its position."
            )
        column = given[0]
    names = _names_of(X)
    if names is None:
        X = np.asarray(X, dtype=object)
        if X.ndim < 2 or isinstance(column, str):
            what = "one column" if X.ndim < 2 else "an array, whose columns have no names"
            raise ValueError(
                f"column={column!r} names a column of a table, but X is {what}. Leave column=None for "
                "one column of text, or pass a DataFrame."
            )
        names = list(range(X.shape[1]))
    at = (
        [i for i, name in enumerate(names) if name == column]
        if isinstance(column, str)
        else [column]
    )
    if len(at) > 1:
        raise ValueError(
            f"X has {len(at)} columns {column!r}: rename them, or name one by its position."
        )
    if not at or not -len(names) <= at[0] < len(names):
        raise ValueError(f"X has no column {column!r}: its columns are {names}.")
    found = _column_at(X, at[0])
    if not _holds_text(found):
        raise ValueError(f"Column {column!r} of X holds no text: name the column of sentences.")
    return found


def _names_of(X: Any) -> list[Any] | None:
    """Names of the columns of a frame of pandas or polars, or a table of pyarrow; None of others."""
    if isinstance(X, Mapping):
        return None
    names = getattr(X, "column_names", getattr(X, "columns", None))
    return None if names is None else list(names)


def _column_at(X: Any, position: int) -> Any:
    if hasattr(X, "column_names"):
        column = X[X.column_names[int(position)]]
        return column.to_pylist() if hasattr(column, "to_pylist") else list(column)
    return _safe_indexing(X, int(position), axis=1)


def _holds_text(column: Any) -> bool:
    """Whether a column holds str that are not categories."""
    dtype = str(getattr(column, "dtype", "")).lower()
    if dtype.startswith(("categor", "enum")):
        return False
    return any(isinstance(value, str | bytes) for value in column)
