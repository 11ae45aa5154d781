"""Checks of pairs on held-out rows, and the warnings that follow."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import CrossLingualAligner
from langalign_sk.aligner._evidence import doubts, doubts_of_hubness, failures, measure_pairs
from langalign_sk.aligner._report import AlignmentReport, AlignmentWarning
from langalign_sk.inspection import Evaluation
from langalign_sk.metrics import RetrievalScores, hubness_score
from tests.toy import ENGLISH, KOREAN, PAIRS, ToyEncoder

SHUFFLED_PAIRS = list(zip(KOREAN, np.random.default_rng(0).permutation(ENGLISH), strict=True))


def toy(**parameters):
    given = {"encoder": ToyEncoder(), "method": "ridge", "alpha": 1.0, "random_state": 0}
    return CrossLingualAligner("ko", **given | parameters)


def test_shuffled_pairs_are_warned_of():
    with pytest.warns(AlignmentWarning, match="no more than for shuffled pairs.*do not use"):
        aligner = toy().fit(SHUFFLED_PAIRS)
    report = aligner.alignment_report_
    assert not report.trusted
    assert report.evaluations[0].failed
    assert "no more than for shuffled pairs" in str(report)
    X, Y = ToyEncoder().encode(KOREAN), ToyEncoder().encode([e for _, e in SHUFFLED_PAIRS])
    with pytest.warns(AlignmentWarning):
        toy().fit(X, Y)


def test_a_warning_made_an_error_keeps_what_was_fitted():
    aligner = toy().fit(PAIRS)
    before = aligner.transform(KOREAN[:3])
    with warnings.catch_warnings():
        warnings.simplefilter("error", AlignmentWarning)
        with pytest.raises(AlignmentWarning):
            aligner.fit(SHUFFLED_PAIRS)
    assert_array_equal(aligner.transform(KOREAN[:3]), before)


def test_good_pairs_are_trusted(recwarn):
    report = toy().fit(PAIRS).alignment_report_
    assert report.trusted
    assert report.warnings == ()
    assert not [w for w in recwarn if w.category is AlignmentWarning]
    evaluation = report.evaluations[0]
    assert evaluation.shuffled_p_value == 0.001
    mean = (evaluation.forward_recall + evaluation.backward_recall) / 2
    assert mean == pytest.approx(evaluation.aligned.recall_at_1)


def test_what_was_not_measured_is_not_trusted():
    assert not toy(corpus=None).fit(ENGLISH).alignment_report_.trusted
    assert not toy().fit(PAIRS[:5]).alignment_report_.trusted


def test_p_values_of_shuffled_pairs_are_even():
    X = np.random.default_rng(0).normal(size=(60, 4))
    values = []
    for seed in range(40):
        Y = np.random.default_rng(100 + seed).normal(size=(60, 4))
        values.append(measure_pairs(X, Y, np.arange(60), seed).shuffled_p_value)
    assert 0.25 < np.mean(values) < 0.8  # recall takes few values, so that ties raise it
    assert np.mean(np.array(values) < 0.05) <= 0.15


def test_measures_of_pairs_by_hand():
    Y = np.eye(4)
    X = Y[[0, 1, 2, 2]]
    measured = measure_pairs(X, Y, np.arange(4), 0)
    assert (measured.forward_recall, measured.backward_recall) == (0.75, 0.75)
    assert measured.hubness == hubness_score(X, Y, k=4)
    same = measure_pairs(X, Y, np.array([0, 1, 2, 2]), 0)
    assert same.forward_recall == 1.0


def _evaluation(**values):
    scores = RetrievalScores(0.7, 0.7, 0.7, 0.7)
    given = {"n_fit": 500, "n_held_out": 500, "unaligned": scores, "aligned": scores}
    given |= {"forward_recall": 0.7, "backward_recall": 0.68, "hubness": 1.0}
    return Evaluation("language map", "ko", "ridge", **given | values)


def test_doubts_of_directions_and_hubs():
    assert doubts_of_hubness(_evaluation()) == []
    (apart,) = doubts_of_hubness(_evaluation(backward_recall=0.4))
    assert "0.700" in apart
    assert "0.400 the other way" in apart
    # The same difference on few rows is chance.
    assert doubts_of_hubness(_evaluation(backward_recall=0.55, n_held_out=20)) == []
    (hubs,) = doubts_of_hubness(_evaluation(hubness=9.0, unaligned_hubness=3.0))
    assert "9.0 against 3.0 before" in hubs
    assert doubts_of_hubness(_evaluation(hubness=9.0, unaligned_hubness=9.5)) == []


def test_either_evidence_saves_a_map():
    assert not _evaluation(shuffled_p_value=0.4, agreement_p_value=0.001).failed
    assert not _evaluation(shuffled_p_value=0.001, agreement_p_value=0.4).failed
    assert _evaluation(shuffled_p_value=0.4, agreement_p_value=0.3).failed


def test_handful_of_pairs_is_judged_at_a_level_that_it_can_reach():
    # Of 120 orders of five pairs, one or two are as good as the right one.
    assert not _evaluation(n_held_out=5, shuffled_p_value=0.013, agreement_p_value=0.03).failed
    assert _evaluation(n_held_out=5, shuffled_p_value=0.2, agreement_p_value=0.06).failed


@pytest.mark.parametrize(
    ("part", "language", "remedy"),
    [
        ("language map", "ko", "the two sides are translations of each other row by row"),
        ("end to end", "ko", "the two sides are translations of each other row by row"),
        ("bridge", "en", "english_encoder returns one row a text, in the order of the texts"),
    ],
    ids=["language map", "end to end", "bridge"],
)
def test_failure_names_what_was_measured_and_the_remedy(part, language, remedy):
    given = {"shuffled_p_value": 0.4, "agreement_p_value": 0.3, "score_agreement": 0.02}
    e = _evaluation(**given)
    (text,) = failures([Evaluation(**{**vars(e), "part": part, "language": language})])
    assert text.startswith(f"The {part} of '{language}' finds 0.700 of 500 held-out ")
    assert "correlate with the right ones by 0.02" in text
    assert "(p = 0.400 and 0.300): do not use it" in text
    assert remedy in text


def test_faults_of_pairs_cost_the_trust_and_are_said_once():
    e = _evaluation(shuffled_p_value=0.001, faults=("These are not pairs: pass others.",))
    assert not e.failed
    assert not AlignmentReport((e,)).trusted
    assert AlignmentReport((_evaluation(shuffled_p_value=0.001),)).trusted
    assert doubts([e]) == failures([e]) == ["These are not pairs: pass others."]


def test_reports_of_earlier_releases_keep_their_word():
    e = _evaluation(shuffled_p_value=0.001)
    later = ("score_agreement", "unaligned_agreement", "agreement_p_value", "mismatched_share")
    for name in (*later, "suspect_pairs", "shifted_pairs", "faults"):
        del e.__dict__[name]
    report = AlignmentReport((e,))
    assert report.trusted
    assert not e.failed
    assert "0.7" in str(report)
    assert report.to_frame().score_agreement.isna().all()
    failed = _evaluation(shuffled_p_value=0.5, score_agreement=None)
    del failed.__dict__["agreement_p_value"]
    assert failed.failed
    assert "(p = 0.500): do not use it" in failures([failed])[0]


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (PAIRS[:5], "5 pairs of 'ko' are too few to hold any out and measure: pass 10 or more"),
        (PAIRS[:5] * 8, "The 40 pairs of 'ko' hold fewer than 10 that differ on both sides"),
    ],
    ids=["few", "copies of few"],
)
def test_pairs_that_cannot_be_measured_say_why(pairs, said):
    report = toy().fit(pairs).alignment_report_
    assert not report.trusted
    assert any(w.startswith(said) for w in report.warnings)


def test_hubs_of_a_bridge_are_no_reason_for_doubt():
    hubs = _evaluation(hubness=9.0, unaligned_hubness=3.0, backward_recall=0.2)
    assert len(doubts([hubs])) == 2
    assert doubts([Evaluation(**{**vars(hubs), "part": "bridge"})]) == []
