"""Agreement of scores, share of mismatched pairs and shifted rows, on arrays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from langalign_sk import LinearAligner
from langalign_sk._quality import mismatch, misplaced_copies, score_agreement, shift


def similarities(n, wrong=(), noise=0.3, width=32, seed=0):
    """Cosines of rows and their noisy counterparts, of which some are replaced by others."""
    rng = np.random.default_rng(seed)
    T = rng.normal(size=(n, width))
    Z = T + noise * rng.normal(size=T.shape)
    rows = np.arange(n)
    rows[list(wrong)] = np.roll(rows[list(wrong)], 1)
    T = T[rows]
    Z, T = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (Z, T))
    return Z @ T.T


def test_agreement_is_the_correlation_of_the_scores_of_heads():
    rng = np.random.default_rng(0)
    T = rng.normal(size=(12, 4))
    Z = T + 0.5 * rng.normal(size=T.shape)
    own, moved = T - T.mean(axis=0), Z - Z.mean(axis=0)
    right, scored = [], []
    for i in range(12):
        for j in range(12):
            if i != j:
                right.append(own[j] @ own[i])
                scored.append(own[j] @ moved[i])
    expected = np.dot(right, scored) / np.sqrt(np.dot(right, right) * np.dot(scored, scored))
    assert score_agreement(Z, T, 0).value == pytest.approx(expected, rel=1e-12)


def test_heads_of_folds_are_made_of_rows_of_the_same_fold():
    rng = np.random.default_rng(0)
    T = rng.normal(size=(10, 4))
    Z, folds = T + rng.normal(size=T.shape), np.array([0, 1] * 5)
    right, scored = [], []
    for fold in (0, 1):
        own, moved = T[folds == fold], Z[folds == fold]
        own, moved = own - own.mean(axis=0), moved - moved.mean(axis=0)
        for i in range(5):
            right += [own[j] @ own[i] for j in range(5) if j != i]
            scored += [own[j] @ moved[i] for j in range(5) if j != i]
    expected = np.dot(right, scored) / np.sqrt(np.dot(right, right) * np.dot(scored, scored))
    assert score_agreement(Z, T, 0, folds).value == pytest.approx(expected, rel=1e-12)


def test_cross_validated_rows_of_a_map_without_meaning_agree_with_nothing():
    values = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        rows = LinearAligner().check_rows(rng.normal(size=(100, 16)), rng.normal(size=(100, 8)))
        aligner = LinearAligner("spectral", alpha=1.0, power=0.5).fit_rows(rows)
        held_out = aligner.held_out(rows, 0)
        folds = np.repeat(np.arange(5), [len(fold) for fold in rows.held_out(0).folds])
        found = score_agreement(held_out.moved, held_out.counterparts, 0, folds)
        values.append(found.p_value)
    # 12 even numbers: their mean lies within four standard errors of a half.
    assert abs(np.mean(values) - 0.5) < 4 / np.sqrt(12 * 12)
    assert min(values) > 0.002


def test_heads_do_not_feel_scale_or_shift():
    T = np.random.default_rng(0).normal(size=(40, 5))
    found = score_agreement(3 * T + 7, T, 0)
    assert found.value == pytest.approx(1.0)
    assert found.p_value == 0.001


def test_rows_that_do_not_vary_agree_with_nothing():
    T = np.random.default_rng(0).normal(size=(40, 5))
    found = score_agreement(np.ones_like(T), T, 0)
    assert (found.value, found.p_value) == (0.0, 1.0)


def test_p_values_of_unrelated_rows_are_even():
    rng = np.random.default_rng(0)
    values = [
        score_agreement(rng.normal(size=(20, 6)), rng.normal(size=(20, 6)), seed).p_value
        for seed in range(30)
    ]
    # 30 even numbers: their mean lies within four standard errors of a half.
    assert abs(np.mean(values) - 0.5) < 4 / np.sqrt(12 * 30)
    assert np.mean(np.array(values) < 0.05) < 0.2


def test_sparse_rows_that_find_no_neighbour_agree_all_the_same():
    # Each counterpart has a topic, and a feature of its own that no map can know.
    rng = np.random.default_rng(0)
    topic = np.repeat(np.eye(4), 20, axis=0)
    T = np.hstack([topic, 2 * np.eye(80)])
    Z = np.hstack([topic + 0.1 * rng.normal(size=topic.shape), np.zeros((80, 80))])
    found = score_agreement(Z, T, 0)
    assert found.p_value == 0.001
    assert found.value > 0.5


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 1.0])
def test_share_of_mismatched_pairs_is_estimated(share):
    n = 400
    wrong = np.random.default_rng(1).permutation(n)[: int(share * n)]
    found = mismatch(similarities(n, wrong), np.arange(n))
    # Four standard errors of a binomial share above a threshold of 0.1.
    assert found.share == pytest.approx(share, abs=4 * np.sqrt(share / n / 0.9))
    assert found.at_least <= share
    assert found.evident
    assert {*found.suspects[:10].tolist()} <= {*wrong.tolist()}


def test_sound_pairs_are_not_suspected():
    found = mismatch(similarities(400), np.arange(400))
    assert found.share < 0.01
    assert found.sharp
    assert not found.evident


def test_weak_maps_of_sound_pairs_are_not_taken_for_mismatched_ones():
    for seed in range(5):
        found = mismatch(similarities(300, noise=6.0, seed=seed), np.arange(300))
        assert not found.sharp
        assert not found.evident


def test_copies_of_a_sentence_are_not_compared():
    S = similarities(60)
    twice = np.repeat(np.arange(60), 2)
    found = mismatch(S[twice][:, twice], twice)
    assert found.share == pytest.approx(mismatch(S, np.arange(60)).share)


@pytest.mark.parametrize("offset", [1, -1, 2, -3], ids=lambda o: f"by {o}")
def test_run_of_shifted_rows_is_found(offset):
    S = similarities(200)
    columns = np.arange(200)
    columns[60:120] = columns[60:120] - offset
    found = shift(S[:, columns], np.arange(200))
    assert found.offset == offset
    # The ends of the run may take in a row more or less.
    assert_allclose([found.first, found.last], [60, 119], atol=abs(offset) + 1)


def test_rows_are_found_by_their_places_in_the_file():
    places = np.random.default_rng(0).permutation(1_000)[:400]
    whole = similarities(1_000)
    columns = np.arange(1_000)
    columns[300:700] -= 1
    found = shift(whole[:, columns][np.ix_(places, places)], places)
    assert found.offset == 1
    assert 290 <= found.first <= 330
    assert 670 <= found.last <= 710


@pytest.mark.parametrize("wrong", [0, 50, 200], ids="{} of 200 pairs mismatched".format)
def test_mismatched_rows_are_not_taken_for_shifted_ones(wrong):
    for seed in range(10):
        rows = np.random.default_rng(seed).permutation(200)[:wrong]
        assert shift(similarities(200, rows, seed=seed), np.arange(200)) is None


def test_few_rows_say_nothing():
    assert shift(np.eye(3), np.arange(3)) is None
    assert shift(np.ones((20, 20)), np.arange(20)) is None


def test_sentences_that_were_filled_in_are_found():
    columns = np.arange(150) - (np.arange(150) % 3 == 2)
    groups = np.unique(columns, return_inverse=True)[1]
    found = misplaced_copies(similarities(150)[:, columns], groups)
    assert {*found.tolist()} == {*range(2, 150, 3)}


def test_several_translations_of_one_sentence_are_sound():
    rng = np.random.default_rng(0)
    T = np.repeat(rng.normal(size=(60, 32)), 2, axis=0)
    Z = T + 0.3 * rng.normal(size=T.shape)
    S = Z @ T.T / np.outer(np.linalg.norm(Z, axis=1), np.linalg.norm(T, axis=1))
    assert len(misplaced_copies(S, np.repeat(np.arange(60), 2))) == 0
