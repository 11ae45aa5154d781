"""The warning for a search whose held-out English rows cannot tell language maps apart."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from langalign_sk import CrossLingualClassifier
from langalign_sk.model_selection import CrossLingualSplit, make_retrieval_scorer
from tests.model_selection.factories import OTHER_PAIRS, labelled, toy
from tests.toy import ENGLISH, KOREAN, PAIRS, EnglishOnly, ToyEncoder

CLASSES = np.array(["a", "b"] * 60)
TEXTS = ENGLISH[:120]
WITH_PAIRS = {"align__parallel": OTHER_PAIRS}
MAPS = {"align__method": ["identity", "ridge"]}


def pipe(**parameters):
    aligner = toy(**{"encoder": ToyEncoder(), **parameters})
    return Pipeline([("align", aligner), ("clf", LogisticRegression(C=10))])


def said(run):
    """Messages of the warning that a call gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    return [str(w.message) for w in caught if "English rows are held out" in str(w.message)]


def search(grid, estimator=None, kind=GridSearchCV, X=TEXTS, y=CLASSES, fit=WITH_PAIRS, **words):
    words = {"cv": 3, "error_score": "raise", **words}
    return kind(pipe() if estimator is None else estimator, grid, **words).fit(X, y, **fit)


# Where it is said


@pytest.mark.parametrize(
    "grid",
    [
        MAPS,
        {"align__alpha": [0.1, 10.0]},
        {"align__alpha": [0.1, 10.0], "clf__C": [1, 10]},
    ],
    ids=["method", "alpha", "alpha and head"],
)
def test_a_search_over_settings_of_the_map(grid):
    (message,) = said(lambda: search(grid))
    assert "make_retrieval_scorer()" in message
    assert "CrossLingualSplit()" in message
    for name in ("method", "alpha"):
        assert (name in message) == (f"align__{name}" in str(grid))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (GridSearchCV, {"n_jobs": 2}),
        (GridSearchCV, {"refit": False}),
        (GridSearchCV, {"return_train_score": True}),
        (HalvingGridSearchCV, {"factor": 2, "min_resources": 60}),
        (RandomizedSearchCV, {"n_iter": 2, "random_state": 0}),
    ],
    ids=["two processes", "without refit", "with training scores", "halving", "randomized"],
)
def test_every_search_says_it_once(kind, words):
    assert len(said(lambda: search(MAPS, kind=kind, **words))) == 1


def test_a_list_of_grids():
    grid = [{"align__method": ["identity"]}, {"align__alpha": [1.0, 3.0]}]
    assert len(said(lambda: search(grid))) == 1


def test_a_memory_of_transformers(tmp_path):
    estimator = pipe().set_params(memory=str(tmp_path))
    assert len(said(lambda: search(MAPS, estimator))) == 1


def test_nested_estimators():
    inner = Pipeline(
        [("vectors", FeatureUnion([("align", toy(corpus=None))])), ("clf", LogisticRegression())]
    )
    grid = {"inner__vectors__align__method": ["identity", "ridge"]}
    assert len(said(lambda: search(grid, Pipeline([("inner", inner)]), fit={}))) == 1


def test_a_column_transformer():
    table = pd.DataFrame({"text": TEXTS, "n": np.arange(120) % 3})
    columns = ColumnTransformer([("align", toy(corpus=None), "text"), ("n", "passthrough", ["n"])])
    estimator = make_pipeline(columns, LogisticRegression())
    grid = {"columntransformer__align__method": ["identity", "ridge"]}
    assert len(said(lambda: search(grid, estimator, X=table, fit={}))) == 1


def test_a_search_inside_a_cross_validation():
    inner = GridSearchCV(pipe(corpus=None), MAPS, cv=2)
    assert len(said(lambda: cross_val_score(inner, TEXTS, CLASSES, cv=2))) == 1


def test_a_loop_over_one_pipeline():
    estimator = pipe(corpus=None)

    def loop():
        for alpha in (0.1, 1.0, 10.0):
            cross_val_score(estimator.set_params(align__alpha=alpha), TEXTS, CLASSES, cv=2)

    assert len(said(loop)) == 1


def test_a_validation_curve():
    words = {"param_name": "align__alpha", "param_range": [0.1, 10.0], "cv": 2}
    run = said(lambda: validation_curve(pipe(corpus=None), TEXTS, CLASSES, **words))
    assert len(run) == 1


def test_settings_of_a_bridge():
    estimator = pipe(encoder=ToyEncoder(), english_encoder=EnglishOnly())
    assert len(said(lambda: search({"align__bridge_alpha": [0.1, 10.0]}, estimator))) == 1
    encoders = {"align__encoder": [ToyEncoder(), ToyEncoder(shift=1.0)]}
    other = pipe(encoder=ToyEncoder(), english_encoder=EnglishOnly())
    assert len(said(lambda: search(encoders, other))) == 1


