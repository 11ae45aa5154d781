"""Parameters of array-level aligners that were passed and have no effect."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from langalign_sk import AdapterAligner, LinearAligner
from tests.idle import said
from tests.toy import rotated

X, Y = rotated(60)
QUICK = {"max_epochs": 1, "random_state": 0, "device": "cpu"}


@pytest.mark.parametrize(
    ("estimator", "names"),
    [
        (LinearAligner("procrustes", alpha=1.0), "alpha has"),
        (LinearAligner("identity", alpha=1.0), "alpha has"),
        (LinearAligner("ridge", alpha=1.0, power=0.5, rank=2), "power and rank have"),
        (LinearAligner("ridge", alpha=1.0, objective="head"), "objective has"),
        (LinearAligner(shared=True, match_scale=True), "match_scale has"),
        (AdapterAligner("mse", temperature=0.1, **QUICK), "temperature has"),
        (AdapterAligner("autoencoder", hard_negatives=3, **QUICK), "hard_negatives has"),
        (AdapterAligner("mse", mse_weight=1.0, **QUICK), "mse_weight has"),
        (AdapterAligner(shared=True, mse_weight=1.0, **QUICK), "mse_weight has"),
        (AdapterAligner(shared=True, inverse=False, **QUICK), "inverse has"),
        (AdapterAligner("mse", init="random", start="ridge", **QUICK), "start has"),
        (AdapterAligner("mse", init="random", weight_decay=1.0, **QUICK), "weight_decay has"),
        (AdapterAligner(dropout=0.3, **QUICK), "dropout has"),
        (
            AdapterAligner(early_stopping=False, validation_fraction=0.2, **QUICK),
            "validation_fraction has",
        ),
        (AdapterAligner(early_stopping=False, objective="head", **QUICK), "objective has"),
    ],
)
def test_what_has_no_effect(estimator, names):
    (message,) = said(lambda: estimator.fit(X, Y))
    assert message.startswith(f"{names} no effect here: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0.1},
        {"hard_negatives": 3},
        {"mse_weight": 1.0},
        {"inverse": False},
        {"start": "ridge"},
        {"weight_decay": 1.0},
        {"adapter_dim": 8, "dropout": 0.3},
        {"validation_fraction": 0.2},
        {"objective": "head"},
    ],
    ids=", ".join,
)
def test_what_has_an_effect(changes):
    assert not said(lambda: AdapterAligner(**{**QUICK, **changes}).fit(X, Y))
    assert not said(lambda: LinearAligner(alpha=1.0, power=0.5, objective="head").fit(X, Y))
    assert not said(lambda: LinearAligner("spectral", rank=2, match_scale=True).fit(X, Y))


@pytest.mark.parametrize("name", ["temperature", "mse_weight", "hard_negatives"])
def test_weights_do_not_depend_on_what_has_no_effect(name):
    value = {"temperature": 0.2, "mse_weight": 7.0, "hard_negatives": 5}[name]
    plain = AdapterAligner("mse", **QUICK).fit(X, Y)
    with pytest.warns(UserWarning, match=f"{name} has no effect"):
        other = AdapterAligner("mse", **{name: value}, **QUICK).fit(X, Y)
    np.testing.assert_array_equal(plain.transform(X), other.transform(X))


def test_a_linear_adapter_drops_nothing():
    plain = AdapterAligner(**QUICK).fit(X, Y)
    with pytest.warns(UserWarning, match="dropout has no effect"):
        other = AdapterAligner(dropout=0.5, **QUICK).fit(X, Y)
    np.testing.assert_array_equal(plain.transform(X), other.transform(X))


def test_a_search_says_it_once():
    search = GridSearchCV(LinearAligner("procrustes"), {"alpha": [0.1, 1.0, 10.0]}, cv=3)
    assert len(said(lambda: search.fit(X, Y))) == 1
    search = GridSearchCV(LinearAligner(alpha=1.0), {"method": ["procrustes", "ridge"]}, cv=3)
    assert not said(lambda: search.fit(X, Y))
