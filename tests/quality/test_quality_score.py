"""Scores of unusual rows, by their text or their vectors."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from langalign_sk import CrossLingualAligner, SentenceEncoder
from langalign_sk.trust import drift_test
from tests.toy import ENGLISH, KOREAN, PAIRS, NeverEncode, ToyEncoder


def toy(**parameters):
    given = {"encoder": ToyEncoder(), "method": "ridge", "alpha": 1.0, "random_state": 0}
    return CrossLingualAligner("ko", **given | parameters)


@pytest.fixture(scope="module")
def starter():
    return CrossLingualAligner(("ko", "ja", "zh"), method="ridge", alpha=10.0, random_state=0).fit(
        ["Good morning."]
    )


# Scores


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("오늘은 날씨가 아주 좋아요.", "좋아요. 아주 날씨가 오늘은"),
        ("昨日は友達と映画を見ました。", "見友映ま昨を。達日しと画た"),
        ("我昨天和朋友一起去看电影了。", "。起影我友昨看去朋一电了天和"),
        ("I would like to change my appointment.", "appointment. to I like change my would"),
        ("Where is the train station?", "Ÿ\x00û²\x17\x92Ä¼\x05\x8eÐ"),
    ],
    ids=["ko", "ja", "zh", "en", "bytes"],
)
def test_sound_rows_score_above_broken_ones(starter, good, bad):
    scores = starter.quality_score([good, bad])
    assert scores[0] > 0.05 > scores[1]


def test_scores_are_shares(starter):
    rows = ["좋은 아침입니다.", "x", "7", "?!", "あ", "\ufffd" * 50, "좋은 " * 2_000, "🙂"]
    scores = starter.quality_score(rows)
    assert scores.shape == (8,)
    assert scores.dtype == np.float64
    assert ((scores >= 0) & (scores <= 1)).all()


def test_undeclared_scripts_score_zero_and_do_not_raise(starter):
    assert_array_equal(starter.quality_score(["สวัสดี", "Доброе утро"]), [0, 0])


def test_rows_do_not_depend_on_the_batch(starter):
    rows = ["좋은 아침입니다.", "Good morning.", "สวัสดี", "おはようございます。", "아침", "早上好"]
    whole = starter.quality_score(rows)
    assert_array_equal(np.concatenate([starter.quality_score([row]) for row in rows]), whole)
    assert_array_equal(starter.quality_score(rows[::-1]), whole[::-1])
    encoded = SentenceEncoder("use-multilingual").encode(rows)
    korean = CrossLingualAligner("ko", method="ridge", alpha=10.0).fit(["Good morning."])
    alone = np.concatenate([korean.quality_score(row[None]) for row in encoded])
    assert_allclose(korean.quality_score(encoded), alone, atol=1e-4)


def test_text_is_not_encoded():
    encoder = ToyEncoder()
    aligner = toy(encoder=encoder).fit(PAIRS)
    assert len(encoder.calls) == len(set(encoder.calls)) == 400
    aligner.quality_score(["문장 번호 새것", "sentence number new"])
    assert len(encoder.calls) == 400


def test_held_out_rows_have_even_scores():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4_000, 8)) * np.arange(1, 9)
    aligner = toy().fit(X[:2_000], X[:2_000])
    scores = aligner.quality_score(X[2_000:])
    shares = [(scores < level).mean() for level in (0.05, 0.25, 0.5, 0.75, 0.95)]
    # Three standard errors, of the calibrating rows and of these.
    assert_allclose(shares, [0.05, 0.25, 0.5, 0.75, 0.95], atol=0.05)
    assert aligner.quality_score(X[2_000:] * 10).mean() < 0.05


def test_embeddings_and_text_are_judged_apart():
    aligner = toy().fit(PAIRS)
    X = ToyEncoder().encode(KOREAN)
    assert aligner.quality_score(X).mean() > 0.2
    assert_array_equal(aligner.quality_score(X + 100), np.zeros(200))
    on_rows = toy().fit(X, ToyEncoder().encode(ENGLISH))
    assert_allclose(on_rows.quality_score(X).mean(), 0.5, atol=0.1)
    with pytest.raises(ValueError, match="nothing to compare rows of 'ko'"):
        on_rows.quality_score(KOREAN)


def test_task_text_is_enough_for_text():
    aligner = toy(corpus=None).fit(ENGLISH + KOREAN)
    assert (aligner.quality_score(KOREAN[:5] + ENGLISH[:5]) > 0).all()
    with pytest.raises(ValueError, match=r"nothing to compare rows of 'ko'.*Fit with more pairs"):
        aligner.quality_score(ToyEncoder().encode(KOREAN))


def test_too_few_rows_are_said():
    aligner = toy().fit(PAIRS[:15])
    with pytest.raises(ValueError, match="fewer than 20 distinct texts"):
        aligner.quality_score(KOREAN)
    aligner = toy(corpus=None).fit(ENGLISH)
    with pytest.raises(ValueError, match="nothing to compare rows of 'ko'"):
        aligner.quality_score(KOREAN)


def test_bad_input_of_scores():
    with pytest.raises(NotFittedError):
        toy().quality_score(KOREAN)
    aligner = toy().fit(PAIRS)
    with pytest.raises(ValueError, match="pairs of two columns"):
        aligner.quality_score(PAIRS)
    with pytest.raises(ValueError, match="row 1 is missing"):
        aligner.quality_score(["좋은", None])
    with pytest.raises(ValueError, match="X has 5 features"):
        aligner.quality_score(np.ones((3, 5)))
    with pytest.raises(ValueError, match="NaN"):
        aligner.quality_score(np.full((3, 12), np.nan))


def test_detect_decides_what_is_declared():
    german = [f"Satz Nummer {i}" for i in range(200)]

    def detect(texts):
        return ["de" if "Satz" in t else "fr" if "phrase" in t else "en" for t in texts]

    aligner = CrossLingualAligner("de", encoder=ToyEncoder(), detect=detect, random_state=0)
    aligner.fit(list(zip(german, ENGLISH, strict=True)))
    scores = aligner.quality_score(["Satz Nummer 7", "sentence number 7", "phrase 7"])
    assert (scores[:2] > 0).all()
    assert scores[2] == 0
    aligner.set_params(detect=lambda texts: ["de"])
    with pytest.raises(ValueError, match="returned 1 codes for 2"):
        aligner.quality_score(["Satz", "Satz"])


def test_threads_share_one_aligner(starter):
    rows = ["좋은 아침입니다.", "おはようございます。", "Good morning."] * 50
    expected, results = starter.quality_score(rows), {}

    def work(i):
        results[i] = starter.quality_score(rows)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    for scores in results.values():
        assert_array_equal(scores, expected)


def test_pickles_stay_small_and_hold_no_text(starter):
    one = CrossLingualAligner("ko", method="ridge", alpha=10.0, random_state=0).fit(["Good day."])
    models = pickle.dumps((one._text_quality, one._vector_quality))
    assert len(models) < 200_000
    again = pickle.loads(pickle.dumps(starter))
    rows = ["좋은 아침입니다.", "おはようございます。"]
    assert_array_equal(again.quality_score(rows), starter.quality_score(rows))
    assert not hasattr(clone(starter), "_text_quality")


def test_repeats_bit_for_bit_and_leaves_the_global_generator():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    scores = [toy(random_state=s).fit(PAIRS).quality_score(KOREAN) for s in (0, 0)]
    assert_array_equal(*scores)
    X = ToyEncoder().encode(KOREAN)
    assert drift_test(X[:100], X[100:], random_state=3) == drift_test(
        X[:100], X[100:], random_state=3
    )
    assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


# Real text


def _real(data_folder, monkeypatch):
    monkeypatch.setenv("LANGALIGN_DATA", str(data_folder))
    from benchmarks.scores import quality

    return quality


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("size", [640, 3_000])
@pytest.mark.parametrize("language", ["ko", "ja", "zh"])
def test_scores_tell_broken_and_foreign_text(data_folder, monkeypatch, language, size):
    quality = _real(data_folder, monkeypatch)
    pairs = quality.drawn(language, size + 500)
    # Text is not encoded to be scored: task text alone, without pairs, makes the models.
    fitted = [text for pair in pairs[:size] for text in pair]
    router = CrossLingualAligner(language, encoder=ToyEncoder(), corpus=None, random_state=0)
    aligner = router.fit([text for text in fitted if text.strip()])
    aligner.set_params(encoder=NeverEncode())
    for name, side in ((language, 1), ("en", 0)):
        held_out = [pair[side] for pair in pairs[size:]]
        kinds = quality.negatives(name, held_out)
        measured = quality.areas(aligner.quality_score, held_out, kinds)
        share = measured.pop("held out, below 0.05")
        assert {kind: area for kind, area in measured.items() if area < 0.85} == {}
        assert 0.01 < share < 0.1
