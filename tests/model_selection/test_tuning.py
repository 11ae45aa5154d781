"""Tuning with scikit-learn: groups of pairs, folds of target rows, scorers and their warning."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import timeit
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    PredefinedSplit,
    cross_val_score,
    cross_validate,
)
from sklearn.model_selection import learning_curve as sklearn_learning_curve
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from langalign_sk import AdapterAligner, CrossLingualAligner, LinearAligner, ParallelCorpus
from langalign_sk.aligner._bypass import warn_of_bypass
from langalign_sk.metrics import reciprocity_score, xsim_error
from langalign_sk.model_selection import CrossLingualSplit, make_retrieval_scorer, pair_groups
from tests.toy import ENGLISH, KOREAN, EnglishOnly, NeverEncode, ToyEncoder

PAIRS = list(zip(KOREAN, ENGLISH, strict=True))
TINY = {"max_epochs": 2, "batch_size": 64}
BYPASS = "Only English rows are held out"


def toy(**parameters):
    defaults = {"encoder": ToyEncoder(), "random_state": 0, "method": "ridge", "alpha": 1.0}
    return CrossLingualAligner(**defaults | parameters)


def rotated(n=200, noise=0.4, width=8, seed=0):
    """Pairs that a rotation takes to each other, but for noise."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    Y = rng.normal(size=(n, width))
    return (Y + noise * rng.normal(size=Y.shape)) @ rotation.T, Y


def labelled(n_target=60, shift=6.0):
    """English rows and the translations of some, with classes that lie along the language shift.

    Without alignment all target rows are on one side, and the head is right for every second.
    """
    encoder = ToyEncoder(shift=shift)
    away = encoder._vector("문장") - encoder._vector("s")
    classes = np.where(encoder.encode(ENGLISH) @ away > 0, "up", "down")
    return encoder, ENGLISH + KOREAN[:n_target], np.r_[classes, classes[:n_target]]


def pipeline(encoder, **parameters):
    aligner = toy(encoder=encoder, corpus=None, **parameters)
    return Pipeline([("align", aligner), ("clf", LogisticRegression(C=10))])


OTHER_PAIRS = (KOREAN[100:], ENGLISH[100:])  # not of the target rows that `labelled` tests on


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


def test_shuffled_folds_hang_on_the_seed():
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
    for twin in (copy.deepcopy(cv), clone(cv, safe=False), pickle.loads(pickle.dumps(cv))):
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
        ([*MIXED, "おはよう"], {}, "Row 8 is written in the Kana script"),
        (MIXED, {"y": [0, 1]}, "inconsistent numbers of samples"),
    ],
)
def test_bad_rows_for_the_split(X, words, message):
    with pytest.raises(ValueError, match=message):
        next(CrossLingualSplit().split(X, **words))


def test_english_rows_that_are_all_left_out():
    with pytest.raises(ValueError, match="No English row is left"):
        next(CrossLingualSplit(n_splits=1).split(["Hi", "안녕"], groups=[0, 0]))


def test_embeddings_go_with_the_split_that_the_error_names():
    languages = np.array(["en", "ko", "en", "ko"])
    cv = PredefinedSplit(np.where(languages == "en", -1, 0))
    assert splits(cv, np.eye(4)) == [([0, 2], [1, 3])]


# The scorer


def ranks(A, B, right):
    """Place of the first right answer of every row of A among the rows of B, by cosine."""
    A, B = (M / np.linalg.norm(M, axis=1, keepdims=True) for M in (A, B))
    out = []
    for i, row in enumerate(A):
        order = np.argsort(-(B @ row))
        out.append(1 + min(np.flatnonzero(np.isin(order, right[i]))))
    return np.array(out)


MEASURES = {
    "recall": lambda places: np.mean(places == 1),
    "mrr": lambda places: np.mean(1 / places),
    "ndcg": lambda places: np.mean(1 / np.log2(1 + places)),
}


