"""Pickles of estimators of this package."""

from __future__ import annotations

import copy

import joblib
import pytest
from numpy.testing import assert_array_equal

from tests.persistence.common import MODELS, answer

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("which", MODELS)
def test_pickles_know_their_release(which, models, tmp_path):
    model = models[which]
    name, path = type(model).__name__, tmp_path / "model.joblib"
    state = model.__getstate__()
    joblib.dump(model, path)
    again = joblib.load(path)
    assert_array_equal(answer(again), answer(model))
    assert not hasattr(again, "_langalign_sk_version")
    assert_array_equal(answer(copy.deepcopy(model)), answer(model))
    twin = type(model).__new__(type(model))
    with pytest.warns(UserWarning, match=rf"This {name} was pickled by an unknown release and is"):
        twin.__setstate__({k: v for k, v in state.items() if k != "_langalign_sk_version"})
    assert_array_equal(answer(twin), answer(model))
    with pytest.warns(UserWarning, match=r"pickled by langalign_sk 0\.0\.9 and is loaded by \d"):
        twin.__setstate__(state | {"_langalign_sk_version": "0.0.9"})
