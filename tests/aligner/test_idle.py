"""Parameters of a CrossLingualAligner that were passed and have no effect."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner, SentenceEncoder
from tests.idle import said
from tests.toy import ENGLISH, KOREAN, PAIRS, EnglishOnly, ToyEncoder, rotated

QUICK = {"max_epochs": 1}
CLASSES = np.array(["a", "b"] * 100)


def aligner(**parameters):
    return CrossLingualAligner(**{"encoder": ToyEncoder(), "random_state": 0} | parameters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"adapter_dim": 8}, 'adapter_dim has no effect here: method="auto" trains.*2,000 pairs'),
        ({"adapter_params": QUICK}, 'adapter_params has no effect here: method="auto"'),
        ({"method": "ridge", "adapter_dim": 8}, "'ridge' is a closed form"),
        ({"method": "ridge", "adapter_params": {"learning_rate": 0.1}}, "'ridge' is a closed form"),
        (
            {"method": "ridge", "adapter_dim": 8, "adapter_params": QUICK},
            "adapter_dim and adapter_params have no effect here",
        ),
        ({"adapter_dim": 8, "objective": "head"}, "compares closed forms only"),
        ({"adapter_dim": 8, "time_budget": 0}, "time_budget=0 compares closed forms only"),
        ({"method": "procrustes", "alpha": 1.0}, "alpha has no effect.*'procrustes' has no reg"),
        ({"method": "identity", "alpha": [1.0, 2.0]}, "'identity' has no regularisation"),
        ({"method": "centre", "alpha": 1.0}, "'centre' has no regularisation"),
        ({"method": "scale", "alpha": 1.0}, "'scale' has no regularisation"),
        (
            {"method": "mse", "alpha": 1.0, "adapter_params": QUICK},
            "alpha has no effect.*method='mse' is trained",
        ),
        ({"method": "procrustes", "objective": "head"}, "objective has no effect.*is a single map"),
        ({"method": "ridge", "alpha": 1.0, "objective": "head"}, "objective has no effect"),
        ({"method": "ridge", "time_budget": 5.0}, 'time_budget has no effect.*only method="auto"'),
        ({"bridge_method": "mse"}, "bridge_method has no effect.*no bridge is learned"),
        ({"bridge_alpha": 2.0}, "bridge_alpha has no effect.*no bridge is learned"),
        ({"corpus": "mine.tsv"}, "corpus has no effect.*pairs were passed to fit"),
        ({"device": "cpu"}, "device has no effect.*choose their own device"),
        (
            {"method": "mse", "adapter_params": {**QUICK, "temperature": 0.1}},
            r"adapter_params\['temperature'\] has no effect.*contrastive",
        ),
        (
            {"method": "contrastive", "adapter_params": {**QUICK, "dropout": 0.2}},
            r"adapter_params\['dropout'\] has no effect.*linear adapter",
        ),
        (
            {
                "method": "mse",
                "adapter_params": {**QUICK, "early_stopping": False, "n_iter_no_change": 2},
            },
            r"adapter_params\['n_iter_no_change'\] has no effect.*early_stopping=False",
        ),
        (
            {"method": "mse", "adapter_params": {**QUICK, "init": "random", "start": "ridge"}},
            r"adapter_params\['start'\] has no effect.*init=\"random\"",
        ),
    ],
)
def test_what_has_no_effect_is_said_and_reported(parameters, message):
    fitted = aligner(**parameters)
    with pytest.warns(UserWarning, match=message) as caught:
        fitted.fit(PAIRS)
    (said_now,) = [str(w.message) for w in caught if "no effect" in str(w.message)]
    assert said_now in fitted.alignment_report_.warnings
    assert not said(lambda: fitted.fit(PAIRS))
    assert said_now in fitted.alignment_report_.warnings


def test_the_encoder_that_is_named_twice():
    encoder = ToyEncoder()
    for english in (encoder, "use-multilingual", SentenceEncoder("use-multilingual")):
        source = encoder if english is encoder else "use-multilingual"
        fitted = CrossLingualAligner(encoder=source, english_encoder=english, method="ridge")
        (message,) = said(lambda fitted=fitted: fitted.fit(PAIRS[:20]))
        assert "english_encoder has no effect here: it is the multilingual encoder" in message


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"method": "ridge", "alpha": 1.0},
        {"method": "ridge", "alpha": [1.0, 10.0], "objective": "head"},
        {"method": "spectral", "alpha": 1.0, "objective": "head"},
        {"alpha": [1.0, 10.0]},
        {"corpus": None},
        {"method": "identity", "time_budget": 0},
        {"time_budget": 0},
        {"time_budget": 60.0},
        {"adapter_params": {}},
        {"method": "contrastive", "adapter_dim": 4, "adapter_params": {**QUICK, "dropout": 0.2}},
        {"method": "mse", "adapter_params": QUICK, "device": "cpu", "objective": "head"},
        {"output_space": "shared", "alpha": 1.0},
        {"output_space": "shared", "method": "contrastive", "adapter_params": QUICK},
        {"output_space": "target", "method": "ridge", "alpha": 1.0},
        {"english_encoder": EnglishOnly(), "bridge_alpha": 2.0},
        {"english_encoder": EnglishOnly(), "bridge_method": "mse", "adapter_params": QUICK},
        {"detect": lambda texts: ["ko" if "문" in text else "en" for text in texts]},
    ],
    ids=lambda parameters: ", ".join(parameters) or "defaults",
)
def test_what_has_an_effect(parameters):
    assert not said(lambda: aligner(**parameters).fit(PAIRS))


def test_enough_pairs_for_an_adapter(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._plan.MIN_ADAPTER_PAIRS", 100)
    fitted = aligner(adapter_dim=4, adapter_params=QUICK, device="cpu")
    assert not said(lambda: fitted.fit(PAIRS))


def test_there_is_nothing_to_learn_a_map_from():
    fitted = aligner(corpus=None, method="ridge", alpha=1.0, adapter_dim=8)
    adapters, maps = said(lambda: fitted.fit(ENGLISH[:30]))
    assert "adapter_dim has no effect" in adapters
    assert "method and alpha have no effect here: corpus=None and there are no pairs" in maps
    assert not said(lambda: aligner(corpus=None, method="identity").fit(ENGLISH[:30]))


def test_embeddings():
    X, Y = rotated()
    assert said(lambda: aligner(corpus="mine.tsv", method="ridge").fit(X, Y))
    assert not said(lambda: aligner(method="ridge", english_encoder=EnglishOnly()).fit(X, Y))


# Once


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_grid_over_what_has_no_effect(n_jobs):
    search = GridSearchCV(aligner(), {"adapter_dim": [4, 8, 16]}, cv=3, n_jobs=n_jobs)
    (message,) = said(lambda: search.fit(PAIRS))
    assert message.startswith("adapter_dim has no effect")
    scores = search.cv_results_["mean_test_score"]
    assert (scores == scores[0]).all()
    assert not said(lambda: clone(search.best_estimator_).fit(PAIRS))


def test_folds_and_clones_say_it_once():
    pipe = make_pipeline(
        aligner(method="procrustes", alpha=1.0, corpus=None), LogisticRegression()
    ).set_params(crosslingualaligner__corpus=None)
    fit = {"crosslingualaligner__parallel": PAIRS}
    assert len(said(lambda: cross_val_score(pipe, ENGLISH, CLASSES, cv=4, params=fit))) == 1
    assert not said(lambda: clone(pipe).fit(ENGLISH, CLASSES, **fit))


def test_a_search_over_what_governs_it():
    # Other candidates use `alpha`.
    for grid in ({"method": ["procrustes", "ridge"]}, {"method": ["ridge"], "alpha": [1.0, 3.0]}):
        assert not said(lambda grid=grid: GridSearchCV(aligner(alpha=1.0), grid, cv=2).fit(PAIRS))
    search = GridSearchCV(aligner(method="procrustes"), {"alpha": [1.0, 3.0]}, cv=2)
    assert len(said(lambda: search.fit(PAIRS))) == 1


def test_another_setting_is_said_as_well():
    fitted = aligner(method="procrustes", alpha=1.0)
    assert len(said(lambda: fitted.fit(PAIRS))) == 1
    assert len(said(lambda: fitted.set_params(method="centre").fit(PAIRS))) == 1
    assert len(said(lambda: aligner(method="centre", alpha=1.0).fit(PAIRS))) == 1


def test_estimators_hold_nothing_of_it():
    fitted = aligner(method="procrustes", alpha=1.0)
    assert len(said(lambda: clone(fitted).fit(PAIRS[:20]))) == 1
    assert {*vars(fitted)} == {*vars(clone(fitted))} == {*fitted.get_params(deep=False)}
    for twin in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert len(said(lambda twin=twin: twin.fit(PAIRS[:20]))) == 1


def test_warnings_that_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="alpha has no effect"):
            aligner(method="procrustes", alpha=1.0).fit(KOREAN[:2], parallel=PAIRS)
