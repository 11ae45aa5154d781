"""Adaptation of a CrossLingualClassifier to unlabelled text."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from langalign_sk import CrossLingualClassifier
from langalign_sk.classifier._adaptation import pseudo_labels, pseudo_share, refusal, teachers
from tests.classifier.toy import LABELS, PAIRS, TRAIN, Topics, aligner, on_topics
from tests.toy import ENGLISH, KOREAN, EnglishOnly, NeverEncode, ToyEncoder

# 120 English texts are few for a bridge, and a warning says so.
pytestmark = pytest.mark.filterwarnings("ignore:The bridge to english_encoder has only")

X, y = ENGLISH[TRAIN], LABELS[TRAIN]


def classifier(encoder=None, **params):
    given = aligner(encoder or ToyEncoder(), english_encoder=EnglishOnly())
    return CrossLingualClassifier(given, **{"random_state": 0, **params})


def test_the_more_confident_half_of_each_class_is_taken():
    P = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6]])
    chosen = pseudo_labels(P, 0.5)
    # Of three rows of class 0 the two surest, of two of class 1 the surer one.
    assert_array_equal(chosen.indices, [0, 2, 3])
    assert_array_equal(chosen.labels, [0, 0, 1])


def test_of_equally_sure_rows_the_first_are_taken():
    chosen = pseudo_labels(np.full((4, 2), 0.5), 0.5)
    assert_array_equal(chosen.indices, [0, 1])


def test_more_views_learn_from_fewer_rows():
    assert [pseudo_share(n) for n in (1, 2, 4)] == [0.5, 0.5, 0.25]
    P = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.8, 0.2], [0.4, 0.6]])
    assert_array_equal(pseudo_labels(P, 0.25).indices, [0, 4])


def test_teachers():
    P = [np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])]
    for taught in teachers(P, co_training=False):
        assert_allclose(taught, [[0.5, 0.5]])
    others = teachers(P, co_training=True)
    assert_allclose(others[0], [[0.25, 0.75]])
    assert_allclose(others[1], [[0.75, 0.25]])
    assert_allclose(teachers(P[:1], co_training=True)[0], P[0])


def test_refusals():
    assert refusal(200, 0.9) is None
    assert "fewer than 100" in refusal(99, 0.9)
    assert "another task" in refusal(200, 0.5)
    assert "another task" in refusal(200, float("nan"))


@pytest.mark.parametrize("adapt", ["self-training", "co-training"])
def test_heads_learn_from_half_of_the_rows_at_half_weight(adapt):
    before = classifier().fit(X, y, parallel=PAIRS)
    fitted = classifier(adapt=adapt).fit(X, y, target=KOREAN, parallel=PAIRS)
    adaptation = fitted.report_.adaptation
    assert adaptation.adapted
    assert adaptation.n_unlabelled == 200
    assert 100 <= adaptation.n_pseudo_labelled <= 102  # half of each of three classes
    for view, old in zip(fitted.views_, before.views_, strict=True):
        assert abs(len(view.labels) - len(X) - adaptation.n_pseudo_labelled) <= 1  # the mean
        assert_array_equal(view.weight[: len(X)], 1.0)
        assert_array_equal(view.weight[len(X) :], 0.5)
        assert_array_equal(view.labels[: len(X)], old.labels)
    assert not np.array_equal(fitted.predict_proba(KOREAN), before.predict_proba(KOREAN))


def test_pseudo_labels_weigh_half_of_a_mean_labelled_row():
    fitted = classifier(views="own").fit(
        X, y, target=KOREAN, parallel=PAIRS, sample_weight=np.full(len(X), 10.0)
    )
    assert_array_equal(fitted.views_[0].weight[len(X) :], 5.0)


def test_none_leaves_the_unlabelled_rows_alone():
    plain = classifier().fit(X, y, parallel=PAIRS)
    fitted = classifier(adapt="none").fit(X, y, target=KOREAN, parallel=PAIRS)
    assert_array_equal(fitted.predict_proba(KOREAN), plain.predict_proba(KOREAN))


def test_few_rows_are_not_learned_from():
    plain = classifier().fit(X, y, parallel=PAIRS)
    with pytest.warns(UserWarning, match="there are 15 unlabelled rows"):
        fitted = classifier().fit(X, y, target=KOREAN[:15], parallel=PAIRS)
    assert not fitted.report_.adaptation.adapted
    assert_array_equal(fitted.predict_proba(KOREAN), plain.predict_proba(KOREAN))


def test_rows_of_another_task_are_refused():
    texts, labels = on_topics(["billing", "delivery", "refund", "password"])
    same, _ = on_topics(["billing", "delivery", "refund", "password"], "문장")
    other, _ = on_topics(["weather", "music", "sports", "cooking"], "문장")
    given = CrossLingualClassifier(aligner(Topics(), method="identity"), random_state=0)
    plain = clone(given).fit(texts, labels)
    with pytest.warns(UserWarning, match="look like rows of another task"):
        fitted = clone(given).fit(texts, labels, target=other)
    assert fitted.report_.adaptation.confidence_ratio < 0.75
    assert_array_equal(fitted.predict_proba(same), plain.predict_proba(same))
    assert clone(given).fit(texts, labels, target=same).report_.adaptation.adapted


def test_heads_that_take_no_weights_are_not_adapted():
    with pytest.warns(UserWarning, match="takes no sample_weight"):
        fitted = classifier(head=KNeighborsClassifier()).fit(X, y, target=KOREAN, parallel=PAIRS)
    assert not fitted.report_.adaptation.adapted
    assert (
        classifier(head=GaussianNB())
        .fit(X, y, target=KOREAN, parallel=PAIRS)
        .report_.adaptation.adapted
    )


def test_english_and_repeated_rows_are_left_out():
    fitted = classifier().fit(X, y, target=KOREAN, parallel=PAIRS)
    mixed = classifier().fit(X, y, target=[*KOREAN, *ENGLISH, *KOREAN], parallel=PAIRS)
    assert mixed.report_.adaptation.n_unlabelled == 200
    assert_array_equal(mixed.predict_proba(KOREAN), fitted.predict_proba(KOREAN))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([], "no unlabelled rows"),
        (ENGLISH, "English rows only"),
        ((KOREAN, LABELS), "tuple of two columns"),
        (list(zip(KOREAN, LABELS, strict=True)), "one column of text"),
        (list(LABELS), "holds the labels"),
        (np.zeros((5, 12)), "one column of text, as X is"),
        ("문장", "target is one text"),
        ([*KOREAN, None], "In target: .*missing"),
        ([*KOREAN, *KOREAN, "สวัสดี"], "In target: Row 400 is written in the Thai script"),
    ],
)
def test_bad_unlabelled_rows(target, message):
    bad = CrossLingualClassifier(aligner(NeverEncode()).set_params(on_unknown="raise"))
    with pytest.raises((ValueError, TypeError), match=message):
        bad.fit(X, y, target=target, parallel=PAIRS)


def test_a_fit_that_fails_leaves_the_earlier_one():
    fitted = classifier().fit(X, y, parallel=PAIRS)
    before = fitted.predict_proba(KOREAN)
    with pytest.raises(ValueError, match="English rows only"):
        fitted.fit(X[:60], y[:60], target=ENGLISH, parallel=PAIRS)
    assert_array_equal(fitted.predict_proba(KOREAN), before)
    fitted.partial_adapt(KOREAN)
    assert fitted.report_.adaptation.adapted


# A stream


def test_a_stream_of_rows_teaches_like_a_fit_with_them():
    at_once = classifier().fit(X, y, target=KOREAN, parallel=PAIRS)
    fitted = classifier().fit(X, y, parallel=PAIRS)
    fitted.partial_adapt(KOREAN)
    assert fitted.report_.adaptation.adapted
    assert_allclose(fitted.predict_proba(KOREAN), at_once.predict_proba(KOREAN), rtol=1e-6)


def test_rows_wait_until_there_are_enough():
    fitted = classifier().fit(X, y, parallel=PAIRS)
    before = fitted.predict_proba(KOREAN)
    for start in (0, 40):
        fitted.partial_adapt(KOREAN[start : start + 40])
        assert_array_equal(fitted.predict_proba(KOREAN), before)
    assert "80 rows wait until there are 100" in fitted.report_.adaptation.reason
    fitted.partial_adapt(KOREAN[80:120])
    assert fitted.report_.adaptation.n_unlabelled == 120
    at_once = classifier().fit(X, y, target=KOREAN[:120], parallel=PAIRS)
    assert_allclose(fitted.predict_proba(KOREAN), at_once.predict_proba(KOREAN), rtol=1e-6)


def test_a_stream_keeps_its_latest_rows_and_all_labelled_ones():
    fitted = classifier().fit(X, y, parallel=PAIRS)
    texts = [f"문장 {i} 번호 {i % 200}" for i in range(2_400)]
    for start in range(0, 2_400, 200):
        fitted.partial_adapt(texts[start : start + 200])
    for view in fitted.views_:
        assert_array_equal(view.labels[: len(X)], np.searchsorted(fitted.classes_, y))
        assert (view.weight == 0.5).sum() == 1_000


def test_a_stream_of_embeddings():
    rows = ToyEncoder().encode
    pairs = rows(PAIRS[0]), rows(PAIRS[1])
    fitted = CrossLingualClassifier(aligner("use-multilingual"), random_state=0)
    fitted.fit(rows(X), y, parallel=pairs).partial_adapt(rows(KOREAN))
    assert fitted.report_.adaptation.adapted


def test_heads_without_their_rows_have_no_stream():
    fitted = classifier(head=RandomForestClassifier(5)).fit(X, y, parallel=PAIRS)
    with pytest.raises(ValueError, match="heads that keep their rows"):
        fitted.partial_adapt(KOREAN)
