"""Models of format 1: each loads, is saved again, loads again, and answers as it did."""

from __future__ import annotations

import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.fixes import parse_version

from langalign_sk import load, save
from tests.persistence.saved_format_1.make import FOLDERS, JOBLIB, answers

FORMAT_1 = Path(__file__).parent / "saved_format_1"
# What scikit-learn reads holds its own estimators, in the state of the release that wrote them.
OF_SKLEARN = ("pipeline", "classifier", JOBLIB)


@pytest.fixture(scope="module")
def expected():
    with np.load(FORMAT_1 / "expected.npz") as file:
        return dict(file)


@pytest.fixture
def reading(expected):
    """How a model of format 1 is read: without a warning, but for those about releases."""

    def read(name):
        if name in OF_SKLEARN:
            if parse_version(sklearn.__version__) < parse_version(str(expected["sklearn"])):
                pytest.skip("scikit-learn does not read estimators of later releases")
            if name != JOBLIB:
                pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
        with warnings.catch_warnings():
            # The files outlast the releases that wrote them.
            warnings.simplefilter("error", UserWarning)
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            warnings.filterwarnings("ignore", r"This \w+ was pickled by", UserWarning)
            return joblib.load(FORMAT_1 / name) if name == JOBLIB else load(FORMAT_1 / name)

    return read


@pytest.mark.parametrize("name", [*FOLDERS, JOBLIB])
def test_a_model_that_is_saved_again_answers_as_before(name, reading, expected, tmp_path):
    model = reading(name)
    before = answers(name, model, expected["X"], expected["texts"])
    if name == JOBLIB:
        pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
        joblib.dump(model, tmp_path / JOBLIB)
    save(model, tmp_path / "folder")
    again = [load(tmp_path / "folder")]
    if name == JOBLIB:
        again.append(joblib.load(tmp_path / JOBLIB))
    for other in again:
        assert type(other) is type(model)
        after = answers(name, other, expected["X"], expected["texts"])
        assert after.keys() == before.keys()
        for key, value in before.items():
            assert_array_equal(after[key], value)  # the same arrays, on the same machine


@pytest.mark.parametrize("name", [*FOLDERS, JOBLIB])
def test_models_of_format_1(name):
    with np.load(FORMAT_1 / "expected.npz") as file:
        arrays = dict(file)
    if name in ("pipeline", "classifier", JOBLIB):
        # What is not of this package's own format.
        if name != JOBLIB:
            pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
        if parse_version(sklearn.__version__) < parse_version(str(arrays["sklearn"])):
            pytest.skip("scikit-learn reads no estimators of later releases")
    with warnings.catch_warnings():
        # The files outlast the releases that wrote them.
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        warnings.filterwarnings("ignore", r"This \w+ was pickled by", UserWarning)
        model = joblib.load(FORMAT_1 / name) if name == JOBLIB else load(FORMAT_1 / name)
    found = answers(name, model, arrays["X"], arrays["texts"])
    place = f"{name}/"
    expected = {k.removeprefix(place): v for k, v in arrays.items() if k.startswith(place)}
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if value.dtype.kind == "f":
            assert_allclose(found[key], value, rtol=0, atol=1e-5)
        else:
            assert_array_equal(found[key], value)


def test_files_of_format_1_are_small():
    sizes = [path.stat().st_size for path in FORMAT_1.rglob("*") if path.is_file()]
    assert sum(sizes) < 500_000
