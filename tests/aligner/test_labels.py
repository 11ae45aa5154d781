"""Class labels beside task text, which an aligner ignores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner
from tests.toy import ENGLISH, KOREAN, PAIRS, ToyEncoder


@pytest.mark.filterwarnings("ignore:The number of unique classes")
@pytest.mark.parametrize(
    "labels",
    [
        [f"FAQ-{i}" for i in range(30)],
        [f"환불 문의 {i}" for i in range(30)],
        np.arange(30),
        pd.Categorical([f"How do I get a refund for order {i}?" for i in range(30)]),
    ],
    ids=["identifiers", "Korean names", "numbers", "categories"],
)
def test_one_example_a_class(labels):
    pipe = make_pipeline(
        CrossLingualAligner("ko", encoder=ToyEncoder(), corpus=None), KNeighborsClassifier(1)
    )
    texts = [f"Please tell me where I can find the parcel of order {i}" for i in range(30)]
    assert (pipe.fit(texts, labels).predict(texts) == np.asarray(labels)).all()


def test_pairs_beside_text_say_that_y_holds_labels():
    aligner = CrossLingualAligner("ko", encoder=ToyEncoder(), method="identity")
    aligner.fit(KOREAN[:20], ENGLISH[:20], parallel=PAIRS)
    assert aligner.alignment_report_.evaluations[0].n_fit == len(PAIRS)
