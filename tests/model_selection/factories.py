"""Aligners of toy text, pairs of embeddings and labelled rows for searches."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from langalign_sk import CrossLingualAligner
from tests.toy import ENGLISH, KOREAN, ToyEncoder

TINY = {"max_epochs": 2, "batch_size": 64}

OTHER_PAIRS = (KOREAN[100:], ENGLISH[100:])  # not of the target rows that `labelled` tests on


def toy(**parameters):
    defaults = {"encoder": ToyEncoder(), "random_state": 0, "method": "ridge", "alpha": 1.0}
    return CrossLingualAligner(**defaults | parameters)


def labelled(n_target=60, shift=6.0):
    """English rows and the translations of some, with classes that lie along the language shift.

    Without alignment all target rows are on one side, and the head is right for every second.
    """
    encoder = ToyEncoder(shift=shift)
    away = encoder._vector("문장") - encoder._vector("s")
    classes = np.where(encoder.encode(ENGLISH) @ away > 0, "up", "down")
    return encoder, ENGLISH + KOREAN[:n_target], np.r_[classes, classes[:n_target]]


def pipeline(encoder, **parameters):
    aligner = toy(encoder=encoder, corpus=None, **parameters)
    return Pipeline([("align", aligner), ("clf", LogisticRegression(C=10))])
