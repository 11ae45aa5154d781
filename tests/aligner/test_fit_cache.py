"""Language maps that do not depend on the fold are fitted once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from langalign_sk import CrossLingualAligner
from langalign_sk.aligner import _fit_cache, _learn
from langalign_sk.model_selection import CrossLingualSplit
from tests.toy import ENGLISH, KOREAN, ToyEncoder

PAIRS = list(zip(KOREAN[:100], ENGLISH[:100], strict=True))


@pytest.fixture
def fits(monkeypatch):
    """Methods of the language maps that were really fitted; the cache is empty at first."""
    _fit_cache._kept.clear()
    done = []
    fit = _learn._fit

    def counted(X, Y, language, setting):
        done.append(setting.method)
        return fit(X, Y, language, setting)

    monkeypatch.setattr(_learn, "_fit", counted)
    yield done
    _fit_cache._kept.clear()


def aligner(**params):
    return CrossLingualAligner(
        "ko", **{"encoder": ToyEncoder(), "method": "ridge", "random_state": 0, **params}
    )


def test_folds_of_a_search_share_the_map(fits):
    texts = ENGLISH[100:160] + KOREAN[160:190]
    labels = [int(text.split()[-1]) % 2 for text in texts]
    pipe = Pipeline([("align", aligner()), ("clf", LogisticRegression())])
    grid = {"align__method": ["ridge", "procrustes"], "clf__C": [0.1, 1.0, 10.0]}
    search = GridSearchCV(pipe, grid, cv=CrossLingualSplit("ko", n_splits=3))
    search.fit(texts, labels, align__parallel=PAIRS)
    # 6 candidates in 3 folds and the last fit make 19; two maps differ.
    assert sorted(fits) == ["procrustes", "ridge"]


def test_the_second_fit_is_the_first_bit_for_bit(fits):
    first = aligner().fit(PAIRS)
    second = aligner().fit(PAIRS)
    assert fits == ["ridge"]
    assert_array_equal(first.transform(KOREAN), second.transform(KOREAN))
    assert first.alignment_report_.evaluations == second.alignment_report_.evaluations
    fresh = aligner(encoder=ToyEncoder())
    _fit_cache._kept.clear()
    assert_array_equal(fresh.fit(PAIRS).transform(KOREAN), second.transform(KOREAN))
    assert fits == ["ridge", "ridge"]


def test_results_are_copies(fits):
    first = aligner().fit(PAIRS)
    expected = aligner().fit(PAIRS).transform(KOREAN)
    first.language_map_.coef_[:] = 0
    assert_array_equal(aligner().fit(PAIRS).transform(KOREAN), expected)
    assert fits == ["ridge"]


@pytest.mark.parametrize(
    "other",
    [{"alpha": 3.0}, {"method": "procrustes"}, {"random_state": 1}, {"target_lang": "ja"}],
    ids=lambda params: next(iter(params)),
)
def test_another_setting_is_another_fit(fits, other):
    aligner().fit(PAIRS)
    aligner().set_params(**other).fit(PAIRS)
    assert len(fits) == 2


def test_other_rows_are_another_fit(fits):
    aligner().fit(PAIRS)
    aligner().fit(PAIRS[::-1])
    aligner().fit(PAIRS[:-1])
    assert len(fits) == 3


@pytest.mark.parametrize("state", [None, np.random.RandomState(0)], ids=["None", "RandomState"])
def test_without_an_int_as_seed_every_fit_draws_anew(fits, state):
    aligner(random_state=state).fit(PAIRS)
    aligner(random_state=state).fit(PAIRS)
    assert len(fits) == 2


def test_fits_with_effects_are_not_skipped(fits, tmp_path):
    adapter = {"max_epochs": 1, "batch_size": 32}
    trained = aligner(method="mse", adapter_params={**adapter, "checkpoint": tmp_path / "run"})
    trained.fit(PAIRS)
    trained.fit(PAIRS)
    assert len(fits) == 2
    plain = aligner(method="mse", adapter_params=adapter)
    plain.fit(PAIRS)
    plain.fit(PAIRS)
    assert len(fits) == 3


def test_memory_is_bounded(fits, monkeypatch):
    monkeypatch.setattr(_fit_cache, "_MOST", 2)
    for alpha in (1.0, 2.0, 1.0, 3.0, 1.0, 2.0):
        aligner(alpha=alpha).fit(PAIRS)
    # 2.0 went when 3.0 came, since 1.0 had been asked for after it.
    assert len(fits) == 4
    assert len(_fit_cache._kept) == 2
