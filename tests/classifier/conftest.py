"""Fixtures of the tests of AlignedClassifier."""

from __future__ import annotations

import pytest
from sklearn.linear_model import LogisticRegression

from tests.classifier.toy import LABELS, PAIRS, TRAIN, aligner
from tests.toy import ENGLISH, KOREAN, ToyEncoder


@pytest.fixture
def encoder():
    return ToyEncoder()


@pytest.fixture
def head(encoder):
    return LogisticRegression().fit(encoder.encode(ENGLISH[TRAIN]), LABELS[TRAIN])


@pytest.fixture
def frozen(encoder):
    return aligner(encoder).fit(KOREAN[:5], parallel=PAIRS).freeze()