def test_a_classifier_with_aligners_of_its_own():
    classifier = CrossLingualClassifier(
        toy(corpus=None), head=LogisticRegression(), views="own", random_state=0
    )
    grid = {"aligner__alpha": [0.1, 10.0]}
    assert len(said(lambda: search(grid, classifier, fit={"parallel": OTHER_PAIRS}, cv=2))) == 1


# Where it is not


@pytest.mark.parametrize(
    "grid",
    [
        {"clf__C": [1, 10]},
        {"align__encoder": [ToyEncoder(), ToyEncoder(shift=1.0)]},
        {"align__random_state": [0, 1]},
        {},
    ],
    ids=["head", "encoder", "seed", "nothing"],
)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_over_what_english_rows_feel(grid, n_jobs):
    assert not said(lambda: search(grid, n_jobs=n_jobs))


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    "run",
    [
        lambda words: cross_validate(pipe(corpus=None), TEXTS, CLASSES, **words),
        lambda words: cross_val_score(pipe(corpus=None), TEXTS, CLASSES, **words),
        lambda words: learning_curve(pipe(corpus=None), TEXTS, CLASSES, **words),
    ],
    ids=["cross_validate", "cross_val_score", "learning_curve"],
)
def test_nothing_is_compared(run, n_jobs):
    assert not said(lambda: run({"cv": 3, "n_jobs": n_jobs}))


def test_the_encoder_and_the_english_encoder_are_compared():
    grid = {"align__english_encoder": [EnglishOnly(), EnglishOnly(width=5)]}
    assert not said(lambda: search(grid, pipe(english_encoder=EnglishOnly())))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_target_rows_are_held_out(n_jobs):
    _, texts, classes = labelled()
    cv = CrossLingualSplit("ko", n_splits=3)
    assert not said(lambda: search(MAPS, X=texts, y=classes, cv=cv, n_jobs=n_jobs))
    mixed = [text for pair in zip(KOREAN[:60], ENGLISH[60:120], strict=True) for text in pair]
    assert not said(lambda: search(MAPS, X=mixed, cv=3, n_jobs=n_jobs))


def test_pairs_are_held_out():
    scorer = make_retrieval_scorer()
    grid = {"method": ["identity", "ridge"]}
    assert not said(lambda: search(grid, toy(), X=PAIRS, y=None, fit={}, scoring=scorer))
    assert not said(lambda: search(grid, toy(), X=PAIRS, y=None, fit={}, n_jobs=2))


def test_a_pipeline_that_remembers_its_steps_is_not_a_search(tmp_path):
    remembering = pipe().set_params(memory=str(tmp_path))
    estimator = clone(remembering).set_params(align__alpha=2.0)
    assert not said(lambda: estimator.fit(TEXTS, CLASSES, **WITH_PAIRS))


def test_a_search_of_pipelines_that_remember_their_steps(tmp_path):
    estimator = pipe().set_params(memory=str(tmp_path))
    assert said(lambda: search(MAPS, estimator, n_jobs=2))


def test_a_scorer_of_target_rows():
    def korean(estimator, X, y):
        return estimator.score(KOREAN[:120], CLASSES)

    assert not said(lambda: search(MAPS, scoring=korean))


def test_both_languages_are_looked_at():
    estimator = pipe(corpus=None)

    def loop():
        for method in ("identity", "ridge"):
            fitted = clone(estimator).set_params(align__method=method).fit(TEXTS, CLASSES)
            for rows in (ENGLISH[120:], KOREAN[120:]):
                fitted.predict(rows)

    assert not said(loop)


def test_spaces_that_english_rows_move_to():
    estimator = pipe(output_space="target")
    assert not said(lambda: search({"align__alpha": [0.1, 10.0]}, estimator))


def test_english_rows_that_pass_a_bridge():
    estimator = pipe(english_encoder=EnglishOnly())
    grid = {"align__bridge_alpha": [0.1, 10.0]}
    fit = {**WITH_PAIRS, "align__cross_fit": 3}
    assert not said(lambda: search(grid, estimator, fit=fit))


def test_what_was_said_is_not_said_again():
    estimator = pipe()
    found = []
    assert len(said(lambda: found.append(search(MAPS, estimator)))) == 1
    best = found[0].best_estimator_
    assert not said(lambda: clone(best).fit(TEXTS, CLASSES).predict(TEXTS))
    assert not said(lambda: pickle.loads(pickle.dumps(best)).predict(ENGLISH))
    assert not said(lambda: search(MAPS, estimator))
    assert not said(lambda: search({"clf__C": [1, 10]}, estimator))
    assert len(said(lambda: search({"align__alpha": [1.0, 2.0]}, estimator))) == 1


def test_warnings_point_at_the_line_that_searches():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search({"align__adapter_dim": [4, 8]})
    assert {w.filename for w in caught if "English rows" in str(w.message)} == {__file__}
    idle = [w.filename for w in caught if "adapter_dim has no effect" in str(w.message)]
    assert idle == [__file__]