@pytest.mark.parametrize("metric", MEASURES)
@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_values_are_those_of_a_plain_count(metric, direction):
    X, Y = rotated(120, noise=0.9, seed=1)
    aligner = LinearAligner("procrustes").fit(X, Y)
    moved, own = aligner.transform(X), [[i] for i in range(120)]
    there, back = MEASURES[metric](ranks(moved, Y, own)), MEASURES[metric](ranks(Y, moved, own))
    expected = {"forward": there, "backward": back, "both": (there + back) / 2}[direction]
    scorer = make_retrieval_scorer(metric, direction=direction)
    assert scorer(aligner, X, Y) == pytest.approx(expected)
    assert 0 < expected < 1
    assert there != back


def test_recall_counts_the_k_nearest():
    X, Y = rotated(120, noise=0.9)
    aligner = LinearAligner("procrustes").fit(X, Y)
    places = ranks(aligner.transform(X), Y, [[i] for i in range(120)])
    scorer = make_retrieval_scorer(k=3, direction="forward")
    assert scorer(aligner, X, Y) == pytest.approx(np.mean(places <= 3))


def test_other_metrics_are_those_of_the_package():
    X, Y = rotated(120, noise=0.9)
    aligner = LinearAligner("procrustes").fit(X, Y)
    moved = aligner.transform(X)
    assert make_retrieval_scorer("neg_xsim_error")(aligner, X, Y) == pytest.approx(
        -xsim_error(moved, Y)
    )
    assert make_retrieval_scorer("reciprocity")(aligner, X, Y) == reciprocity_score(moved, Y)
    by = {s: make_retrieval_scorer(similarity=s)(aligner, X, Y) for s in ("cosine", "csls")}
    assert by["cosine"] != by["csls"]


@pytest.mark.parametrize("space", ["english", "target", "shared"])
@pytest.mark.parametrize("text", [True, False], ids=["text", "embeddings"])
def test_recall_is_the_score_of_the_aligner_in_every_space(space, text):
    encoder = ToyEncoder(noise=0.6)
    aligner = toy(encoder=encoder, output_space=space, method="spectral")
    data = (PAIRS,) if text else (encoder.encode(KOREAN), encoder.encode(ENGLISH))
    value = make_retrieval_scorer()(aligner.fit(*data), *data)
    assert value == aligner.score(*data)
    assert 0.5 < value < 1


def test_english_systems_of_other_encoders():
    aligner = toy(english_encoder=EnglishOnly()).fit(ENGLISH, parallel=PAIRS)
    assert make_retrieval_scorer()(aligner, PAIRS) == aligner.score(PAIRS)


def test_frames_of_several_languages():
    japanese = [f"ぶん {i}" for i in range(60)]
    frame = pd.DataFrame({"en": ENGLISH[:60], "ko": KOREAN[:60], "ja": japanese})
    aligner = toy(target_lang=["ko", "ja"]).fit(frame)
    assert make_retrieval_scorer()(aligner, frame) == aligner.score(frame)
    # A pool holds one pair of a sentence.
    assert 0 < make_retrieval_scorer(pool_size=60)(aligner, frame) <= 1
    with pytest.raises(ValueError, match="hold 60 distinct pairs"):
        make_retrieval_scorer(pool_size=61)(aligner, frame)


def test_adapters_and_their_shared_space():
    X, Y = rotated(300)
    aligner = AdapterAligner(shared=True, random_state=0, device="cpu", **TINY).fit(X, Y)
    sides = aligner.transform(X), aligner.transform_counterparts(Y)
    expected = np.mean(ranks(*sides, [[i] for i in range(300)]) == 1)
    assert make_retrieval_scorer(direction="forward")(aligner, X, Y) == pytest.approx(expected)


