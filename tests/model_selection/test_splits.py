"""Groups of pairs that share a sentence, and folds of target rows."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, PredefinedSplit, cross_val_score
from sklearn.pipeline import make_pipeline

from langalign_sk import ParallelCorpus
from langalign_sk.model_selection import CrossLingualSplit, make_retrieval_scorer, pair_groups
from tests.model_selection.factories import OTHER_PAIRS, labelled, toy
from tests.toy import ENGLISH, KOREAN, PAIRS, rotated

# Groups of pairs


def test_pairs_that_share_a_sentence_have_one_label():
    pairs = [("가", "a"), ("나", "b"), ("가", "c"), ("다", "c"), ("라", "d")]
    groups = pair_groups(pairs)
    assert_array_equal(groups, [0, 1, 0, 0, 2])
    assert groups.dtype == np.intp
    assert_array_equal(pair_groups(PAIRS), np.arange(200))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Hello there", "hello, THERE!", True),
        ("ＯＫ", "ok", True),
        ("half-time", "halftime", True),
        ("one 1", "one 2", False),
        ("?!", "!?", False),
        ("...", "...", True),
        ("🙂", "🙃", False),
    ],
)
def test_texts_are_compared_without_case_spaces_and_punctuation(one, other, same):
    groups = pair_groups([("가", one), ("나", other)])
    assert (groups[0] == groups[1]) == same


def test_a_sentence_of_one_side_is_not_that_of_the_other():
    assert_array_equal(pair_groups([("OK", "fine"), ("좋아", "OK")]), [0, 1])


@pytest.mark.parametrize(
    "make",
    [
        lambda ko, en: pd.DataFrame({"ko": ko, "en": en}, index=[7, 7, 1]),
        lambda ko, en: pd.DataFrame({"ko": ko, "en": en}, dtype="string"),
        lambda ko, en: pl.DataFrame({"ko": ko, "en": en}),
        lambda ko, en: np.array([ko, en]).T,
        lambda ko, en: np.array([ko, en], dtype=object).T,
        lambda ko, en: ParallelCorpus(ko, en, target_lang="ko"),
        lambda ko, en: list(zip(ko, en, strict=True)),
    ],
)
def test_pairs_come_in_every_form(make):
    assert_array_equal(pair_groups(make(["가", "나", "다"], ["a", "b", "A."])), [0, 1, 0])


def test_all_columns_of_a_frame_are_sides():
    frame = pd.DataFrame(
        {"en": ["a", "b", "c"], "ko": ["가", "나", "다"], "ja": ["あ", "い", "あ"]}
    )
    assert_array_equal(pair_groups(frame), [0, 1, 0])
    assert_array_equal(pair_groups(frame[["en", "ko"]]), [0, 1, 2])


def test_embeddings_are_compared_by_value():
    X, Y = rotated(5)
    X[3], Y[4] = X[0], Y[3]
    assert_array_equal(pair_groups(X, Y), [0, 1, 2, 0, 0])
    assert_array_equal(pair_groups(X, Y[:, :2].astype(np.float32)), [0, 1, 2, 0, 0])
    assert_array_equal(pair_groups(pd.DataFrame(X), pd.DataFrame(Y)), [0, 1, 2, 0, 0])


def test_no_sentence_is_in_training_and_in_test():
    rng = np.random.default_rng(0)
    pairs = [(KOREAN[i], ENGLISH[j]) for i, j in rng.integers(0, 90, size=(60, 2))]
    for train, test in GroupKFold(3).split(pairs, groups=pair_groups(pairs)):
        for side in (0, 1):
            assert not {pairs[i][side] for i in train} & {pairs[i][side] for i in test}


def test_cross_val_score_of_pairs_in_groups():
    pairs = [*PAIRS[:60], *((ko, f"so, {en}") for ko, en in PAIRS[:30])]
    cv = GroupKFold(3)
    groups = pair_groups(pairs)
    scores = cross_val_score(toy(), pairs, cv=cv, groups=groups, scoring=make_retrieval_scorer())
    by_hand = [
        toy().fit([pairs[i] for i in train]).score([pairs[i] for i in test])
        for train, test in cv.split(pairs, groups=np.r_[:60, :30])
    ]
    assert_allclose(scores, by_hand)
    assert scores.min() > 0.8


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (KOREAN, None, ValueError, "one column of text, and pairs need two"),
        (PAIRS, np.arange(200), ValueError, "y must be None"),
        (np.ones((3, 2)), None, ValueError, "holds no text, so y is needed"),
        (np.eye(3), np.eye(2), ValueError, "inconsistent numbers of samples"),
        (np.eye(3), np.arange(3), ValueError, "Class labels do not belong here"),
        ([("가", "a"), ("나", "")], None, ValueError, "X column 1, row 1 is an empty string"),
        (pd.DataFrame({"ko": ["가"], "en": [None]}), None, ValueError, "'en' holds no text"),
        (pd.DataFrame({"ko": ["가"], "id": [7]}), None, ValueError, "columns of sentences alone"),
        (pd.DataFrame({"ko": ["가", 1], "en": "a"}), None, TypeError, "'ko', row 1 is int"),
        (ParallelCorpus(["가"], [""], target_lang="ko"), None, ValueError, "row 0 is an empty"),
    ],
)
def test_bad_pairs_for_groups(X, y, error, message):
    with pytest.raises(error, match=message):
        pair_groups(X, y)


# Folds of target rows


MIXED = ["Hello", "안녕", "Bye", "잘 가", "Thanks", "고마워", "2026", "미안"]


def splits(cv, *args, **kwargs):
    return [(train.tolist(), test.tolist()) for train, test in cv.split(*args, **kwargs)]


def test_english_rows_train_and_target_rows_test():
    found = splits(CrossLingualSplit(n_splits=2), MIXED)
    assert found == [([0, 2, 4, 6], [1, 3]), ([0, 2, 4, 6], [5, 7])]
    for train, test in CrossLingualSplit(n_splits=2).split(pd.Series(MIXED, index=range(8, 0, -1))):
        assert train.dtype == test.dtype == np.intp


def test_one_split_tests_on_all_target_rows():
    found = splits(CrossLingualSplit(n_splits=1), MIXED, list("abababab"))
    assert found == [([0, 2, 4, 6], [1, 3, 5, 7])]


def test_folds_are_stratified_by_class():
    X = ["Hi"] * 4 + ["안녕"] * 30
    y = np.r_[list("abab"), np.repeat(["a", "b", "c"], [15, 9, 6])]
    for shuffle in (False, True):
        for train, test in CrossLingualSplit(n_splits=3, shuffle=shuffle).split(X, y):
            assert_array_equal(train, np.arange(4))
            classes, counts = np.unique(y[test], return_counts=True)
            assert (classes.tolist(), counts.tolist()) == (["a", "b", "c"], [5, 3, 2])


@pytest.mark.parametrize("y", [np.linspace(0, 1, 8), np.eye(8, dtype=int)], ids=["real", "labels"])
def test_other_targets_have_no_strata(y):
    assert splits(CrossLingualSplit(n_splits=2), MIXED, y)[0][1] == [1, 3]


def test_translations_of_test_rows_are_not_trained_on():
    groups = ["hi", "hi", "bye", "bye", "thx", "hi", "year", "sorry"]
    found = splits(CrossLingualSplit(n_splits=3), MIXED, groups=groups)
    assert sorted(test for _, test in found) == [[1, 5], [3], [7]]
    for train, test in found:
        out = {groups[i] for i in test}
        assert train == [i for i in (0, 2, 4, 6) if groups[i] not in out]


@pytest.mark.parametrize("shuffle", [False, True])
def test_groups_and_classes_together(shuffle):
    rng = np.random.default_rng(0)
    X = ENGLISH[:40] + KOREAN[:40]
    groups = np.r_[np.arange(40) // 2, np.arange(40) // 2]
    y = np.r_[rng.integers(0, 2, 40), np.tile([0, 0, 1, 1], 10)]
    tested = []
    for train, test in CrossLingualSplit(n_splits=4, shuffle=shuffle).split(X, y, groups):
        assert set(groups[train]) | set(groups[test]) == set(range(20))
        assert not set(groups[train]) & set(groups[test])
        assert abs(y[test].mean() - 0.5) <= 0.1
        tested.extend(test)
    assert_array_equal(np.sort(tested), np.arange(40, 80))


def test_shuffled_folds_depend_on_the_seed():
    X = ["Hi", *KOREAN[:40]]

    def folds(seed):
        return splits(CrossLingualSplit(shuffle=True, random_state=seed), X)

    assert folds(0) == folds(0)
    assert folds(0) != folds(1)
    assert splits(CrossLingualSplit(), X) == splits(CrossLingualSplit(), X)


def test_rows_of_several_languages_are_target_rows_alike():
    X = ["Hello", "안녕", "おはよう", "Bye", "잘 가", "さようなら"]
    y = ["a", "a", "a", "b", "b", "b"]
    found = splits(CrossLingualSplit(["ko", "ja"], n_splits=2), X, y)
    assert found == [([0, 3], [1, 4]), ([0, 3], [2, 5])]


def test_languages_in_latin_script_are_detected():
    X = ["good day", "guten Tag", "bye", "tschüss"]

    def detect(texts):
        return ["de" if t in X[1::2] else "en" for t in texts]

    assert splits(CrossLingualSplit("de", n_splits=1, detect=detect), X) == [([0, 2], [1, 3])]
    with pytest.raises(ValueError, match="Pass detect="):
        next(CrossLingualSplit("de").split(X))


def test_a_splitter_among_its_kind():
    cv = CrossLingualSplit(["ko", "ja"], n_splits=3, shuffle=True, random_state=0)
    assert cv.get_n_splits() == cv.get_n_splits(MIXED, None, None) == 3
    for name in ("target_lang=['ko', 'ja']", "n_splits=3", "shuffle=True", "random_state=0"):
        assert name in repr(cv)
    X = ["Hi", *KOREAN[:9]]
    old = copy.copy(cv)
    del old.column  # as pickled by earlier releases
    for twin in (old, copy.deepcopy(cv), clone(cv, safe=False), pickle.loads(pickle.dumps(cv))):
        assert repr(twin) == repr(cv)
        assert splits(twin, X) == splits(cv, X)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_splits": 0}, ValueError, "n_splits must be a positive int, got 0"),
        ({"n_splits": 2.0}, ValueError, "n_splits must be a positive int, got 2.0"),
        ({"shuffle": 1}, TypeError, "shuffle must be True or False, got 1"),
        ({"random_state": 0}, ValueError, "set shuffle=True"),
    ],
)
def test_bad_parameters_of_the_split(parameters, error, message):
    with pytest.raises(error, match=message):
        CrossLingualSplit(**parameters)


@pytest.mark.parametrize(
    ("X", "words", "message"),
    [
        (KOREAN, {}, "no English row"),
        (ENGLISH, {}, r"no target-language row \(target_lang='ko'\)"),
        (MIXED, {}, "4 target-language rows, fewer than n_splits=5"),
        (MIXED, {"groups": [0] * 4 + [1] * 4}, "2 target-language groups of rows, fewer than"),
        (np.eye(8), {}, "carry no script.*PredefinedSplit"),
        (PAIRS, {}, r"GroupKFold with groups=pair_groups\(X\)"),
        (MIXED, {"y": [0, 1]}, "inconsistent numbers of samples"),
    ],
)
def test_bad_rows_for_the_split(X, words, message):
    with pytest.raises(ValueError, match=message):
        next(CrossLingualSplit().split(X, **words))


def test_a_row_in_an_undeclared_language_does_not_stop_a_search():
    with pytest.warns(UserWarning, match="Row 8 is written in the Kana script"):
        train, test = next(CrossLingualSplit(n_splits=1).split([*MIXED, "おはよう"]))
    assert (train.tolist(), test.tolist()) == ([0, 2, 4, 6, 8], [1, 3, 5, 7])


def test_english_rows_that_are_all_left_out():
    with pytest.raises(ValueError, match="No English row is left"):
        next(CrossLingualSplit(n_splits=1).split(["Hi", "안녕"], groups=[0, 0]))


def test_embeddings_go_with_the_split_that_the_error_names():
    languages = np.array(["en", "ko", "en", "ko"])
    cv = PredefinedSplit(np.where(languages == "en", -1, 0))
    assert splits(cv, np.eye(4)) == [([0, 2], [1, 3])]


# Tables


ENGLISH_ROWS, KOREAN_ROWS = ["Hello", "Bye", "Thanks"], ["안녕", "잘 가", "고마워"]
COLUMNS = {"text": ENGLISH_ROWS + KOREAN_ROWS, "n": [0, 1, 2] * 2, "channel": list("aabbcc")}
TABLES = {
    "pandas": pd.DataFrame(COLUMNS, index=[5, 5, 1, 2, 3, 0]),
    "polars": pl.DataFrame(COLUMNS),
    "pyarrow": pa.table(COLUMNS),
}
FOLDS = [([0, 1, 2], [3]), ([0, 1, 2], [4]), ([0, 1, 2], [5])]


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize(
    "column",
    ["text", 0, -3, np.int64(0), ["text"], [0], lambda X: "text", lambda X: ["text"]],
    ids=[
        "name",
        "position",
        "from the end",
        "numpy",
        "list",
        "list of int",
        "callable",
        "selector",
    ],
)
def test_the_text_column_of_a_table_is_named(kind, column):
    assert splits(CrossLingualSplit(n_splits=3, column=column), TABLES[kind]) == FOLDS


def test_the_text_column_of_an_array_has_a_position():
    rows = [[n, text] for text, n in zip(COLUMNS["text"], COLUMNS["n"], strict=True)]
    cv = CrossLingualSplit(n_splits=3, column=1)
    assert splits(cv, np.array(rows, dtype=object)) == splits(cv, rows) == FOLDS


def test_the_only_text_column_needs_no_name():
    table = pd.DataFrame({"n": COLUMNS["n"], "text": COLUMNS["text"]})
    assert splits(CrossLingualSplit(n_splits=3), table) == FOLDS
    channel = pd.Categorical(COLUMNS["channel"])
    assert splits(CrossLingualSplit(n_splits=3), table.assign(channel=channel)) == FOLDS
    assert splits(CrossLingualSplit(n_splits=3), pl.DataFrame(table.to_dict("list"))) == FOLDS


def test_pandas_columns_with_ints_as_names_have_positions():
    table = pd.DataFrame({3: COLUMNS["n"], 0: COLUMNS["text"]})
    assert splits(CrossLingualSplit(n_splits=3, column=1), table) == FOLDS


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize(
    ("column", "message"),
    [
        (None, r"text columns \['text', 'channel'\].*CrossLingualSplit\(column='text'\)"),
        ("body", r"no column 'body': its columns are \['text', 'n', 'channel'\]"),
        (7, "no column 7"),
        ("n", "'n' of X holds no text"),
        (lambda X: ["text", "channel"], r"column names \['text', 'channel'\]"),
        (lambda X: None, "detected in one column"),
    ],
    ids=["several", "unknown", "out of range", "numbers", "two", "none"],
)
def test_bad_columns_of_a_table(kind, column, message):
    with pytest.raises(ValueError, match=message):
        next(CrossLingualSplit(column=column).split(TABLES[kind]))


def test_bad_columns_of_other_containers():
    twice = pd.DataFrame(np.array([COLUMNS["text"]] * 2).T, columns=["text", "text"])
    with pytest.raises(ValueError, match="2 columns 'text'"):
        next(CrossLingualSplit(column="text").split(twice))
    with pytest.raises(ValueError, match="X is one column"):
        next(CrossLingualSplit(column="text").split(COLUMNS["text"]))
    with pytest.raises(ValueError, match="columns have no names"):
        next(CrossLingualSplit(column="text").split(np.array([COLUMNS["text"]] * 2).T))
    with pytest.raises(TypeError, match="column must be the name or the position"):
        CrossLingualSplit(column=1.5)
    with pytest.raises(TypeError, match=r"got \['text', 'channel'\]"):
        CrossLingualSplit(column=["text", "channel"])
    pairs = pd.DataFrame({"ko": KOREAN_ROWS, "en": ENGLISH_ROWS})
    with pytest.raises(ValueError, match="GroupKFold"):
        next(CrossLingualSplit().split(pairs))


def test_a_data_set_of_hugging_face():
    class Dataset:
        """Stand-in with the interface of `datasets.Dataset`."""

        column_names = tuple(COLUMNS)
        shape = (6, 3)

        def __len__(self):
            return 6

        def __getitem__(self, key):
            return COLUMNS[key] if isinstance(key, str) else {k: v[key] for k, v in COLUMNS.items()}

    assert splits(CrossLingualSplit(n_splits=3, column="text"), Dataset()) == FOLDS
    with pytest.raises(ValueError, match=r"text columns \['text', 'channel'\]"):
        next(CrossLingualSplit().split(Dataset()))
    datasets = pytest.importorskip("datasets")
    real = datasets.Dataset.from_dict(COLUMNS)
    assert splits(CrossLingualSplit(n_splits=3, column="text"), real) == FOLDS


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_column_transformer_is_searched_over_a_table(kind):
    encoder, texts, classes = labelled()
    table = pd.DataFrame({"text": texts, "n": np.arange(len(texts)) % 3, "id": "x"})
    table = table if kind == "pandas" else pl.DataFrame(table.to_dict("list"))
    columns = ColumnTransformer(
        [("align", toy(encoder=encoder), "text"), ("n", "passthrough", ["n"])]
    )
    pipe = make_pipeline(columns, LogisticRegression(C=10))
    grid = {"columntransformer__align__method": ["identity", "ridge"]}
    cv = CrossLingualSplit(n_splits=3, column="text")
    words = {"parallel": OTHER_PAIRS}
    search = GridSearchCV(pipe, grid, cv=cv, error_score="raise")
    with config_context(enable_metadata_routing=True):
        search.estimator.named_steps["columntransformer"].transformers[0][1].set_fit_request(
            parallel=True
        )
        search.fit(table, classes, **words)
    assert search.best_params_ == {"columntransformer__align__method": "ridge"}
    identity, ridge = search.cv_results_["mean_test_score"]
    assert ridge > identity + 0.2
