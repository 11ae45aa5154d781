"""AlignedClassifier around a CrossLingualClassifier, which takes text and aligns by itself."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from langalign_sk import AlignedClassifier, CrossLingualClassifier
from tests.classifier.toy import LABELS, PAIRS, TEST, TRAIN, aligner
from tests.toy import ENGLISH, KOREAN, ToyEncoder

X, y = ENGLISH[TRAIN], LABELS[TRAIN]


@pytest.fixture(scope="module")
def fitted():
    given = aligner(ToyEncoder(noise=2.0))
    return CrossLingualClassifier(given, random_state=0).fit(X, y, parallel=PAIRS)


def test_labels_of_target_rows_recalibrate_it(fitted):
    model = AlignedClassifier(fitted, calibration="temperature").fit(KOREAN[TEST], LABELS[TEST])
    before, after = (m.predict_proba(KOREAN[TEST]) for m in (fitted, model))
    assert log_loss(LABELS[TEST], after) <= log_loss(LABELS[TEST], before) + 1e-6
    assert_array_equal(model.predict(KOREAN), fitted.predict(KOREAN))
    assert_array_equal(model.classes_, fitted.classes_)
    assert model.aligner_ is None
    # English rows keep the probabilities of the head.
    assert_array_equal(model.predict_proba(ENGLISH[:5]), fitted.predict_proba(ENGLISH[:5]))


def test_pairs_recalibrate_it_without_labels(fitted):
    model = AlignedClassifier(fitted).fit(KOREAN[:20], parallel=PAIRS)
    assert model.temperature_ >= 1
    assert model.calibration_ in ("none", "temperature")
    assert_allclose(model.predict_proba(KOREAN).sum(axis=1), 1, rtol=1e-9)


def test_a_prior_shift_of_unlabelled_rows(fitted):
    prior = np.unique(y, return_counts=True)[1]
    model = AlignedClassifier(fitted, calibration="prior_shift", class_prior=prior)
    model.fit(KOREAN)
    assert model.prior_.shape == (3,)


def test_other_classifiers_need_an_aligner():
    head = LogisticRegression().fit(np.eye(3), ["a", "b", "c"])
    with pytest.raises(TypeError, match="or None for a CrossLingualClassifier, got None"):
        AlignedClassifier(head).fit(KOREAN[:5])