def test_pairs_that_share_a_sentence_are_right_answers_for_each_other():
    X, Y = rotated(60)
    X[30:], Y[30:] = X[:30], Y[:30] + 0.01  # another vector, so the English side cannot tell
    aligner = LinearAligner("procrustes").fit(X, Y)
    right = [[i, (i + 30) % 60] for i in range(60)]
    expected = np.mean(ranks(aligner.transform(X), Y, right) == 1)
    value = make_retrieval_scorer(direction="forward")(aligner, X, Y)
    assert value == pytest.approx(expected)
    assert value > np.mean(ranks(aligner.transform(X), Y, [[i] for i in range(60)]) == 1)


@pytest.mark.parametrize("metric", ["recall", "neg_xsim_error", "reciprocity"])
def test_a_map_to_one_point_is_a_guess(metric):
    class OnePoint(LinearAligner):
        def transform(self, X):
            return np.ones((len(X), 4))

        def transform_counterparts(self, y):
            return np.ones((len(y), 4))

    X, Y = rotated(50)
    value = make_retrieval_scorer(metric)(OnePoint("identity").fit(X, Y), X, Y)
    assert value == pytest.approx(1 / 50 - (metric == "neg_xsim_error"))


def test_a_pool_is_the_same_for_the_same_rows():
    X, Y = rotated(200, noise=0.9)
    aligner = LinearAligner("procrustes").fit(X, Y)
    scorer = make_retrieval_scorer(pool_size=40)
    assert scorer(aligner, X, Y) == scorer(aligner, X, Y)
    seeds = {make_retrieval_scorer(pool_size=40, random_state=s)(aligner, X, Y) for s in range(8)}
    assert len(seeds) > 1
    whole = make_retrieval_scorer()
    assert make_retrieval_scorer(pool_size=200)(aligner, X, Y) == whole(aligner, X, Y)
    assert min(seeds) > whole(aligner, X, Y)  # it is easier to find a row among fewer


def test_a_pool_makes_folds_of_different_size_comparable():
    X, Y = rotated(1200, noise=0.9)
    aligner = LinearAligner("procrustes").fit(X, Y)
    few, many = (X[:100], Y[:100]), (X[100:], Y[100:])
    whole, pool = make_retrieval_scorer(), make_retrieval_scorer(pool_size=100)
    assert whole(aligner, *few) - whole(aligner, *many) > 0.2
    assert abs(pool(aligner, *few) - pool(aligner, *many)) < 0.1


def test_a_pool_is_encoded_and_nothing_else():
    encoder = ToyEncoder()
    aligner = toy(encoder=encoder).fit(PAIRS)
    encoder.calls.clear()
    make_retrieval_scorer(pool_size=30)(aligner, [*PAIRS, *PAIRS])
    assert len(set(encoder.calls)) == 60
    drawn = {t.split()[-1] for t in encoder.calls}
    assert len(drawn) == 30  # of each pair both sides, and of equal pairs one


def test_a_pool_larger_than_the_rows():
    aligner = toy().fit(PAIRS)
    aligner.encoder = NeverEncode()
    with pytest.raises(ValueError, match=r"pool_size=31.*hold 30 distinct pairs.*fewer folds"):
        make_retrieval_scorer(pool_size=31)(aligner, PAIRS[:30] * 2)


def test_steps_before_the_aligner_move_x_alone():
    X, Y = rotated()
    pipe = make_pipeline(StandardScaler(), LinearAligner("procrustes")).fit(X, Y)
    expected = pipe[1].score(pipe[0].transform(X), Y)
    assert make_retrieval_scorer()(pipe, X, Y) == expected
    alone = make_pipeline(LinearAligner("procrustes")).fit(X, Y)
    assert make_retrieval_scorer()(alone, X, Y) == alone[0].score(X, Y)
    text = make_pipeline(FunctionTransformer(), toy()).fit(PAIRS)
    assert make_retrieval_scorer()(text, PAIRS) == text[1].score(PAIRS)


def test_frames_as_output_make_no_difference():
    X, Y = rotated()
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(8)])
    aligner = LinearAligner("procrustes").set_output(transform="pandas").fit(frame, Y)
    scorer = make_retrieval_scorer(pool_size=100)
    expected = scorer(LinearAligner("procrustes").fit(X, Y), X, Y)
    assert scorer(aligner, frame, pd.DataFrame(Y)) == pytest.approx(expected)


