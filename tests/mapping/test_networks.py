"""Fitted maps as arrays: they move rows as the estimator does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from langalign_sk import AdapterAligner, LinearAligner

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5)).astype(np.float32)
Y = (X @ RNG.normal(size=(5, 4))).astype(np.float32)
MODELS = {
    "linear": lambda **settings: LinearAligner("spectral", alpha=1.0, **settings),
    "adapter": lambda **settings: AdapterAligner(
        adapter_dim=3, max_epochs=1, random_state=0, **settings
    ),
}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_networks_move_as_the_estimator_does(model, shared):
    fitted = MODELS[model](shared=shared).fit(X, Y)
    networks = fitted.networks()
    moved, counterparts = fitted.transform(X), fitted.transform_counterparts(Y)
    rtol = 20 * np.finfo(np.float32).eps
    pairs = {
        "move": (networks["move"](X), moved),
        "move_back": (networks["move_back"](moved), fitted.inverse_transform(moved)),
    }
    if shared:
        pairs["move_counterparts"] = (networks["move_counterparts"](Y), counterparts)
    assert networks.keys() == pairs.keys()
    for ours, expected in pairs.values():
        assert_allclose(ours, expected, rtol=rtol, atol=rtol * np.abs(expected).max())
