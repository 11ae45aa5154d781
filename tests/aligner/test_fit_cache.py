"""Language maps that do not depend on the fold are fitted once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from langalign_sk import CrossLingualAligner
from langalign_sk.aligner import _learn
from langalign_sk.model_selection import CrossLingualSplit, FitCache, fit_cache
from tests.toy import ENGLISH, KOREAN, ToyEncoder

PAIRS = list(zip(KOREAN[:100], ENGLISH[:100], strict=True))


@pytest.fixture
def fits(monkeypatch):
    """Methods of the language maps that were really fitted; the cache is empty at first."""
    fit_cache.clear()
    done = []
    fit = _learn.fit_language_map

    def counted(rows, language, plan):
        done.append(plan.method)
        return fit(rows, language, plan)

    monkeypatch.setattr(_learn, "fit_language_map", counted)
    yield done
    fit_cache.clear()


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
    fit_cache.clear()
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
    [
        {"alpha": 3.0},
        {"objective": "head"},
        {"method": "procrustes"},
        {"random_state": 1},
        {"target_lang": "ja"},
    ],
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


@pytest.fixture
def limit():
    """Limit of the cache of the process, put back after the test."""
    before = fit_cache.max_bytes
    yield
    fit_cache.max_bytes = before


def test_the_limit_of_the_process_counts(fits, limit):
    fit_cache.max_bytes = 0
    aligner().fit(PAIRS)
    aligner().fit(PAIRS)
    assert len(fits) == 2
    assert fit_cache.info().n_fits == fit_cache.info().n_bytes == 0


def test_lowering_the_limit_drops_fits(fits, limit):
    aligner().fit(PAIRS)
    assert fit_cache.info().n_bytes > 0
    fit_cache.max_bytes = 1
    assert fit_cache.info().n_fits == fit_cache.info().n_bytes == 0


def made_of(size, done):
    """A fit whose result has a known size; it counts its calls."""

    def fit():
        done.append(size)
        return b"x" * size

    return fit


def test_what_was_not_used_for_longest_goes_first():
    cache, done = FitCache(max_bytes=300), []
    for key in (b"1", b"2", b"1", b"3", b"1", b"2"):
        cache.fetch(key, made_of(100, done))
    # Pickles are a little larger than 100 bytes, so that two fit; 2 went when 3 came.
    assert len(done) == 4
    info = cache.info()
    assert (info.hits, info.misses, info.n_fits) == (2, 4, 2)
    assert 200 < info.n_bytes <= 300


def test_a_fit_beyond_the_limit_is_returned_and_not_kept():
    cache, done = FitCache(max_bytes=50), []
    assert cache.fetch(b"1", made_of(100, done)) == b"x" * 100
    assert cache.info()[2:] == (0, 0)


def test_clear_forgets_fits_and_counts():
    cache, done = FitCache(), []
    cache.fetch(b"1", made_of(10, done))
    cache.clear()
    assert cache.info() == (0, 0, 0, 0)
    cache.fetch(b"1", made_of(10, done))
    assert len(done) == 2


def test_a_fit_that_fails_keeps_nothing():
    cache = FitCache()

    def fail():
        raise ValueError("no fit")

    with pytest.raises(ValueError, match="no fit"):
        cache.fetch(b"1", fail)
    assert cache.info().n_fits == 0


@pytest.mark.parametrize("value", [-1, 1.5, None, True], ids=str)
def test_a_limit_that_is_not_a_size(value):
    with pytest.raises(ValueError, match="max_bytes must be a non-negative int"):
        FitCache(max_bytes=value)


def test_many_threads_share_a_cache():
    cache, done = FitCache(max_bytes=500), []
    keys = [bytes([i % 5]) for i in range(400)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda key: cache.fetch(key, made_of(100, done)), keys))
    assert set(found) == {b"x" * 100}
    info = cache.info()
    assert info.hits + info.misses == len(keys)
    assert info.n_bytes <= 500
