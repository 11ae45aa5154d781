"""The version in a pickle: who loads a file of another release is told, at a line of their own."""

from __future__ import annotations

import inspect
import io
import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from langalign_sk import LinearAligner, __version__

X = np.random.default_rng(0).normal(size=(12, 2))


@pytest.fixture
def of_another_release(monkeypatch):
    """A pickled estimator of an earlier release."""
    with monkeypatch.context() as patch:
        patch.setattr("langalign_sk._utils.stamp.__version__", "0.0.9")
        return pickle.dumps(make_pipeline(LinearAligner("ridge", alpha=1.0).fit(X, X)))


@pytest.mark.parametrize(
    "read",
    [
        lambda content: pickle.loads(content),
        lambda content: pickle._loads(content),  # pickle in Python, whose frames are between
        lambda content: joblib.load(io.BytesIO(content)),
    ],
    ids=["pickle", "pickle in Python", "joblib"],
)
def test_the_warning_points_at_the_line_that_loads(read, of_another_release):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read(of_another_release)
    (warning,) = (w for w in caught if "was pickled by langalign_sk 0.0.9" in str(w.message))
    assert f"is loaded by {__version__}: " in str(warning.message)
    assert "save models by langalign_sk.save" in str(warning.message)
    lines, first = inspect.getsourcelines(read)
    assert warning.filename == __file__
    assert first <= warning.lineno < first + len(lines)
