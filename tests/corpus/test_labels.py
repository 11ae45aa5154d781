"""Tests of the guess whether y holds sentences or class labels."""

import numpy as np
import pandas as pd
import pytest

from langalign_sk.corpus._labels import looks_like_sentences
from tests.corpus.toy import EN, KO


@pytest.mark.parametrize(
    ("y", "languages", "expected"),
    [
        (["yes", "no"] * 5, ["en"] * 10, False),
        ([f"sentence {i}" for i in range(10)], ["en"] * 10, True),
        (KO, ["en"] * 3, True),
        (EN, ["en"] * 3, False),
        (EN, ["ko"] * 3, True),
        (["one"], ["ko"], False),
        ([0, 1, 2], ["ko"] * 3, False),
        (np.ones((3, 2)), ["ko"] * 3, False),
        (pd.Series(KO), ["en"] * 3, True),
    ],
)
def test_sentences_in_y(y, languages, expected):
    assert looks_like_sentences(y, languages) is expected
