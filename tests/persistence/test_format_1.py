"""Models of format 1: each loads, answers as it did, is saved again, and answers the same."""

from __future__ import annotations

import warnings

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.fixes import parse_version

from langalign_sk import load, save
from tests.persistence.common import FORMAT_1
from tests.persistence.saved_format_1.make import FOLDERS, JOBLIB, answers

# These hold estimators of scikit-learn, in the state of the release that wrote them.
OF_SKLEARN = ("pipeline", "classifier", JOBLIB)


@pytest.fixture(scope="module")
def expected():
    with np.load(FORMAT_1 / "expected.npz") as file:
        return dict(file)


@pytest.fixture
def reading(expected):
    """Reader of a model of format 1, without warnings except those about releases."""

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
def test_a_model_answers_as_on_the_machine_that_saved_it(name, reading, expected):
    found = answers(name, reading(name), expected["X"], expected["texts"])
    place = f"{name}/"
    right = {k.removeprefix(place): v for k, v in expected.items() if k.startswith(place)}
    assert found.keys() == right.keys()
    for key, value in right.items():
        if value.dtype.kind == "f":
            # Rows of an encoder in float32 differ by hundreds of roundings between machines.
            atol = 500 * np.finfo(np.float32).eps * np.abs(value).max()
            assert_allclose(found[key], value, rtol=0, atol=atol)
        else:
            assert_array_equal(found[key], value)


def test_files_of_format_1_are_small():
    sizes = [path.stat().st_size for path in FORMAT_1.rglob("*") if path.is_file()]
    assert sum(sizes) < 500_000