def test_a_scorer_tells_what_it_is_and_can_be_sent():
    scorer = make_retrieval_scorer("ndcg", similarity="csls", pool_size=50)
    shown = "make_retrieval_scorer(metric='ndcg', similarity='csls', pool_size=50)"
    assert repr(scorer) == shown
    assert repr(make_retrieval_scorer()) == "make_retrieval_scorer(metric='recall')"
    assert pickle.loads(pickle.dumps(scorer)) == scorer


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"metric": "accuracy"}, r"metric must be one of.*'neg_xsim_error'.*got 'accuracy'"),
        ({"similarity": "dot"}, "similarity must be one of"),
        ({"direction": "up"}, "direction must be one of"),
        ({"k": 0}, "k must be an int of at least 1, got 0"),
        ({"k": 1.5}, "k must be an int"),
        ({"pool_size": 1}, "pool_size must be an int of at least 2, got 1"),
        ({"random_state": None}, "random_state must be an int"),
        ({"metric": "mrr", "k": 5}, "metric='mrr' knows no k: leave it at 1"),
        ({"metric": "reciprocity", "direction": "forward"}, "knows no direction"),
        ({"metric": "neg_xsim_error", "similarity": "csls"}, "knows no similarity"),
    ],
)
def test_bad_parameters_of_the_scorer(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_retrieval_scorer(**parameters)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (KOREAN, None, r"needs pairs.*cv=CrossLingualSplit\(\)"),
        (PAIRS, np.arange(200), "y must be None"),
        (np.ones((5, 12)), None, "so y is needed"),
        (np.ones((5, 12)), np.ones((5, 3)), "expects 12 features"),
    ],
)
def test_bad_data_for_the_scorer(X, y, message):
    with pytest.raises(ValueError, match=message):
        make_retrieval_scorer()(toy().fit(PAIRS), X, y)


def test_a_classifier_has_no_translations():
    encoder, X, y = labelled()
    pipe = pipeline(encoder).fit(X, y, align__parallel=OTHER_PAIRS)
    message = r"got LogisticRegression. Score the aligner alone.*cv=CrossLingualSplit\(\)"
    with pytest.raises(ValueError, match=message):
        make_retrieval_scorer()(pipe, PAIRS)


# Searches


def test_grid_over_methods_on_pairs():
    grid = {"method": ["identity", "procrustes", "ridge"]}
    scorer = make_retrieval_scorer("mrr", pool_size=40)
    encoder = ToyEncoder(shift=8.0)
    search = GridSearchCV(toy(encoder=encoder), grid, cv=3, scoring=scorer, error_score="raise")
    scores = search.fit(PAIRS).cv_results_["mean_test_score"]
    by_hand = np.empty((3, 3))
    for i, (train, test) in enumerate(KFold(3).split(PAIRS)):
        for j, parameters in enumerate(search.cv_results_["params"]):
            fitted = toy(encoder=encoder, **parameters).fit([PAIRS[row] for row in train])
            by_hand[i, j] = scorer(fitted, [PAIRS[row] for row in test])
    assert_allclose(scores, by_hand.mean(axis=0))
    identity, procrustes, ridge = scores
    assert min(procrustes, ridge) > identity + 0.1


def test_grid_over_alpha_on_embeddings():
    X, Y = rotated(300)
    scorer = make_retrieval_scorer(pool_size=100)
    search = GridSearchCV(toy(), {"alpha": [1e-2, 1e6]}, cv=3, scoring=scorer).fit(X, Y)
    free, stiff = search.cv_results_["mean_test_score"]
    assert free > stiff + 0.5
    assert stiff == pytest.approx(
        np.mean(
            [
                scorer(toy(method="identity").fit(X, Y), X[i : i + 100], Y[i : i + 100])
                for i in (0, 100, 200)
            ]
        ),
        abs=0.03,
    )


