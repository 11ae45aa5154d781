"""The example of both directions: what serves Korean, and its table."""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples.scripts import example_script


@pytest.fixture(scope="module")
def example():
    return example_script("forward_and_reverse")


@pytest.mark.slow
def test_what_serves_forward_is_an_encoder_and_a_head(example):
    model = example.train_forward("ridge", 0)
    assert [type(step).__name__ for _, step in model.steps] == [
        "SentenceEncoder",
        "LogisticRegression",
    ]
    rows = example.encoder.encode(example.korean_test)
    np.testing.assert_array_equal(model.predict(example.korean_test), model[-1].predict(rows))
    # Most of what the English rows reach.
    score = model.score(example.korean_test, example.test_intents)
    assert score > 0.8 * example.english_model.score(example.english_test, example.test_intents)


@pytest.mark.slow
def test_the_table_has_both_directions_beside_both_baselines(example, monkeypatch):
    monkeypatch.setattr(example, "METHODS", {"closed form": "ridge"})
    monkeypatch.setattr(example, "SEEDS", (0, 1))
    table, served = example.compare()
    assert list(table.index) == ["closed form", "no alignment", "English test rows"]
    assert list(table.columns) == ["forward", "reverse"]
    scores = table.map(lambda text: float(text.split(" ")[0]))
    assert ((scores > 0.5) & (scores <= 1)).all(axis=None)
    assert scores.loc["no alignment"].nunique() == 1
    assert [len(models) for models in served.values()] == [2]
