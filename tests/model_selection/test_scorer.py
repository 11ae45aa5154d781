"""The retrieval scorer: its values, its pool, and what it refuses."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from langalign_sk import AdapterAligner, LinearAligner
from langalign_sk.metrics import reciprocity_score, xsim_error
from langalign_sk.model_selection import make_retrieval_scorer
from tests.model_selection.factories import OTHER_PAIRS, TINY, labelled, pipeline, toy
from tests.toy import ENGLISH, KOREAN, PAIRS, EnglishOnly, NeverEncode, ToyEncoder, rotated

# The scorer


def ranks(A, B, right):
    """Place of the first right answer of every row of A among the rows of B, by cosine."""
    A, B = (M / np.linalg.norm(M, axis=1, keepdims=True) for M in (A, B))
    out = []
    for i, row in enumerate(A):
        order = np.argsort(-(B @ row))
        out.append(1 + min(np.flatnonzero(np.isin(order, right[i]))))
    return np.array(out)


MEASURES = {
    "recall": lambda places: np.mean(places == 1),
    "mrr": lambda places: np.mean(1 / places),
    "ndcg": lambda places: np.mean(1 / np.log2(1 + places)),
}


@pytest.mark.parametrize("metric", MEASURES)
@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_values_are_those_of_a_plain_count(metric, direction):
    X, Y = rotated(120, noise=0.9, seed=1)
    aligner = LinearAligner("procrustes").fit(X, Y)
    moved, own = aligner.transform(X), [[i] for i in range(120)]
    there, back = MEASURES[metric](ranks(moved, Y, own)), MEASURES[metric](ranks(Y, moved, own))
    expected = {"forward": there, "backward": back, "both": (there + back) / 2}[direction]
    scorer = make_retrieval_scorer(metric, direction=direction)
    assert scorer(aligner, X, Y) == pytest.approx(expected)
    assert 0 < expected < 1
    assert there != back


def test_recall_counts_the_k_nearest():
    X, Y = rotated(120, noise=0.9)
    aligner = LinearAligner("procrustes").fit(X, Y)
    places = ranks(aligner.transform(X), Y, [[i] for i in range(120)])
    scorer = make_retrieval_scorer(k=3, direction="forward")
    assert scorer(aligner, X, Y) == pytest.approx(np.mean(places <= 3))


def test_other_metrics_are_those_of_the_package():
    X, Y = rotated(120, noise=0.9)
    aligner = LinearAligner("procrustes").fit(X, Y)
    moved = aligner.transform(X)
    assert make_retrieval_scorer("neg_xsim_error")(aligner, X, Y) == pytest.approx(
        -xsim_error(moved, Y)
    )
    assert make_retrieval_scorer("reciprocity")(aligner, X, Y) == reciprocity_score(moved, Y)
    by = {s: make_retrieval_scorer(similarity=s)(aligner, X, Y) for s in ("cosine", "csls")}
    assert by["cosine"] != by["csls"]


@pytest.mark.parametrize("space", ["english", "target", "shared"])
@pytest.mark.parametrize("text", [True, False], ids=["text", "embeddings"])
def test_recall_is_the_score_of_the_aligner_in_every_space(space, text):
    encoder = ToyEncoder(noise=0.6)
    aligner = toy(encoder=encoder, output_space=space, method="spectral")
    data = (PAIRS,) if text else (encoder.encode(KOREAN), encoder.encode(ENGLISH))
    value = make_retrieval_scorer()(aligner.fit(*data), *data)
    assert value == aligner.score(*data)
    assert 0.5 < value < 1


def test_english_systems_of_other_encoders():
    aligner = toy(english_encoder=EnglishOnly()).fit(ENGLISH, parallel=PAIRS)
    assert make_retrieval_scorer()(aligner, PAIRS) == aligner.score(PAIRS)


def test_frames_of_several_languages():
    japanese = [f"ぶん {i}" for i in range(60)]
    frame = pd.DataFrame({"en": ENGLISH[:60], "ko": KOREAN[:60], "ja": japanese})
    aligner = toy(target_lang=["ko", "ja"]).fit(frame)
    assert make_retrieval_scorer()(aligner, frame) == aligner.score(frame)
    # A pool holds one pair of a sentence.
    assert 0 < make_retrieval_scorer(pool_size=60)(aligner, frame) <= 1
    with pytest.raises(ValueError, match="hold 60 distinct pairs"):
        make_retrieval_scorer(pool_size=61)(aligner, frame)


def test_adapters_and_their_shared_space():
    X, Y = rotated(300)
    aligner = AdapterAligner(shared=True, random_state=0, device="cpu", **TINY).fit(X, Y)
    sides = aligner.transform(X), aligner.transform_counterparts(Y)
    expected = np.mean(ranks(*sides, [[i] for i in range(300)]) == 1)
    assert make_retrieval_scorer(direction="forward")(aligner, X, Y) == pytest.approx(expected)


def test_pairs_that_share_a_sentence_are_right_answers_for_each_other():
    X, Y = rotated(60)
    X[30:], Y[30:] = X[:30], Y[:30] + 0.01  # another vector, so the English side cannot tell
    aligner = LinearAligner("procrustes").fit(X, Y)
    right = [[i, (i + 30) % 60] for i in range(60)]
    expected = np.mean(ranks(aligner.transform(X), Y, right) == 1)
    value = make_retrieval_scorer(direction="forward")(aligner, X, Y)
    assert value == pytest.approx(expected)
    assert value > np.mean(ranks(aligner.transform(X), Y, [[i] for i in range(60)]) == 1)


@pytest.mark.parametrize("metric", ["recall", "neg_xsim_error", "reciprocity"])
def test_a_map_to_one_point_is_a_guess(metric):
    class OnePoint(LinearAligner):
        def transform(self, X):
            return np.ones((len(X), 4))

        def transform_counterparts(self, y):
            return np.ones((len(y), 4))

    X, Y = rotated(50)
    value = make_retrieval_scorer(metric)(OnePoint("identity").fit(X, Y), X, Y)
    assert value == pytest.approx(1 / 50 - (metric == "neg_xsim_error"))


def test_a_pool_is_the_same_for_the_same_rows():
    X, Y = rotated(200, noise=0.9)
    aligner = LinearAligner("procrustes").fit(X, Y)
    scorer = make_retrieval_scorer(pool_size=40)
    assert scorer(aligner, X, Y) == scorer(aligner, X, Y)
    seeds = {make_retrieval_scorer(pool_size=40, random_state=s)(aligner, X, Y) for s in range(8)}
    assert len(seeds) > 1
    whole = make_retrieval_scorer()
    assert make_retrieval_scorer(pool_size=200)(aligner, X, Y) == whole(aligner, X, Y)
    assert min(seeds) > whole(aligner, X, Y)  # it is easier to find a row among fewer


def test_a_pool_makes_folds_of_different_size_comparable():
    X, Y = rotated(1200, noise=0.9)
    aligner = LinearAligner("procrustes").fit(X, Y)
    few, many = (X[:100], Y[:100]), (X[100:], Y[100:])
    whole, pool = make_retrieval_scorer(), make_retrieval_scorer(pool_size=100)
    assert whole(aligner, *few) - whole(aligner, *many) > 0.2
    assert abs(pool(aligner, *few) - pool(aligner, *many)) < 0.1


def test_a_pool_is_encoded_and_nothing_else():
    encoder = ToyEncoder()
    aligner = toy(encoder=encoder).fit(PAIRS)
    encoder.calls.clear()
    make_retrieval_scorer(pool_size=30)(aligner, [*PAIRS, *PAIRS])
    assert len(set(encoder.calls)) == 60
    drawn = {t.split()[-1] for t in encoder.calls}
    assert len(drawn) == 30  # of each pair both sides, and of equal pairs one


def test_a_pool_larger_than_the_rows():
    aligner = toy().fit(PAIRS)
    aligner.encoder = NeverEncode()
    with pytest.raises(ValueError, match=r"pool_size=31.*hold 30 distinct pairs.*fewer folds"):
        make_retrieval_scorer(pool_size=31)(aligner, PAIRS[:30] * 2)


def test_steps_before_the_aligner_move_x_alone():
    X, Y = rotated()
    pipe = make_pipeline(StandardScaler(), LinearAligner("procrustes")).fit(X, Y)
    expected = pipe[1].score(pipe[0].transform(X), Y)
    assert make_retrieval_scorer()(pipe, X, Y) == expected
    alone = make_pipeline(LinearAligner("procrustes")).fit(X, Y)
    assert make_retrieval_scorer()(alone, X, Y) == alone[0].score(X, Y)
    text = make_pipeline(FunctionTransformer(), toy()).fit(PAIRS)
    assert make_retrieval_scorer()(text, PAIRS) == text[1].score(PAIRS)


def test_frames_as_output_make_no_difference():
    X, Y = rotated()
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(8)])
    aligner = LinearAligner("procrustes").set_output(transform="pandas").fit(frame, Y)
    scorer = make_retrieval_scorer(pool_size=100)
    expected = scorer(LinearAligner("procrustes").fit(X, Y), X, Y)
    assert scorer(aligner, frame, pd.DataFrame(Y)) == pytest.approx(expected)


def test_a_scorer_tells_what_it_is_and_can_be_sent():
    scorer = make_retrieval_scorer("ndcg", similarity="csls", pool_size=50)
    shown = "make_retrieval_scorer(metric='ndcg', similarity='csls', pool_size=50)"
    assert repr(scorer) == shown
    assert repr(make_retrieval_scorer()) == "make_retrieval_scorer(metric='recall')"
    assert pickle.loads(pickle.dumps(scorer)) == scorer


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"metric": "accuracy"}, r"metric must be one of.*'neg_xsim_error'.*got 'accuracy'"),
        ({"similarity": "dot"}, "similarity must be one of"),
        ({"direction": "up"}, "direction must be one of"),
        ({"k": 0}, "k must be an int of at least 1, got 0"),
        ({"k": 1.5}, "k must be an int"),
        ({"pool_size": 1}, "pool_size must be an int of at least 2, got 1"),
        ({"random_state": None}, "random_state must be an int"),
        ({"metric": "mrr", "k": 5}, "metric='mrr' does not use k: leave it at 1"),
        ({"metric": "reciprocity", "direction": "forward"}, "does not use direction"),
        ({"metric": "neg_xsim_error", "similarity": "csls"}, "does not use similarity"),
    ],
)
def test_bad_parameters_of_the_scorer(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_retrieval_scorer(**parameters)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (KOREAN, None, r"needs pairs.*cv=CrossLingualSplit\(\)"),
        (PAIRS, np.arange(200), "y must be None"),
        (np.ones((5, 12)), None, "so y is needed"),
        (np.ones((5, 12)), np.ones((5, 3)), "expects 12 features"),
    ],
)
def test_bad_data_for_the_scorer(X, y, message):
    with pytest.raises(ValueError, match=message):
        make_retrieval_scorer()(toy().fit(PAIRS), X, y)


def test_a_classifier_has_no_translations():
    encoder, X, y = labelled()
    pipe = pipeline(encoder).fit(X, y, align__parallel=OTHER_PAIRS)
    message = r"got LogisticRegression. Score the aligner alone.*cv=CrossLingualSplit\(\)"
    with pytest.raises(ValueError, match=message):
        make_retrieval_scorer()(pipe, PAIRS)