def test_grid_over_encoders_on_pairs():
    grid = {"encoder": [ToyEncoder(noise=3.0), ToyEncoder(noise=0.1)]}
    search = GridSearchCV(toy(), grid, cv=3, scoring=make_retrieval_scorer(), n_jobs=2).fit(PAIRS)
    assert search.best_index_ == 1


def test_grid_over_corpora_on_labelled_target_rows(tmp_path):
    encoder, X, y = labelled()
    paths = []
    for name, shift in (("good", 0), ("shuffled", 37)):
        rows = zip(KOREAN[100:], np.roll(ENGLISH[100:], shift), strict=True)
        paths.append(str(tmp_path / f"{name}.tsv"))
        text = "ko\ten\n" + "".join(f"{ko}\t{en}\n" for ko, en in rows)
        (tmp_path / f"{name}.tsv").write_text(text, "utf-8")
    pipe = pipeline(encoder, method="procrustes")
    search = GridSearchCV(pipe, {"align__corpus": paths}, cv=CrossLingualSplit(n_splits=3))
    search.fit(X, y)
    good, shuffled = search.cv_results_["mean_test_score"]
    assert good > max(shuffled, 0.9)
    assert search.best_params_ == {"align__corpus": paths[0]}


@pytest.mark.parametrize("routing", [False, True])
def test_adapter_width_by_grid_and_by_halving(routing):
    X, Y = rotated(300)
    scorer = make_retrieval_scorer(pool_size=20)
    aligner = AdapterAligner(random_state=0, device="cpu", **TINY)
    settings = {"cv": 3, "scoring": scorer, "error_score": "raise"}
    with sklearn.config_context(enable_metadata_routing=routing):
        whole = GridSearchCV(aligner, {"adapter_dim": [0, 4]}, **settings).fit(X, Y)
        for i, width in enumerate([0, 4]):
            train, test = next(KFold(3).split(X))
            fitted = clone(aligner).set_params(adapter_dim=width).fit(X[train], Y[train])
            expected = scorer(fitted, X[test], Y[test])
            assert whole.cv_results_["split0_test_score"][i] == pytest.approx(expected)
        grid = {"adapter_dim": [0, 4, 8, 16]}
        more = {"random_state": 0, "min_resources": 120, "factor": 2}
        halved = HalvingGridSearchCV(aligner, grid, **more, **settings).fit(X, Y)
    assert halved.n_candidates_ == [4, 2]
    assert np.isfinite(halved.cv_results_["mean_test_score"]).all()


@pytest.mark.filterwarnings(f"error:{BYPASS}")
@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("search", [GridSearchCV, HalvingGridSearchCV])
def test_adapter_width_on_labelled_target_rows(search, routing):
    encoder, X, y = labelled()
    with sklearn.config_context(enable_metadata_routing=routing):
        pipe = pipeline(encoder, method="contrastive", adapter_params=TINY, device="cpu")
        groups = np.r_[np.arange(200), np.arange(60)]
        name = "align__parallel"
        if routing:
            pipe[0].set_fit_request(parallel=True)
            name = "parallel"
        more = {} if search is GridSearchCV else {"random_state": 0, "min_resources": 130}
        found = search(
            pipe,
            {"align__adapter_dim": [0, 4]},
            cv=CrossLingualSplit(n_splits=2),
            error_score="raise",
            return_train_score=True,
            **more,
        ).fit(X, y, groups=groups, **{name: ParallelCorpus(*OTHER_PAIRS, target_lang="ko")})
    assert found.best_score_ > 0.8
    assert found.best_estimator_.score(KOREAN[:60], y[:60]) > 0.8


def test_groups_reach_the_split_in_a_search():
    encoder, X, y = labelled()
    seen = []

    class Recording(LogisticRegression):
        def fit(self, X, y):
            seen.append(len(X))
            return super().fit(X, y)

    pipe = make_pipeline(toy(encoder=encoder, corpus=None, method="identity"), Recording())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # no pairs
        GridSearchCV(
            pipe, {"recording__C": [1.0]}, cv=CrossLingualSplit(n_splits=3), refit=False
        ).fit(X, y, groups=np.r_[np.arange(200), np.arange(60)])
    assert seen == [180, 180, 180]


