"""Temperature, prior shift and the choice between them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.svm import LinearSVC

from langalign_sk import CrossLingualAligner, SentenceEncoder
from langalign_sk.classifier import AlignedClassifier
from langalign_sk.classifier._calibration import choose_calibration, fit_calibration
from langalign_sk.metrics.calibration import expected_calibration_error
from tests.classifier.toy import (
    EPS,
    LABELS,
    PAIRS,
    TEMPERATURE_RTOL,
    TEST,
    TRAIN,
    aligner,
    overconfident,
    probability_rtol,
    shifted,
)
from tests.toy import ENGLISH, KOREAN, ToyEncoder


@pytest.mark.parametrize("labelled", [True, False])
def test_temperature_repairs_confidence_and_keeps_predictions(head, frozen, labelled):
    bold = overconfident(head)
    y = LABELS[TRAIN] if labelled else None
    parallel = None if labelled else (KOREAN[TRAIN], ENGLISH[TRAIN])
    plain = AlignedClassifier(bold, frozen, calibration="none").fit(KOREAN[TRAIN])
    model = AlignedClassifier(bold, frozen, calibration="temperature")
    model.fit(KOREAN[TRAIN], y, parallel=parallel)
    P, Q = plain.predict_proba(KOREAN[TEST]), model.predict_proba(KOREAN[TEST])
    assert model.temperature_ > 1.5
    assert log_loss(LABELS[TEST], Q) < log_loss(LABELS[TEST], P)
    np.testing.assert_array_equal(model.predict(KOREAN[TEST]), plain.predict(KOREAN[TEST]))
    assert_allclose(Q.sum(axis=1), 1, rtol=8 * EPS)


def test_temperature_has_the_highest_likelihood(head, frozen):
    bold = overconfident(head)
    model = AlignedClassifier(bold, frozen, calibration="temperature")
    model.fit(KOREAN[TRAIN], LABELS[TRAIN])
    P = bold.predict_proba(frozen.transform(KOREAN[TRAIN])).astype(float)
    logs = np.log(np.clip(P, np.finfo(float).eps, None))
    n, k = logs.shape
    likely = (np.eye(k)[np.searchsorted(bold.classes_, LABELS[TRAIN])] * (n + 1) + 1 / k) / (n + 2)

    def loss(t):
        scaled = logs / t
        return -(likely * (scaled - np.logaddexp.reduce(scaled, axis=1)[:, None])).sum()

    grid = model.temperature_ * np.array([0.9, 0.99, 1.0, 1.01, 1.1])
    assert np.argmin([loss(t) for t in grid]) == 2


def test_pairs_teach_how_often_both_sides_agree(encoder, head):
    # Without noise the map is nearly exact, and the head loses little confidence.
    clear, noisy = ToyEncoder(noise=0.0), ToyEncoder(noise=1.5)
    found = []
    for encoder_ in (clear, noisy):
        fitted = aligner(encoder_).fit(KOREAN[:5], parallel=(KOREAN[TRAIN], ENGLISH[TRAIN]))
        model = AlignedClassifier(overconfident(head), fitted.freeze())
        found.append(model.fit(KOREAN[:5], parallel=(KOREAN[TEST], ENGLISH[TEST])))
    assert [m.calibration_ for m in found] == ["temperature", "temperature"]
    assert 1.5 * found[0].temperature_ < found[1].temperature_


def test_pairs_never_raise_confidence(head, frozen):
    shy = overconfident(head, 0.1)
    auto = AlignedClassifier(shy, frozen).fit(KOREAN[:40], parallel=PAIRS)
    assert (auto.calibration_, auto.temperature_) == ("none", 1.0)
    asked = AlignedClassifier(shy, frozen, calibration="temperature")
    assert asked.fit(KOREAN[:40], parallel=PAIRS).calibration_ == "temperature"
    P, Q = (m.predict_proba(KOREAN[TEST]) for m in (auto, asked))
    assert_allclose(P, Q, rtol=probability_rtol(shy, frozen.transform(KOREAN[TEST])))
    # Labels may.
    assert asked.fit(KOREAN[TRAIN], LABELS[TRAIN]).temperature_ < 0.5


def test_few_rows_that_are_all_right_do_not_make_it_certain(head, frozen):
    right = KOREAN[:12]
    y = head.predict(frozen.transform(right))
    model = AlignedClassifier(head, frozen, calibration="temperature").fit(right, y)
    assert model.predict_proba(right).max(axis=1).mean() < 0.99


def test_auto_with_labels_takes_none_where_nothing_is_wrong(encoder, frozen):
    # A head that gives every row the same, right chances: no temperature is better.
    rng = np.random.default_rng(0)
    y = np.array(["a", "b"])[(np.arange(200) % 2)]
    flat = LogisticRegression(C=1e-9).fit(rng.normal(size=(200, 12)), y)
    flat.coef_[:], flat.intercept_[:] = 0, 0
    assert AlignedClassifier(flat, frozen).fit(KOREAN[:40], y[:40]).calibration_ == "none"


def test_auto_with_labels_takes_a_temperature_where_it_helps(head, frozen):
    model = AlignedClassifier(overconfident(head), frozen).fit(KOREAN[TRAIN], LABELS[TRAIN])
    assert model.calibration_ == "temperature"


@pytest.mark.parametrize("labelled", [True, False])
def test_prior_shift_learns_a_rare_class(head, frozen, labelled):
    texts, y, prior = shifted()
    model = AlignedClassifier(head, frozen, calibration="prior_shift", class_prior=prior)
    model.fit(texts, y if labelled else None)
    plain = AlignedClassifier(head, frozen, calibration="none").fit(texts)
    assert model.prior_[0] < 0.5 * prior[0] / prior.sum()
    assert model.prior_.sum() == pytest.approx(1)
    P, Q = plain.predict_proba(texts), model.predict_proba(texts)
    assert log_loss(y, Q) < log_loss(y, P)
    # Predictions are those of the shifted probabilities.
    np.testing.assert_array_equal(model.predict(texts), model.classes_[Q.argmax(axis=1)])
    expected = P * (model.prior_ / (prior / prior.sum()))
    expected /= expected.sum(axis=1, keepdims=True)
    assert_allclose(Q, expected, rtol=probability_rtol(head, frozen.transform(texts)))


def test_auto_without_labels_leaves_the_prior_alone(head, frozen):
    texts, _, prior = shifted()
    model = AlignedClassifier(overconfident(head), frozen, class_prior=prior)
    assert model.fit(texts, parallel=PAIRS).calibration_ == "temperature"
    assert model.prior_ is None


def test_em_is_at_a_fixed_point(head, frozen):
    texts, _, prior = shifted()
    model = AlignedClassifier(
        overconfident(head), frozen, calibration="temperature+prior_shift", class_prior=prior
    ).fit(texts, parallel=PAIRS)
    assert model.temperature_ > 1
    # Eq. 2.9: the prior is the mean of the posteriors under it; three rows of the old one go in.
    counts = model.predict_proba(texts).sum(axis=0) + 3 * prior / prior.sum()
    # Frequencies are of size 1; EM stops where they change by less than 1e-8.
    assert_allclose(model.prior_, counts / (len(texts) + 3), rtol=0, atol=1e-6)


def test_counts_and_frequencies_are_one_prior(head, frozen):
    texts, y, counts = shifted()
    models = [
        AlignedClassifier(
            head, frozen, calibration="temperature+prior_shift", class_prior=prior
        ).fit(texts, y)
        for prior in (counts, counts / counts.sum())
    ]
    of_counts, of_frequencies = models
    assert_allclose(of_counts.prior_, of_frequencies.prior_)
    assert of_counts.temperature_ == pytest.approx(
        of_frequencies.temperature_, rel=TEMPERATURE_RTOL
    )


def test_english_rows_get_what_the_head_gives(encoder, head, frozen):
    texts, y, prior = shifted()
    model = AlignedClassifier(
        overconfident(head), frozen, calibration="temperature+prior_shift", class_prior=prior
    ).fit(texts, y)
    mixed = [texts[0], ENGLISH[150], texts[1]]
    P = model.predict_proba(mixed)
    rtol = probability_rtol(overconfident(head), frozen.transform(mixed))
    assert_allclose(P[[0, 2]], model.predict_proba([texts[0], texts[1]]), rtol=rtol)
    own = overconfident(head).predict_proba(encoder.encode([ENGLISH[150]]))
    assert_allclose(P[1:2], own, rtol=rtol)


def test_english_rows_of_a_head_of_decisions_get_no_prior_shift(encoder, frozen):
    svc = LinearSVC().fit(encoder.encode(ENGLISH[TRAIN]), LABELS[TRAIN])
    texts, y, prior = shifted()
    model = AlignedClassifier(
        svc, frozen, calibration="temperature+prior_shift", class_prior=prior
    ).fit(texts, y)
    P = model.predict_proba([texts[0], *ENGLISH[TEST]])[1:]
    np.testing.assert_array_equal(
        P.argmax(axis=1), model.decision_function(ENGLISH[TEST]).argmax(1)
    )


def test_english_rows_do_not_calibrate(head, frozen):
    model = AlignedClassifier(overconfident(head), frozen, calibration="temperature")
    alone = model.fit(KOREAN[:40], LABELS[:40]).temperature_
    wrong = np.full(40, "a")
    mixed = model.fit(KOREAN[:40] + ENGLISH[:40], np.concatenate([LABELS[:40], wrong]))
    assert mixed.temperature_ == pytest.approx(alone, rel=TEMPERATURE_RTOL)


# Arrays alone


def test_a_prior_shift_of_arrays_is_shrunk_by_one_row_per_class():
    labels, prior = np.array([0, 0, 0, 1]), np.array([0.5, 0.25, 0.25])
    calibration = fit_calibration("prior_shift", np.zeros((4, 3)), labels, prior)
    assert_allclose(calibration.prior, (np.array([3, 1, 0]) + 3 * prior) / 7)
    assert_allclose(calibration.log_ratio, np.log(calibration.prior / prior))
    assert calibration.temperature == 1


def test_the_calibration_that_made_the_scores_is_chosen():
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(600, 3))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    names, prior = ["none", "temperature"], np.full(3, 1 / 3)
    assert choose_calibration(names, logits, labels, prior) == "none"
    assert choose_calibration(names, 4 * logits, labels, prior) == "temperature"
    calibration = fit_calibration("temperature", 4 * logits, labels, prior)
    assert calibration.temperature == pytest.approx(4, rel=0.2)  # of 600 rows
    assert_allclose(calibration.log_odds(4 * logits), 4 * logits / calibration.temperature)


def _rows(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    labels, texts = zip(*(line.split("\t") for line in lines), strict=True)
    return list(texts), np.array(labels)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("english", [None, "minilm-english"])
def test_calibration_on_sib200_is_near_that_of_english(data_folder, english):
    folder = data_folder / "eval" / "sib200"
    X, y = _rows(folder / "en_train.tsv")
    encoder = SentenceEncoder(english or "use-multilingual")
    # Chosen by accuracy, C is so small that the head is far off in English too.
    search = GridSearchCV(
        LogisticRegression(max_iter=2000), {"C": [3, 10, 30, 100]}, scoring="neg_log_loss"
    )
    head = search.fit(encoder.transform(X), y).best_estimator_
    prior = np.unique(y, return_counts=True)[1]
    texts, labels = _rows(folder / "en_test.tsv")
    own = expected_calibration_error(labels, head.predict_proba(encoder.transform(texts)))
    for language in ("ko", "ja", "zh"):
        given = CrossLingualAligner(language, english_encoder=english, random_state=0)
        dev, dev_labels = _rows(folder / f"{language}_dev.tsv")
        texts, labels = _rows(folder / f"{language}_test.tsv")
        frozen = given.fit(X).freeze()
        for known in (None, dev_labels):
            model = AlignedClassifier(head, frozen, class_prior=prior).fit(dev, known)
            # Without calibration it is up to .05 higher: `python -m benchmarks calibration`.
            assert expected_calibration_error(labels, model.predict_proba(texts)) <= own + 0.03
