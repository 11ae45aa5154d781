"""Searches of scikit-learn with the scorer and the splitter."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    cross_val_score,
    cross_validate,
)
from sklearn.model_selection import learning_curve as sklearn_learning_curve
from sklearn.pipeline import make_pipeline

from langalign_sk import AdapterAligner, LinearAligner, ParallelCorpus
from langalign_sk.model_selection import CrossLingualSplit, make_retrieval_scorer
from tests.model_selection.factories import OTHER_PAIRS, TINY, labelled, pipeline, toy
from tests.toy import ENGLISH, KOREAN, PAIRS, ToyEncoder, rotated

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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_english_rows_cannot_tell_maps_apart():
    encoder, X, y = labelled()
    search = GridSearchCV(pipeline(encoder), {"align__alpha": [0.1, 1.0, 10.0]}, cv=3)
    search.fit(X[:200], y[:200], align__parallel=OTHER_PAIRS)
    assert np.ptp(search.cv_results_["mean_test_score"]) == 0
