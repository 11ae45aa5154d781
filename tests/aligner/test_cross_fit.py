"""Cross-fitting of the bridge, against bridges that are fitted anew for every fold."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from langalign_sk import CrossLingualAligner, LinearAligner
from langalign_sk.aligner._cross_fit import cross_fitted_rows
from langalign_sk.aligner._learn import fit_planned
from langalign_sk.aligner._plan import plan_fit
from langalign_sk.aligner._route import source_rows
from langalign_sk.encoders import EncodingSession
from tests.toy import ENGLISH, KOREAN, PAIRS, EnglishOnly, NeverEncode, ToyEncoder

TASK = [f"task text {word}" for word in range(120)]
LABELS = np.where(EnglishOnly().encode(TASK)[:, 0] > 0, "up", "down")
# Float32 rows whose sums are subtracted; far less than a bridge that saw a row moves it.
CLOSE = 1e-4


def toy(**parameters):
    settings = {
        "encoder": ToyEncoder(),
        "english_encoder": NoisyEnglish(),
        "method": "ridge",
        "alpha": 1.0,
        "random_state": 0,
    }
    return CrossLingualAligner(**settings | parameters)


class NoisyEnglish(EnglishOnly):
    """English vectors of which the bridge can learn a part only."""

    def encode(self, texts):
        seeds = [int.from_bytes(text.encode()[-8:], "little") for text in texts]
        own = [np.random.default_rng(seed).normal(size=7) for seed in seeds]
        return super().encode(texts) + np.stack(own)


def bridged(aligner):
    """English rows moved by a bridge that saw them."""
    return aligner.bridge_map_.transform(ToyEncoder().encode(TASK))


def scale_of(rows):
    return np.abs(rows).max()


def assert_near(got, expected):
    assert_allclose(got, expected, rtol=0, atol=CLOSE * scale_of(expected))


def bridge_of(texts, weight=None):
    """The bridge of some English texts, by the closed form on arrays."""
    aligner = LinearAligner("spectral", alpha=1.0, power=0.5, match_scale=True)
    return aligner.fit(ToyEncoder().encode(texts), NoisyEnglish().encode(texts), weight)


# The rows


def test_every_english_row_is_moved_by_a_bridge_that_did_not_see_it():
    n_folds, general = 5, ENGLISH
    out = toy().fit_transform(TASK, LABELS, parallel=PAIRS, cross_fit=n_folds)
    assert out.dtype == np.float32
    moved_alike = np.zeros(len(TASK), dtype=int)
    plan = plan_fit(toy(), TASK, None, PAIRS)
    # The folds by hand: the sorted texts in the order of a seeded permutation.
    fold_of = np.random.RandomState(plan.seed).permutation(len(TASK)) % n_folds
    for fold in range(n_folds):
        held = [text for text, f in zip(sorted(TASK), fold_of, strict=True) if f == fold]
        rest = [text for text in TASK if text not in held]
        weight = np.r_[np.ones(len(rest)), np.full(len(general), 100 / len(general))]
        expected = bridge_of(rest + general, weight).transform(ToyEncoder().encode(held))
        at = [TASK.index(text) for text in held]
        assert_near(out[at], expected)
        moved_alike[at] += 1
    assert_array_equal(moved_alike, 1)


def test_the_bridge_of_a_row_knows_nothing_of_the_row():
    plan = plan_fit(toy(), TASK, None, PAIRS)
    rows = cross_fitted_rows(plan, TASK, EncodingSession(), 4, 0)

    class Other(NoisyEnglish):
        def encode(self, texts):
            far = np.array([text == TASK[7] for text in texts])
            return super().encode(texts) + 50 * far[:, None]

    plan = plan_fit(toy(english_encoder=Other()), TASK, None, PAIRS)
    again = cross_fitted_rows(plan, TASK, EncodingSession(), 4, 0)
    seen = np.abs(again - rows).max(axis=1)
    assert seen[7] <= 50 * CLOSE * scale_of(rows)  # of the sums that its vector is subtracted from
    others = seen > 0.01 * scale_of(rows)
    assert len(TASK) * 0.6 < others.sum() <= len(TASK) * 0.75 + 1  # the three folds that saw it
    full = toy().fit(TASK, parallel=PAIRS)
    moved = toy(english_encoder=Other()).fit(TASK, parallel=PAIRS)
    change = bridged(full) - bridged(moved)
    assert np.abs(change[7]).max() > 0.01 * scale_of(rows)  # the full bridge did see it


def test_task_text_of_the_corpus_is_held_out_as_well():
    task = ENGLISH[:100]
    out = toy().fit_transform(task, parallel=PAIRS, cross_fit=2)
    plan = plan_fit(toy(), task, None, PAIRS)
    fold_of = np.random.RandomState(plan.seed).permutation(100) % 2
    held = [text for text, f in zip(sorted(task), fold_of, strict=True) if f == 0]
    rest = [text for text in ENGLISH if text not in held]
    expected = bridge_of(rest).transform(ToyEncoder().encode(held))
    assert_near(out[[task.index(text) for text in held]], expected)


def test_target_rows_go_the_normal_way_and_the_fit_is_the_same():
    mixed = [*TASK[:60], *KOREAN[:20], *TASK[60:]]
    aligner, plain = toy(), toy().fit(mixed, parallel=PAIRS)
    out = aligner.fit_transform(mixed, parallel=PAIRS, cross_fit=3)
    assert_array_equal(out[60:80], plain.transform(KOREAN[:20]))
    for name in ("language_map_", "bridge_map_"):
        for matrix in ("coef_", "intercept_", "inverse_coef_", "inverse_intercept_"):
            assert_array_equal(
                getattr(getattr(aligner, name), matrix), getattr(getattr(plain, name), matrix)
            )
    assert str(aligner.alignment_report_) == str(plain.alignment_report_)
    assert_array_equal(aligner.transform(mixed), plain.transform(mixed))


def test_repeats_bit_for_bit_and_draws_other_folds_for_another_seed():
    first, again, other = (
        toy(random_state=seed).fit_transform(TASK, parallel=PAIRS, cross_fit=5)
        for seed in (0, 0, 1)
    )
    assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01 * scale_of(first)


def test_folds_depend_on_the_texts_and_not_on_their_order():
    order = np.random.default_rng(0).permutation(len(TASK))
    straight = toy().fit_transform(TASK, parallel=PAIRS, cross_fit=5)
    shuffled = toy().fit_transform([TASK[i] for i in order], parallel=PAIRS, cross_fit=5)
    assert_near(shuffled, straight[order])


def test_equal_texts_share_a_fold():
    twice = [*TASK, *TASK[:50]]
    out = toy().fit_transform(twice, parallel=PAIRS, cross_fit=5)
    assert_array_equal(out[120:], out[:50])
    assert_array_equal(out[:120], toy().fit_transform(TASK, parallel=PAIRS, cross_fit=5))


def test_rows_are_noisier_than_those_of_a_bridge_that_saw_them():
    out = toy().fit_transform(TASK, parallel=PAIRS, cross_fit=5)
    aligner = toy().fit(TASK, parallel=PAIRS)
    seen = bridged(aligner)
    truth = NoisyEnglish().encode(TASK)
    assert np.square(out - truth).mean() > np.square(seen - truth).mean()


@pytest.mark.filterwarnings("ignore:.* no more than for shuffled pairs")  # two epochs of a toy
@pytest.mark.slow
def test_a_trained_bridge_is_trained_for_every_fold():
    trained = {"bridge_method": "mse", "adapter_params": {"max_epochs": 2, "device": "cpu"}}
    aligner = toy(**trained)
    out = aligner.fit_transform(TASK, parallel=PAIRS, cross_fit=2)
    assert_array_equal(out, toy(**trained).fit_transform(TASK, parallel=PAIRS, cross_fit=2))
    seen = bridged(aligner)
    assert np.abs(out - seen).max(axis=1).min() > 1e-3 * scale_of(seen)


# Encoding


def test_every_distinct_text_is_encoded_once():
    source, system = ToyEncoder(), NoisyEnglish()
    aligner = toy(encoder=source, english_encoder=system)
    aligner.fit_transform([*TASK, *TASK[:30], *KOREAN[:10]], parallel=PAIRS, cross_fit=4)
    assert len(source.calls) == len(set(source.calls))
    assert len(system.calls) == len(set(system.calls))


def test_a_session_serves_several_fits():
    source, system = ToyEncoder(), NoisyEnglish()
    session = EncodingSession()
    aligners = [toy(encoder=source, english_encoder=system, random_state=s) for s in (0, 1)]
    plans = [plan_fit(aligner, TASK, None, PAIRS) for aligner in aligners]
    assert not source.calls
    for aligner, plan in zip(aligners, plans, strict=True):
        assert fit_planned(aligner, plan, session) is aligner
        cross_fitted_rows(plan, TASK, session, 3, 0)
        source_rows(aligner, TASK, session)
    assert len(source.calls) == len(set(source.calls))
    assert len(system.calls) == len(set(system.calls))
    plain = toy().fit(TASK, parallel=PAIRS)
    assert_array_equal(aligners[0].transform(KOREAN), plain.transform(KOREAN))


# In scikit-learn


@pytest.mark.parametrize("routing", [False, True])
def test_cross_fit_reaches_the_aligner_in_a_pipeline(routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        aligner = toy()
        names = ("align__parallel", "align__cross_fit")
        if routing:
            aligner = clone(aligner.set_fit_request(parallel=True, cross_fit=True))
            names = ("parallel", "cross_fit")
        passed = dict(zip(names, (PAIRS, 4), strict=True))
        pipe = Pipeline([("align", aligner), ("clf", LogisticRegression())])
        rows = toy().fit_transform(TASK, parallel=PAIRS, cross_fit=4)
        expected = LogisticRegression().fit(rows, LABELS)
        pipe.fit(TASK, LABELS, **passed)
        assert_array_equal(pipe[-1].coef_, expected.coef_)
        search = GridSearchCV(pipe, {"align__alpha": [1.0, 3.0]}, cv=2)
        search.fit(TASK, LABELS, **passed)
        assert_array_equal(search.best_estimator_[-1].coef_, expected.coef_)


def test_output_container():
    pytest.importorskip("pandas")
    aligner = toy().set_output(transform="pandas")
    out = aligner.fit_transform(TASK, parallel=PAIRS, cross_fit=3)
    assert list(out.columns) == list(aligner.get_feature_names_out())


# Bad input: found before any text is encoded


@pytest.mark.parametrize("value", [1, 0, -3, 2.0, "5", True])
def test_number_of_folds_out_of_range(value):
    aligner = toy(encoder=NeverEncode(), english_encoder=NeverEncode())
    with pytest.raises(ValueError, match="cross_fit must be an int of at least 2 or None"):
        aligner.fit_transform(TASK, parallel=PAIRS, cross_fit=value)


@pytest.mark.parametrize(
    ("parameters", "X", "message"),
    [
        ({"english_encoder": None}, TASK, "no bridge to cross-fit"),
        ({"output_space": "shared", "method": "spectral"}, TASK, "no bridge to cross-fit"),
        ({}, KOREAN[:50], "at least 5 distinct English texts .* found 0"),
        ({}, [TASK[0]] * 9, "at least 5 distinct English texts .* found 1"),
    ],
    ids=["one encoder", "shared", "target text", "one text"],
)
def test_nothing_to_cross_fit(parameters, X, message):
    never = {"encoder": NeverEncode(), "english_encoder": NeverEncode()}
    with pytest.raises(ValueError, match=message):
        toy(**never | parameters).fit_transform(X, parallel=PAIRS, cross_fit=5)


def test_too_little_english_text_is_left_for_a_fold():
    aligner = toy(encoder=NeverEncode(), english_encoder=NeverEncode(), corpus=None)
    with (
        pytest.warns(UserWarning, match="has only 30 distinct English rows"),
        pytest.raises(ValueError, match="cross_fit=2 leaves 15 distinct English texts"),
    ):
        aligner.fit_transform(TASK[:30], cross_fit=2)


def test_pairs_and_embeddings_have_no_rows_to_cross_fit():
    with pytest.raises(ValueError, match="one column of text, and found 0"):
        toy().fit_transform(PAIRS, cross_fit=5)
    X = ToyEncoder().encode(KOREAN)
    with pytest.raises(ValueError, match="X holds embeddings"):
        toy().fit_transform(X, ToyEncoder().encode(ENGLISH), cross_fit=5)
