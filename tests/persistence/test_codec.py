"""Fitted objects as JSON and arrays: what is kept, left out and refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.utils import Bunch

from langalign_sk import (
    AdapterAligner,
    LinearAligner,
    save,
)
from tests.persistence.common import X, Y, aligner, there_and_back
from tests.toy import KOREAN

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def test_what_goes_on_with_a_partial_fit_is_left_out(tmp_path):
    fitted = AdapterAligner(adapter_dim=0, random_state=0).partial_fit(X, Y)
    again = there_and_back(fitted, tmp_path)
    assert_array_equal(again.transform(X), fitted.transform(X))
    assert again._partial_state is None
    again.partial_fit(X, Y)


def test_names_of_columns(tmp_path):
    A, B = (pd.DataFrame(rows, columns=list("abcdef")) for rows in (X, Y))
    fitted = LinearAligner("ridge", alpha=1.0).fit(A, B).set_output(transform="pandas")
    again = there_and_back(fitted, tmp_path)
    assert_array_equal(again.feature_names_in_, fitted.feature_names_in_)
    pd.testing.assert_frame_equal(again.transform(A), fitted.transform(A))
    with pytest.raises(ValueError, match="feature names"):
        again.transform(A.rename(columns={"a": "z"}))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"random_state": np.random.RandomState(0)}, "random_state is a RandomState"),
        ({"corpus": Bunch(ko=KOREAN)}, "corpus is a Bunch|corpus"),
        ({"adapter_params": {"callbacks": [print]}}, r"adapter_params\.callbacks\.0 is a builtin"),
        ({"adapter_params": {1: 2}}, "adapter_params is a dict with keys that are not str"),
    ],
)
def test_what_cannot_be_saved_is_named(change, place, tmp_path):
    fitted = aligner()
    save(fitted, tmp_path / "old")
    before = {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()}
    fitted.set_params(**change)
    if isinstance(fitted.corpus, dict):
        fitted.corpus = object()
    for folder in ("old", "never-made"):
        with pytest.raises(TypeError, match=place):
            save(fitted, tmp_path / folder)
    assert not (tmp_path / "never-made").exists()
    assert {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()} == before
