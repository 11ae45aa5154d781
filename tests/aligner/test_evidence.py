"""Checks of pairs on held-out rows, and the warnings that follow."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import CrossLingualAligner
from langalign_sk.aligner._evidence import doubts_of_hubness, measure_pairs
from langalign_sk.aligner._report import AlignmentWarning
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
