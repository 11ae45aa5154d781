"""Parameters of classifiers that were passed and have no effect."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score

from langalign_sk import AlignedClassifier, CrossLingualClassifier
from tests.classifier.toy import LABELS, PAIRS, aligner
from tests.idle import said
from tests.toy import ENGLISH, KOREAN, EnglishOnly, ToyEncoder

TEXTS, CLASSES = ENGLISH[:100], LABELS[:100]


def classifier(english=None, own=None, **parameters):
    inner = aligner(ToyEncoder(), english_encoder=english, **own or {})
    return CrossLingualClassifier(inner, head=LogisticRegression(), random_state=0, **parameters)


@pytest.mark.parametrize(
    ("make", "start"),
    [
        (lambda: classifier(cross_fit=3), "cross_fit has"),
        (lambda: classifier(EnglishOnly(), cross_fit=3, views="own"), "cross_fit has"),
        (lambda: classifier(adapt="co-training"), "adapt has"),
        (lambda: classifier(own={"adapter_dim": 8}), "adapter_dim has"),
        (lambda: classifier(own={"method": "procrustes", "alpha": 2.0}), "alpha has"),
        (lambda: classifier(own={"bridge_alpha": 2.0}), "bridge_alpha has"),
    ],
    ids=["no bridge", "own view", "one view", "closed form", "rotation", "alpha of no bridge"],
)
def test_what_has_no_effect(make, start):
    fitted = make()
    (message,) = said(lambda: fitted.fit(TEXTS, CLASSES, parallel=PAIRS))
    assert message.startswith(f"{start} no effect here: ")
    reports = [fitted.report_, *(one.alignment_report_ for one in fitted.aligners_)]
    assert any(message in report.warnings for report in reports)


@pytest.mark.parametrize(
    "make",
    [
        lambda: classifier(),
        lambda: classifier(own={"method": "auto", "alpha": "auto"}),
        lambda: classifier(own={"method": "auto", "alpha": "auto", "objective": "retrieval"}),
        lambda: classifier(EnglishOnly(), cross_fit=3, adapt="co-training"),
        lambda: classifier(EnglishOnly(), views="own"),
        lambda: classifier(adapt="none"),
    ],
    ids=["ridge", "auto", "auto for search", "two views", "own view", "no adaptation"],
)
def test_what_has_an_effect(make):
    assert not said(lambda: make().fit(TEXTS, CLASSES, parallel=PAIRS))


def test_folds_and_searches_say_it_once():
    fit = {"parallel": PAIRS}
    model = classifier(cross_fit=3)
    assert len(said(lambda: cross_val_score(model, TEXTS, CLASSES, cv=3, params=fit))) == 1
    search = GridSearchCV(classifier(), {"cross_fit": [2, 3, 4]}, cv=2)
    assert len(said(lambda: search.fit(TEXTS, CLASSES, **fit))) == 1


def test_a_prior_that_is_not_shifted(head, frozen):
    prior = np.unique(LABELS, return_counts=True)[1]
    texts, labels = KOREAN[60:], LABELS[60:]
    for calibration, y, expected in (
        ("temperature", labels, 1),
        ("none", labels, 1),
        ("auto", None, 1),
        ("auto", labels, 0),
        ("prior_shift", labels, 0),
        ("temperature+prior_shift", labels, 0),
    ):
        model = AlignedClassifier(head, frozen, calibration=calibration, class_prior=prior)
        parallel = PAIRS if y is None else None
        found = said(lambda m=model, y=y, p=parallel: m.fit(texts, y, parallel=p))
        assert len(found) == expected, calibration
        assert all(message.startswith("class_prior has no effect") for message in found)
