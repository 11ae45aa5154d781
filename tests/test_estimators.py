"""Every public estimator, found by inspection: scikit-learn's checks, clone, pickle, output, repr."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted

from langalign_sk import (
    AdapterAligner,
    AlignedClassifier,
    CrossLingualAligner,
    CrossLingualClassifier,
    CrossLingualRetriever,
    KernelRidgeClassifier,
    LinearAligner,
    SentenceEncoder,
)
from langalign_sk.encoders import EndpointEncoder
from tests.test_public_names import public_names
from tests.toy import ENGLISH, KOREAN

_rng = np.random.default_rng(0)
X = _rng.normal(size=(60, 16)).astype(np.float32)
Y = (X @ np.linalg.qr(_rng.normal(size=(16, 16)))[0]).astype(np.float32)
LABELS = np.array(["a", "b"])[(Y[:, 0] > 0).astype(int)]
TEXTS = [*KOREAN[:5], *ENGLISH[:5]]

# Checks that are expected to fail: the reason, and what the failure says.
LABELS_AS_Y = (
    "feeds 1-d class labels as y; scikit-learn exempts CCA and PLS, which learn from two arrays as "
    "well, by name",
    r"got 1D array",
)
FIXED_HEAD = (
    "the head and the aligner are fitted before, on other columns and classes than the check's",
    r"the head does not know|ValueError unexpectedly|Unknown label type|one of the following patterns",
)
PAIRED = dict.fromkeys(
    (
        "check_transformer_data_not_an_array",
        "check_transformer_general",
        "check_transformer_preserve_dtypes",
    ),
    LABELS_AS_Y,
)
# All checks that fit a classifier to labels of their own; those of other things pass.
OWN_LABELS = dict.fromkeys(
    (
        "check_classifier_data_not_an_array",
        "check_classifiers_classes",
        "check_classifiers_regression_target",
        "check_classifiers_train",
        "check_decision_proba_consistency",
        "check_dict_unchanged",
        "check_dont_overwrite_parameters",
        "check_dtype_object",
        "check_estimators_dtypes",
        "check_estimators_fit_returns_self",
        "check_estimators_nan_inf",
        "check_estimators_overwrite_params",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_fit2d_1feature",
        "check_fit2d_1sample",
        "check_fit2d_predict1d",
        "check_fit_check_is_fitted",
        "check_fit_idempotent",
        "check_fit_score_takes_y",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_n_features_in",
        "check_n_features_in_after_fitting",
        "check_pipeline_consistency",
        "check_positive_only_tag_during_fit",
        "check_readonly_memmap_input",
        "check_supervised_y_2d",
    ),
    FIXED_HEAD,
)
# scikit-learn leaves these out for estimators that take text, although they need no data.
WITHOUT_DATA = (
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
)


@dataclass(frozen=True)
class Case:
    """How an estimator is made, fitted and asked; what the checks of scikit-learn may find."""

    checked: Callable[[], list[BaseEstimator]]
    fit: Callable[[Any], Any]
    ask: Callable[[Any], Any]
    expected: dict[str, tuple[str, str]] = field(default_factory=dict)
    # What has to run meanwhile: a context that yields parameters.
    meanwhile: Callable[[], Any] | None = None


@contextmanager
def endpoint() -> Iterator[dict[str, Any]]:
    """An HTTP server of embeddings on this machine."""
    from tests.encoders.endpoint.server import Server

    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield {"base_url": server.url}
        server.shutdown()
        thread.join()


def classifiers() -> list[BaseEstimator]:
    aligner = CrossLingualAligner("ko", method="ridge", alpha=1.0, random_state=0).fit(X, Y)
    head = LogisticRegression().fit(Y, LABELS)
    return [AlignedClassifier(head, aligner.freeze(), calibration="none")]


# A new public estimator needs an entry here.
CASES = {
    AdapterAligner: Case(
        lambda: [
            AdapterAligner(random_state=0, max_epochs=2, device="cpu"),
            AdapterAligner("mse", adapter_dim=4, random_state=0, max_epochs=2, device="cpu"),
        ],
        fit=lambda estimator: estimator.fit(X, Y),
        ask=lambda estimator: estimator.transform(X),
        expected=PAIRED,
    ),
    AlignedClassifier: Case(
        classifiers,
        fit=lambda estimator: estimator.fit(X, LABELS),
        ask=lambda estimator: estimator.predict_proba(X),
        expected=OWN_LABELS,
    ),
    CrossLingualAligner: Case(
        lambda: [
            CrossLingualAligner(random_state=0),
            CrossLingualAligner("ja", method="spectral", alpha=1.0),
        ],
        fit=lambda estimator: estimator.fit(X, Y),
        ask=lambda estimator: estimator.transform(X),
        expected=PAIRED,
    ),
    CrossLingualClassifier: Case(
        lambda: [
            CrossLingualClassifier(CrossLingualAligner(), random_state=0),
            CrossLingualClassifier(CrossLingualAligner(), head=KernelRidgeClassifier(1.0, 0.1)),
        ],
        fit=lambda estimator: estimator.fit(X, LABELS),
        ask=lambda estimator: estimator.predict_proba(X),
    ),
    CrossLingualRetriever: Case(
        lambda: [CrossLingualRetriever(), CrossLingualRetriever(n_neighbors=1)],
        fit=lambda estimator: estimator.fit(Y),
        ask=lambda estimator: estimator.kneighbors(X, 2)[1],
    ),
    EndpointEncoder: Case(
        lambda: [EndpointEncoder("m")],
        fit=lambda estimator: estimator.fit(TEXTS),
        ask=lambda estimator: estimator.transform(TEXTS),
        meanwhile=endpoint,
    ),
    KernelRidgeClassifier: Case(
        lambda: [KernelRidgeClassifier(), KernelRidgeClassifier(1.0, 0.1, max_rows=20)],
        fit=lambda estimator: estimator.fit(X, LABELS),
        ask=lambda estimator: estimator.predict_proba(X),
    ),
    LinearAligner: Case(
        lambda: [
            LinearAligner(random_state=0),
            LinearAligner("spectral", alpha=0.1, power=0.5),
        ],
        fit=lambda estimator: estimator.fit(X, Y),
        ask=lambda estimator: estimator.transform(X),
        expected=PAIRED,
    ),
    SentenceEncoder: Case(
        lambda: [SentenceEncoder()],
        fit=lambda estimator: estimator.fit(TEXTS),
        ask=lambda estimator: estimator.transform(TEXTS),
    ),
}
ESTIMATORS = sorted(
    {x for _, _, x in public_names() if isinstance(x, type) and issubclass(x, BaseEstimator)},
    key=lambda cls: cls.__name__,
)
KNOWN = [cls for cls in ESTIMATORS if cls in CASES]
CHECKED = [estimator for cls in KNOWN for estimator in CASES[cls].checked()]


def name_of(cls: type) -> str:
    return cls.__name__


@pytest.mark.parametrize("cls", ESTIMATORS, ids=name_of)
def test_every_public_estimator_has_a_case(cls):
    assert cls in CASES, (
        f"{cls.__name__} is a new public estimator: add to CASES of {__name__} how it is made, "
        "fitted and asked, and which of scikit-learn's checks it cannot pass, with the reason."
    )


def test_no_case_is_left_over():
    assert CASES.keys() <= set(ESTIMATORS)


# Some checks pass class labels as a column of y: three distinct rows, too few to choose by.
@pytest.mark.filterwarnings("ignore:.*too few to hold any out")
@parametrize_with_checks(
    CHECKED,
    expected_failed_checks=lambda estimator: {
        check: reason for check, (reason, _) in CASES[type(estimator)].expected.items()
    },
)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("estimator", "check", "message"),
    [
        pytest.param(estimator, check, message, id=f"{type(estimator).__name__}-{i}-{check}")
        for i, estimator in enumerate(CHECKED)
        for check, (_, message) in CASES[type(estimator)].expected.items()
    ],
)
def test_expected_failures_are_for_the_reason_given(estimator, check, message):
    with pytest.raises((ValueError, AssertionError), match=message):
        getattr(estimator_checks, check)(type(estimator).__name__, clone(estimator))


@pytest.mark.parametrize("check", WITHOUT_DATA)
@pytest.mark.parametrize("estimator", CHECKED, ids=lambda x: type(x).__name__)
def test_checks_of_scikit_learn_without_data(estimator, check):
    getattr(estimator_checks, check)(type(estimator).__name__, clone(estimator))


@pytest.fixture(params=KNOWN, ids=name_of)
def case(request):
    return CASES[request.param]


@pytest.fixture
def fitted(case):
    """A fitted estimator, with what it needs running."""
    estimator = clone(case.checked()[0])
    if case.meanwhile is None:
        yield case.fit(estimator)
    else:
        with case.meanwhile() as parameters:
            yield case.fit(estimator.set_params(**parameters))


def comparable(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters that can be compared: objects by their type."""
    plain = (str, int, float, bool, type(None), tuple)
    return {k: v if isinstance(v, plain) else type(v) for k, v in parameters.items()}