@pytest.mark.parametrize("routing", [False, True])
def test_the_scorer_among_scikit_learns_tools(routing):
    X, Y = rotated(300)
    scorer = make_retrieval_scorer(pool_size=50)
    aligner = LinearAligner("procrustes")
    with sklearn.config_context(enable_metadata_routing=routing):
        folds = list(KFold(4).split(X))
        by_hand = [
            scorer(clone(aligner).fit(X[train], Y[train]), X[test], Y[test])
            for train, test in folds
        ]
        assert_allclose(cross_val_score(aligner, X, Y, cv=4, scoring=scorer), by_hand)
        several = cross_validate(
            aligner, X, Y, cv=4, scoring={"r": scorer, "m": make_retrieval_scorer("mrr")}
        )
        assert_allclose(several["test_r"], by_hand)
        grid = GridSearchCV(aligner, {"method": ["identity", "procrustes"]}, scoring=scorer, cv=2)
        nested = cross_val_score(grid, X, Y, cv=4, scoring=scorer, error_score="raise")
        assert_allclose(nested, by_hand)  # procrustes is the best in every fold
        _, _, tested = sklearn_learning_curve(
            aligner, X, Y, cv=4, train_sizes=[60, 225], scoring=scorer, error_score="raise"
        )
        assert_allclose(tested[1], by_hand)


@pytest.mark.filterwarnings("ignore:The scoring make_retrieval_scorer")  # scikit-learn's, and right
def test_weights_of_pairs_go_to_the_fit_alone():
    X, Y = rotated(300)
    scorer, aligner = make_retrieval_scorer(), LinearAligner("procrustes")
    weights = np.r_[np.ones(150), np.zeros(150)]
    search = GridSearchCV(
        aligner,
        {"method": ["procrustes"]},
        scoring=scorer,
        cv=[(np.arange(250), np.arange(250, 300))],
    ).fit(X, Y, sample_weight=weights)
    expected = scorer(aligner.fit(X[:150], Y[:150]), X[250:], Y[250:])
    assert search.best_score_ == pytest.approx(expected)


# The warning


def bypass_warnings(run):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        run()
    return [w for w in caught if BYPASS in str(w.message)]


@pytest.mark.parametrize("search", [GridSearchCV, HalvingGridSearchCV])
def test_a_search_scored_on_english_rows_warns_once(search):
    encoder, X, y = labelled()
    pipe = pipeline(encoder)
    grid = {"align__alpha": [0.1, 1.0, 10.0]}

    def run():
        found = search(pipe, grid, cv=3).fit(X[:200], y[:200], align__parallel=OTHER_PAIRS)
        # The first round of halving, or all there is.
        scores = found.cv_results_["mean_test_score"][:3]
        assert np.ptp(scores) == 0  # what the warning says

    for _ in range(2):
        (warning,) = bypass_warnings(run)
        assert issubclass(warning.category, UserWarning)
        for remedy in ("make_retrieval_scorer()", "CrossLingualSplit()"):
            assert remedy in str(warning.message)


def test_a_search_in_several_processes_warns_once():
    code = """if True:
        import sys
        sys.path.insert(0, sys.argv[1])
        from sklearn.model_selection import GridSearchCV
        from tests.model_selection.test_tuning import labelled, pipeline
        encoder, X, y = labelled()
        search = GridSearchCV(pipeline(encoder), {"align__alpha": [0.1, 1.0]}, cv=3, n_jobs=2)
        search.fit(X[:200], y[:200], align__parallel=(X[200:], X[:60]))
    """
    command = [sys.executable, "-c", code, str(Path(__file__).parents[2])]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    assert found.stderr.count(BYPASS) == 1


