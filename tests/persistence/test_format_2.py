"""Models and an index of format 2: each opens, answers as it did, and is saved again."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk import CrossLingualRetriever, load, save
from tests.persistence.saved_format_2.make import FOLDERS, INDEX, PARAMETERS, answers

FORMAT_2 = Path(__file__).parent / "saved_format_2"


@pytest.fixture(scope="module")
def expected():
    with np.load(FORMAT_2 / "expected.npz") as file:
        return dict(file)


@pytest.fixture
def given(expected):
    return {name: expected[name] for name in ("X", "Y", "texts")}


def read(name, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if name == INDEX:
            return CrossLingualRetriever(**PARAMETERS).open_index(folder, verify=True)
        return load(folder)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_model_that_is_saved_again_answers_as_before(name, given, tmp_path):
    model = read(name, FORMAT_2 / name)
    if name == INDEX:
        model.save_index(tmp_path)
    else:
        save(model, tmp_path)
    before, after = (answers(name, each, **given) for each in (model, read(name, tmp_path)))
    for key, value in before.items():
        assert_array_equal(after[key], value)  # the same arrays, on the same machine


@pytest.mark.parametrize("name", FOLDERS)
def test_a_model_answers_as_on_the_machine_that_saved_it(name, expected, given):
    found = answers(name, read(name, FORMAT_2 / name), **given)
    for key, value in found.items():
        right = expected[f"{name}/{key}"]
        if value.dtype.kind == "f":
            # Rows of an encoder in float32 differ by hundreds of roundings between machines.
            atol = 500 * np.finfo(np.float32).eps * np.abs(right).max()
            assert_allclose(value, right, rtol=0, atol=atol)
        else:
            assert_array_equal(value, right)


def test_files_of_format_2_are_small_and_of_that_format():
    sizes = [path.stat().st_size for path in FORMAT_2.rglob("*") if path.is_file()]
    assert sum(sizes) < 500_000
    for name in FOLDERS:
        manifest = "index.json" if name == INDEX else "langalign_sk.json"
        assert json.loads((FORMAT_2 / name / manifest).read_bytes())["format_version"] == 2
