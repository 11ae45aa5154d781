"""The table of what can be saved: one row makes a class savable, under every address it has."""

from __future__ import annotations

import dataclasses
from importlib import import_module

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from langalign_sk import LinearAligner, load, save
from langalign_sk.persistence import _kinds
from tests.test_public_names import ADDRESSES

X = np.random.default_rng(0).normal(size=(40, 3))


@dataclasses.dataclass(frozen=True)
class Note:
    """A value that the package knows nothing of."""

    text: str
    weights: np.ndarray


class OtherAligner(LinearAligner):
    """An estimator that the package knows nothing of."""


@pytest.fixture
def entering(monkeypatch):
    def enter(kind):
        monkeypatch.setattr(_kinds, "KINDS", (*_kinds.KINDS, kind))

    return enter


@pytest.mark.parametrize("kind", _kinds.KINDS, ids=lambda kind: kind.name)
def test_every_address_is_that_of_the_class(kind):
    for address in kind.addresses:
        module, _, name = address.rpartition(".")
        assert getattr(import_module(module), name) is kind.cls


def test_names_are_of_one_class_each():
    names = [kind.name for kind in _kinds.KINDS]
    assert len(set(names)) == len(names)
    addresses = [address for kind in _kinds.KINDS for address in kind.addresses]
    assert len(set(addresses)) == len(addresses)


def test_old_addresses_are_trusted():
    assert set(ADDRESSES) <= _kinds.trusted()


def test_only_addresses_of_this_package_are_trusted():
    assert all(address.startswith("langalign_sk.") for address in _kinds.trusted())


def test_a_part_is_entered_once(entering, tmp_path):
    fitted = LinearAligner("ridge", alpha=1.0).fit(X, X)
    fitted.set_params(random_state=Note("mine", np.arange(3.0)))
    with pytest.raises(TypeError, match="random_state is a Note, which cannot be saved"):
        save(fitted, tmp_path)
    entering(_kinds.Kind(Note))
    save(fitted, tmp_path)
    again = load(tmp_path).random_state
    assert type(again) is Note
    assert again.text == "mine"
    assert_array_equal(again.weights, np.arange(3.0))


def test_a_part_of_a_pipeline_is_entered_once(entering, tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    scaler = StandardScaler()
    scaler.note = Note("mine", np.arange(3.0))
    pipeline = make_pipeline(scaler).fit(X)
    save(pipeline, tmp_path)
    with pytest.raises(ValueError, match=r"holds 'tests\.persistence\.test_kinds\.Note'"):
        load(tmp_path)
    entering(_kinds.Kind(Note, inside=("skops",)))
    assert load(tmp_path)[0].note.text == "mine"


def test_an_estimator_is_entered_once(entering, tmp_path):
    fitted = OtherAligner("ridge", alpha=1.0).fit(X, 2 * X)
    with pytest.raises(TypeError, match=r"save takes one of .*, got OtherAligner"):
        save(fitted, tmp_path)
    entering(_kinds.Kind(OtherAligner, "arrays"))
    save(fitted, tmp_path)
    again = load(tmp_path)
    assert type(again) is OtherAligner
    assert_array_equal(again.transform(X), fitted.transform(X))


def test_a_class_by_the_name_of_another_is_refused(tmp_path):
    impostor = type("Network", (), {})
    fitted = LinearAligner("ridge", alpha=1.0).fit(X, X).set_params(random_state=impostor())
    with pytest.raises(TypeError, match="random_state is a Network, which cannot be saved"):
        save(fitted, tmp_path)
