"""AlignedClassifier: rows, heads and aligners of all kinds, and what is refused."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from langalign_sk import CrossLingualAligner
from langalign_sk.classifier import AlignedClassifier
from langalign_sk.mapping import LinearAligner
from tests.classifier.toy import (
    EPS,
    LABELS,
    PAIRS,
    TEMPERATURE_RTOL,
    TEST,
    TRAIN,
    aligner,
    overconfident,
)
from tests.toy import ENGLISH, KOREAN, EnglishOnly, NeverEncode


def test_none_is_the_head_behind_the_aligner(head, frozen):
    model = AlignedClassifier(head, frozen, calibration="none").fit(KOREAN[:20])
    Z = frozen.transform(KOREAN[TEST])
    np.testing.assert_array_equal(model.predict(KOREAN[TEST]), head.predict(Z))
    np.testing.assert_array_equal(model.predict_proba(KOREAN[TEST]), head.predict_proba(Z))
    np.testing.assert_array_equal(model.decision_function(KOREAN[TEST]), head.decision_function(Z))
    assert model.score(KOREAN[TEST], LABELS[TEST]) == head.score(Z, LABELS[TEST])
    assert (model.calibration_, model.temperature_, model.prior_) == ("none", 1.0, None)
    assert model.classes_.tolist() == ["a", "b", "c"]


def test_head_is_not_fitted(head, frozen):
    before = head.coef_.copy()
    model = AlignedClassifier(head, frozen).fit(KOREAN[:40], LABELS[:40])
    assert model.classifier_ is head
    np.testing.assert_array_equal(head.coef_, before)


def test_unfitted_aligner_is_cloned_and_fitted(encoder, head):
    given = aligner(encoder)
    model = AlignedClassifier(overconfident(head, 50.0), given).fit(KOREAN[:40], parallel=PAIRS)
    assert not hasattr(given, "language_map_")
    assert hasattr(model.aligner_, "language_map_")
    assert model.calibration_ == "temperature"


def test_fitted_aligner_warns(encoder, head):
    given = aligner(encoder).fit(KOREAN[:5], parallel=PAIRS)
    with pytest.warns(UserWarning, match="freeze"):
        AlignedClassifier(head, given).fit(KOREAN[:40], parallel=PAIRS)


def test_frozen_aligner_is_used_as_it_is(head, frozen):
    assert AlignedClassifier(head, frozen).fit(KOREAN[:40], LABELS[:40]).aligner_ is frozen


def test_bridge_to_another_encoder(encoder):
    system = EnglishOnly()
    head = LogisticRegression().fit(system.encode(ENGLISH[TRAIN]), LABELS[TRAIN])
    given = aligner(encoder, english_encoder=system)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = AlignedClassifier(head, given, calibration="temperature")
        model.fit(ENGLISH[TRAIN], parallel=PAIRS)  # the bridge learns from rows of English
    assert model.score(KOREAN[TEST], LABELS[TEST]) > 0.45
    # The other encoder is missing: the widths say so, before a row goes to the head.
    with pytest.raises(ValueError, match="english_encoder"):
        AlignedClassifier(head, aligner(encoder)).fit(KOREAN[:40], parallel=PAIRS)


def test_width_of_any_transformer_is_compared_with_that_of_the_head(encoder, head):
    X = encoder.encode(KOREAN)
    narrow = FrozenEstimator(PCA(5, random_state=0).fit(X))
    with pytest.raises(ValueError, match="trained on 12 features, and the aligner makes 5"):
        AlignedClassifier(head, narrow).fit(X[:40], LABELS[:40])
    same = FrozenEstimator(PCA(12, random_state=0).fit(X))
    assert AlignedClassifier(head, same).fit(X[:40], LABELS[:40]).n_features_in_ == 12


def test_several_languages(encoder, head):
    given = CrossLingualAligner(("ko", "ru"), encoder=encoder, corpus=None, method="ridge")
    pairs = {"ko": PAIRS, "ru": ([t.replace("문장 번호", "фраза") for t in PAIRS[0]], PAIRS[1])}
    model = AlignedClassifier(head, given).fit(KOREAN[:20], parallel=pairs)
    assert model.predict(["фраза 7", KOREAN[7], ENGLISH[7]]).shape == (3,)


def test_embeddings(encoder, head):
    X, E = encoder.encode(KOREAN), encoder.encode(ENGLISH)
    frozen = FrozenEstimator(LinearAligner("ridge", alpha=0.1).fit(X[:60], E[:60]))
    model = AlignedClassifier(overconfident(head), frozen).fit(X[:40], parallel=(X[:120], E[:120]))
    assert model.calibration_ == "temperature"
    assert model.n_features_in_ == 12
    assert model.predict_proba(X[TEST]).shape == (80, 3)
    with pytest.raises(ValueError, match="features"):
        model.predict(X[:, :5])
    assert AlignedClassifier(head, frozen).fit(X[:40], LABELS[:40]).temperature_ > 0


@pytest.mark.parametrize("calibration", ["none", "temperature"])
def test_embeddings_of_another_width(calibration, encoder, head):
    """Neither calibration moves them: an error comes in `fit`, and not in `predict`."""
    X, E = encoder.encode(KOREAN), encoder.encode(ENGLISH)
    frozen = FrozenEstimator(LinearAligner("ridge", alpha=0.1).fit(X[:60], E[:60]))
    parallel = (X[:120], E[:120]) if calibration == "temperature" else None
    model = AlignedClassifier(head, frozen, calibration=calibration).fit(X[:40], parallel=parallel)
    with pytest.raises(ValueError, match="5 features"):
        model.fit(X[:40, :5], parallel=parallel)
    assert model.n_features_in_ == 12
    assert len(model.predict(X[TEST])) == 80


def test_text_and_embeddings_of_pairs_give_one_temperature(encoder, head, frozen):
    X, E = encoder.encode(KOREAN[TEST]), encoder.encode(ENGLISH[TEST])
    head = overconfident(head)
    text = AlignedClassifier(head, frozen).fit(KOREAN[:5], parallel=(KOREAN[TEST], ENGLISH[TEST]))
    rows = AlignedClassifier(head, frozen).fit(X[:5], parallel=(X, E))
    assert text.temperature_ > 1
    assert text.temperature_ == pytest.approx(rows.temperature_, rel=TEMPERATURE_RTOL)


def test_head_of_decisions_needs_labels(encoder, frozen):
    svc = LinearSVC().fit(encoder.encode(ENGLISH[TRAIN]), LABELS[TRAIN])
    model = AlignedClassifier(svc, frozen).fit(KOREAN[:40], parallel=PAIRS)
    assert model.calibration_ == "none"
    assert not hasattr(model, "predict_proba")
    assert model.decision_function(KOREAN[:3]).shape == (3, 3)
    model.fit(KOREAN[TRAIN], LABELS[TRAIN])
    assert model.calibration_ == "temperature"
    P = model.predict_proba(KOREAN[TEST])
    np.testing.assert_array_equal(model.classes_[P.argmax(axis=1)], model.predict(KOREAN[TEST]))
    with pytest.raises(ValueError, match="pass y="):
        AlignedClassifier(svc, frozen, calibration="temperature").fit(KOREAN, parallel=PAIRS)


def test_binary_head_of_decisions(encoder, frozen):
    y = np.where(LABELS == "a", 1, 0)
    svc = LinearSVC().fit(encoder.encode(ENGLISH[TRAIN]), y[TRAIN])
    model = AlignedClassifier(svc, frozen).fit(KOREAN[TRAIN], y[TRAIN])
    d, P = model.decision_function(KOREAN[TEST]), model.predict_proba(KOREAN[TEST])
    np.testing.assert_allclose(
        P[:, 1], 1 / (1 + np.exp(-d / model.temperature_)), rtol=8 * EPS * (1 + np.abs(d).max())
    )


def test_decisions_between_pairs_of_classes_are_refused(encoder, frozen):
    y = np.array(list("abcd"))[np.arange(120) % 4]
    svc = SVC(decision_function_shape="ovo").fit(encoder.encode(ENGLISH[TRAIN]), y)
    with pytest.raises(ValueError, match="ovr"):
        AlignedClassifier(svc, frozen).fit(KOREAN[:40], y[:40])


@pytest.mark.parametrize("make", [GaussianNB, lambda: make_pipeline(StandardScaler(), SVC())])
def test_other_heads(encoder, frozen, make):
    head = make().fit(encoder.encode(ENGLISH[TRAIN]), LABELS[TRAIN])
    model = AlignedClassifier(head, frozen).fit(KOREAN[:40], LABELS[:40])
    assert hasattr(model, "predict_proba")
    assert model.predict_proba(KOREAN[:4]).shape == (4, 3)
    assert hasattr(model, "decision_function") == hasattr(head, "decision_function")


@pytest.mark.parametrize(
    ("params", "y", "fit", "message"),
    [
        ({"calibration": "platt"}, None, {}, "calibration must be"),
        ({"calibration": "prior_shift"}, None, {}, "class_prior="),
        ({"class_prior": [1, 2]}, None, {}, "3 positive"),
        ({"class_prior": [1, 2, 0]}, None, {}, "3 positive"),
        ({"calibration": "temperature"}, None, {}, "parallel="),
        ({}, ["a"] * 30 + ["z"] * 10, {}, "does not know"),
        ({}, ["a"] * 39, {}, "inconsistent"),
        ({"calibration": "temperature"}, None, {"parallel": (["가"], ["a"])}, "at least 10"),
        ({"calibration": "none"}, None, {"parallel": PAIRS}, "no use"),
        ({}, ["a"] * 40, {"parallel": PAIRS}, "no use"),
    ],
)
def test_bad_input_is_found_before_encoding(head, encoder, params, y, fit, message):
    fitted = aligner(encoder).fit(KOREAN[:5], parallel=PAIRS)
    fitted.encoder = NeverEncode()
    with pytest.raises(ValueError, match=message):
        AlignedClassifier(head, FrozenEstimator(fitted), **params).fit(KOREAN[:40], y, **fit)


def test_few_labels(head, frozen):
    with pytest.raises(ValueError, match="label more"):
        AlignedClassifier(head, frozen).fit(KOREAN[:5], LABELS[:5])
    AlignedClassifier(head, frozen, calibration="none").fit(KOREAN[:5], LABELS[:5])


def test_nothing_to_calibrate_by_warns(head, frozen):
    with pytest.warns(UserWarning, match="nothing to calibrate by"):
        model = AlignedClassifier(head, frozen).fit(KOREAN[:40])
    assert model.calibration_ == "none"


def test_no_target_row_for_a_prior(head, frozen):
    model = AlignedClassifier(head, frozen, calibration="prior_shift", class_prior=[1, 1, 1])
    with pytest.raises(ValueError, match="all of X is English"):
        model.fit(ENGLISH[:40])


def test_unfitted_parts(encoder, head, frozen):
    with pytest.raises(NotFittedError, match="FrozenEstimator"):
        AlignedClassifier(LogisticRegression(), frozen).fit(KOREAN[:40])
    with pytest.raises(NotFittedError):
        AlignedClassifier(head, FrozenEstimator(aligner(encoder))).fit(KOREAN[:40], LABELS[:40])
    with pytest.raises(NotFittedError):
        AlignedClassifier(head, frozen).predict(KOREAN[:4])
    with pytest.raises(TypeError, match="aligner must be"):
        AlignedClassifier(head, "ko").fit(KOREAN[:40])
    with pytest.raises(TypeError, match="classes_"):
        AlignedClassifier(StandardScaler().fit(np.eye(3)), frozen).fit(KOREAN[:40])
    X = encoder.encode(KOREAN[:40])
    with pytest.raises(ValueError, match="freeze"):
        AlignedClassifier(head, aligner(encoder)).fit(X, LABELS[:40])
    embeddings_only = FrozenEstimator(LinearAligner().fit(X, X))
    with pytest.raises(TypeError, match="X is text"):
        AlignedClassifier(head, embeddings_only).fit(KOREAN[:40], LABELS[:40])
    with pytest.raises(ValueError, match="two arrays"):
        AlignedClassifier(head, frozen).fit(X, parallel="starter")


def test_clone_keeps_the_head(head, frozen):
    model = AlignedClassifier(head, frozen, class_prior=[1.0, 1.0, 2.0]).fit(KOREAN, LABELS)
    twin = clone(model)
    assert twin.classifier is head
    assert twin.class_prior == [1.0, 1.0, 2.0]
    assert not hasattr(twin, "classes_")
    assert twin.fit(KOREAN, LABELS).temperature_ == model.temperature_
    inner = FrozenEstimator(head)
    assert clone(AlignedClassifier(inner, frozen)).classifier is inner


def test_search_over_the_aligner_by_labelled_target_rows(encoder, head):
    model = AlignedClassifier(head, aligner(encoder, method="ridge"))
    grid = {"aligner__method": ["identity", "ridge"]}
    search = GridSearchCV(model, grid, cv=3, scoring="neg_log_loss", error_score="raise")
    search.fit(KOREAN[TRAIN], LABELS[TRAIN], parallel=PAIRS)
    assert search.best_params_ == {"aligner__method": "ridge"}
    assert search.predict_proba(KOREAN[TEST]).shape == (80, 3)


def test_search_over_heads_that_are_frozen(encoder, head, frozen):
    other = LogisticRegression(C=1e-4).fit(encoder.encode(ENGLISH[TRAIN]), LABELS[TRAIN])
    heads = [FrozenEstimator(other), FrozenEstimator(head)]
    model = AlignedClassifier(head, frozen, calibration="none")
    search = GridSearchCV(model, {"classifier": heads}, cv=3, error_score="raise")
    assert search.fit(KOREAN[TRAIN], LABELS[TRAIN]).best_params_["classifier"] is heads[1]


def test_pickle(head, frozen):
    model = AlignedClassifier(overconfident(head), frozen).fit(KOREAN, LABELS)
    twin = pickle.loads(pickle.dumps(model))
    P, Q = (m.predict_proba(KOREAN[:5]) for m in (model, twin))
    np.testing.assert_array_equal(P, Q)


@pytest.mark.parametrize("routing", [False, True])
def test_pairs_are_routed(encoder, head, routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        model = AlignedClassifier(head, aligner(encoder), calibration="temperature")
        if routing:
            model = clone(model.set_fit_request(parallel=True))
        scores = cross_val_score(
            model,
            KOREAN[TRAIN],
            LABELS[TRAIN],
            cv=3,
            params={"parallel": PAIRS},
            error_score="raise",
        )
    assert len(scores) == 3


def test_refit_forgets(encoder, head, frozen):
    X = encoder.encode(KOREAN)
    model = AlignedClassifier(head, frozen).fit(X, LABELS)
    assert model.n_features_in_ == 12
    model.set_params(calibration="none").fit(KOREAN)
    assert not hasattr(model, "n_features_in_")
    assert model.temperature_ == 1


def test_repr_loads_nothing(head):
    model = AlignedClassifier(head, CrossLingualAligner("ko", encoder="no such model"))
    assert "AlignedClassifier" in repr(model)
    assert "AlignedClassifier" in model._repr_html_()
    dir(model)
