"""The table of what can be saved: one row makes a class savable, under every address it has."""

from __future__ import annotations

import dataclasses
from importlib import import_module

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
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
    with pytest.warns(UserWarning, match=r"holds 'tests\.persistence\.test_kinds\.Note'.*refuse"):
        save(pipeline, tmp_path)
    with pytest.raises(ValueError, match=r"holds 'tests\.persistence\.test_kinds\.Note'"):
        load(tmp_path)
    entering(_kinds.Kind(Note, inside=("skops",)))
    assert load(tmp_path)[0].note.text == "mine"


def test_an_estimator_is_entered_once(entering, tmp_path):
    fitted = OtherAligner("ridge", alpha=1.0).fit(X, 2 * X)
    with pytest.raises(
        TypeError,
        match=r"save takes one of .*, got tests\.\S*OtherAligner.*another class than langalign_sk\.L",
    ):
        save(fitted, tmp_path)
    fitted_attributes = _kinds.kind_named("LinearAligner").fitted
    entering(_kinds.Kind(OtherAligner, "arrays", fitted=fitted_attributes))
    save(fitted, tmp_path)
    again = load(tmp_path)
    assert type(again) is OtherAligner
    assert_array_equal(again.transform(X), fitted.transform(X))


def test_a_class_by_the_name_of_another_is_refused(tmp_path):
    impostor = type("Network", (), {})
    fitted = LinearAligner("ridge", alpha=1.0).fit(X, X).set_params(random_state=impostor())
    with pytest.raises(TypeError, match="random_state is a Network, which cannot be saved"):
        save(fitted, tmp_path)


class Sampler(BaseEstimator):
    """Stand-in of a sampler of imbalanced-learn, which does nothing after `fit`."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def fit_resample(self, X, y):
        return X, y


def look_alike():
    """A class by the name of scikit-learn's Pipeline, as imbalanced-learn has one."""
    cls = type("Pipeline", (Pipeline,), {})
    cls.__module__ = "imblearn.pipeline"
    return cls


def fitted_classifier():
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, np.arange(len(X)) % 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: look_alike()([("sample", Sampler()), ("scale", StandardScaler())]),
            r"got imblearn\.pipeline\.Pipeline, which is not sklearn\.pipeline\.Pipeline.*fit_resample",
        ),
        (
            lambda: look_alike()([("scale", StandardScaler())]),
            r"got imblearn\.pipeline\.Pipeline, which is another class than sklearn\.p",
        ),
        (
            lambda: type("LinearAligner", (), {"__module__": "theirs"})(),
            r"got theirs\.LinearAligner, which is another class than langalign_sk\.LinearAligner",
        ),
        (
            lambda: FrozenEstimator(LinearAligner("ridge", alpha=1.0).fit(X, X)),
            r"got sklearn\.frozen\.\S*FrozenEstimator\. Save the LinearAligner in its `estimator`",
        ),
        (
            lambda: GridSearchCV(fitted_classifier(), {}, cv=2).fit(X, np.arange(len(X)) % 2),
            r"GridSearchCV\. Save the Pipeline in its `best_estimator_`",
        ),
        (
            lambda: VotingClassifier([("a", fitted_classifier())]).fit(X, np.arange(len(X)) % 2),
            r"VotingClassifier\. Save the Pipeline in its `estimators_`",
        ),
        (
            lambda: ColumnTransformer([("a", make_pipeline(StandardScaler()), [0])]).fit(X),
            r"ColumnTransformer\. Save the Pipeline in its `transformers_`",
        ),
        (
            lambda: FeatureUnion([("a", make_pipeline(StandardScaler()))]).fit(X),
            r"FeatureUnion\. Save the Pipeline in its `transformer_list`",
        ),
        (
            lambda: TunedThresholdClassifierCV(fitted_classifier(), cv=2).fit(
                X, np.arange(len(X)) % 2
            ),
            r"TunedThresholdClassifierCV\. Save the Pipeline in its `estimator_`",
        ),
        (
            lambda: CalibratedClassifierCV(fitted_classifier(), cv=2).fit(X, np.arange(len(X)) % 2),
            r"got sklearn\.calibration\.CalibratedClassifierCV\. Dump other estimators by joblib",
        ),
        (lambda: LinearAligner, r"got the class .*LinearAligner itself: pass a fitted object"),
    ],
    ids=[
        "pipeline with samplers",
        "pipeline of another package",
        "aligner of another package",
        "frozen",
        "search",
        "voting",
        "columns",
        "union",
        "threshold",
        "calibrated",
        "class",
    ],
)
def test_what_is_not_saved_is_named_in_full(make, message, tmp_path):
    with pytest.raises(TypeError, match=message):
        save(make(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_pipeline_with_samplers_is_saved_without_them(tmp_path):
    imblearn = pytest.importorskip("imblearn.pipeline")
    from imblearn.over_sampling import RandomOverSampler

    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    y = np.arange(len(X)) % 4 == 0
    pipeline = imblearn.make_pipeline(
        StandardScaler(), RandomOverSampler(random_state=0), LogisticRegression()
    ).fit(X, y)
    with pytest.raises(TypeError, match=r"got imblearn\.pipeline\.Pipeline"):
        save(pipeline, tmp_path)
    save(
        Pipeline([step for step in pipeline.steps if not hasattr(step[1], "fit_resample")]),
        tmp_path,
    )
    assert_array_equal(load(tmp_path).predict(X), pipeline.predict(X))