def test_clone(case, fitted):
    twin = clone(fitted)
    assert type(twin) is type(fitted)
    assert comparable(twin.get_params()) == comparable(fitted.get_params())
    assert_array_equal(case.ask(case.fit(twin)), case.ask(fitted))


def test_pickle(case, fitted):
    twin = pickle.loads(pickle.dumps(fitted))
    assert type(twin) is type(fitted)
    check_is_fitted(twin)
    assert comparable(twin.get_params()) == comparable(fitted.get_params())
    assert_array_equal(case.ask(twin), case.ask(fitted))


def test_set_output(case, fitted):
    if not hasattr(fitted, "transform"):
        assert not hasattr(fitted, "set_output")
        return
    rows = case.ask(fitted)
    frame = case.ask(fitted.set_output(transform="pandas"))
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == fitted.get_feature_names_out().tolist()
    assert_array_equal(frame.to_numpy(), rows)


def test_repr(case, fitted):
    name = type(fitted).__name__
    for estimator in (clone(fitted), fitted):
        assert repr(estimator).startswith(f"{name}(")
        assert name in estimator._repr_html_()
    changed = next(k for k, v in fitted.get_params(deep=False).items() if isinstance(v, str))
    assert "'a word'" in repr(clone(fitted).set_params(**{changed: "a word"}))