@pytest.mark.parametrize("scoring", [None, "accuracy", ["accuracy", "f1_macro"]], ids=str)
def test_every_kind_of_scoring_warns(scoring):
    encoder, X, y = labelled()

    def run():
        cross_validate(pipeline(encoder, method="identity"), X[:200], y[:200], scoring=scoring)

    assert len(bypass_warnings(run)) == 1


def test_a_scorer_without_a_hash_warns():
    class Unhashable:
        __hash__ = None

        def __call__(self, estimator, X, y):
            return estimator.score(X, y)

    encoder, X, y = labelled()

    def run():
        pipe = pipeline(encoder, method="identity")
        GridSearchCV(pipe, {"align__alpha": [1.0]}, scoring=Unhashable()).fit(X[:200], y[:200])

    assert bypass_warnings(run)


def test_whole_aligners_in_the_grid_warn():
    encoder, X, y = labelled()
    grid = {"align": [toy(encoder=encoder, corpus=None, method="identity")]}

    def run():
        GridSearchCV(pipeline(encoder), grid, cv=3).fit(X[:200], y[:200])

    assert len(bypass_warnings(run)) == 1


def english_search(encoder, X, y, **parameters):
    grid = {"align__alpha": [0.1, 1.0]}
    pipe = pipeline(encoder, **parameters)
    GridSearchCV(pipe, grid, cv=3).fit(X[:200], y[:200], align__parallel=OTHER_PAIRS)


def target_search(encoder, X, y, **parameters):
    cv = CrossLingualSplit(n_splits=3)
    search = GridSearchCV(
        pipeline(encoder),
        {"align__alpha": [0.1, 1.0]},
        cv=cv,
        return_train_score=True,
        **parameters,
    )
    search.fit(X, y, align__parallel=OTHER_PAIRS)


@pytest.mark.parametrize(
    "run",
    [
        lambda e, X, y: target_search(e, X, y),
        lambda e, X, y: target_search(e, X, y, scoring=["accuracy", "f1_macro"], refit=False),
        lambda e, X, y: GridSearchCV(toy(), {"alpha": [0.1, 1.0]}, cv=3).fit(PAIRS),
        lambda e, X, y: cross_val_score(toy(), PAIRS, cv=3, scoring=make_retrieval_scorer()),
        lambda e, X, y: english_search(e, X, y, output_space="target"),
        lambda e, X, y: english_search(e, X, y, output_space="shared", method="spectral"),
        lambda e, X, y: GridSearchCV(
            pipeline(e, method="identity"), {"clf__C": [0.1, 1.0]}, cv=3
        ).fit(X[:200], y[:200]),
        lambda e, X, y: pipeline(e).fit(X, y, align__parallel=OTHER_PAIRS).predict(ENGLISH),
        lambda e, X, y: pipeline(e).fit(X, y, align__parallel=OTHER_PAIRS).score(ENGLISH, y[:200]),
        lambda e, X, y: cross_val_score(
            pipeline(e), X, y, cv=KFold(3, shuffle=True), params={"align__parallel": OTHER_PAIRS}
        ),
    ],
    ids=[
        "target rows and train scores",
        "several metrics",
        "pairs",
        "retrieval",
        "target space",
        "shared space",
        "parameters of the classifier",
        "predict",
        "score",
        "mixed rows",
    ],
)
def test_no_warning_where_the_map_is_scored_or_nothing_is_tuned(run):
    data = labelled()
    assert not bypass_warnings(lambda: run(*data))


def test_the_look_for_a_search_costs_next_to_nothing():
    def deep(n):
        if n:
            return deep(n - 1)
        return min(timeit.repeat(lambda: warn_of_bypass(CrossLingualAligner), number=200)) / 200

    assert deep(100) < 20e-6


def test_import_needs_no_torch():
    code = (
        "import sys, langalign_sk.model_selection as m; [getattr(m, n) for n in m.__all__]; "
        "assert not {'torch', 'skorch', 'transformers'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
