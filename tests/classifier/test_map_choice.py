"""Choice of a language map by a classifier, against maps fitted anew and sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import clone

from langalign_sk.classifier._map_choice import choose_map, near_identity_maps, same_label_log_ratio
from langalign_sk.mapping import AdapterAligner, LinearAligner
from langalign_sk.mapping.rows import PairedRows

IDENTITY, CENTRE = LinearAligner("identity"), LinearAligner("centre")
RIDGE = LinearAligner("ridge", alpha=1.0)
TRAINED = AdapterAligner("mse", max_epochs=1, random_state=0, device="cpu")


def pairs(n=200, d=6, shift=0.0, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    Y = rng.normal(size=(n, d))
    return Y + shift + noise * rng.normal(size=(n, d)), Y


def head(rows):
    """Three classes, told apart by the first two columns."""
    return softmax(rows[:, :2] @ np.array([[3.0, -3.0, 0.0], [0.0, -3.0, 3.0]]), axis=1)


def choice(X, Y, candidates=(IDENTITY, CENTRE, RIDGE), proba=head, seed=0):
    return choose_map(PairedRows(X, Y), candidates, proba, random_state=seed)


# The criterion


def test_log_ratio_by_hand():
    target = np.array([[0.5, 0.5], [0.9, 0.1]])
    english = np.array([[0.8, 0.2], [0.2, 0.8]])  # their mean is (.5, .5)
    expected = np.log([2 * (0.4 + 0.1), 2 * (0.18 + 0.08)])
    assert_allclose(same_label_log_ratio(target, english), expected, rtol=1e-12)


def test_answers_of_no_information_have_no_ratio():
    english = softmax(np.random.default_rng(0).normal(size=(50, 4)), axis=1)
    prior = np.tile(english.mean(axis=0), (50, 1))
    assert_allclose(same_label_log_ratio(prior, english), 0, atol=1e-12)
    one_label = np.tile([1.0, 0, 0, 0], (50, 1))
    assert same_label_log_ratio(one_label, english).mean() < 0


def test_a_certain_error_and_a_label_that_is_never_given_are_finite():
    target, english = np.array([[1.0, 0, 0]]), np.array([[0, 1.0, 0]])
    assert np.isfinite(same_label_log_ratio(target, english)).all()


# The choice


def test_a_shift_is_undone():
    X, Y = pairs(shift=np.r_[2.0, -2.0, np.zeros(4)])
    chosen = choice(X, Y)
    assert chosen.best.method_ in ("centre", "ridge")
    centred = choice(X, Y, (IDENTITY, CENTRE)).best
    assert_array_equal(centred.transform(X), CENTRE.fit(X, Y).transform(X))
    gain, error = (np.array(chosen.results[key]) for key in ("gain", "standard_error"))
    assert gain[0] == error[0] == 0
    assert gain[1] > 5 * error[1]


def test_no_alignment_is_kept_where_nothing_is_to_gain():
    Y = pairs()[1]
    assert choice(Y, Y).best.method_ == "identity"
    # What the classifier does not look at does not count, though retrieval gains by it.
    X, Y = pairs(shift=np.r_[0, 0, 3 * np.ones(4)], noise=0)
    assert LinearAligner(random_state=0).fit(X + 0.1, Y).method_ != "identity"
    assert choice(X, Y, (IDENTITY, CENTRE)).best.method_ == "identity"


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_the_largest_gain_is_taken_if_it_is_certain_and_large_enough(noise):
    X, Y = pairs(noise=noise, shift=0.3)
    for seed in range(5):
        found = choice(X, Y, seed=seed)
        gain, error = (np.array(found.results[key]) for key in ("gain", "standard_error"))
        taken = found.results["method"].index(found.best.method_)
        better = (gain > error) & (np.array(found.results["share"]) >= 0.05)
        assert taken == (np.argmax(np.where(better, gain, -1)) if better.any() else 0)


@pytest.mark.parametrize("candidate", [CENTRE, RIDGE, TRAINED])
def test_scores_are_those_of_maps_fitted_without_the_fold(candidate):
    X, Y = pairs(n=80, shift=1.0)
    rows = PairedRows(X, Y)
    found = choose_map(rows, [IDENTITY, candidate], head, random_state=3)
    folds = PairedRows(X, Y).held_out(int(np.random.RandomState(3).randint(2**31 - 1))).folds
    assert sorted(np.concatenate(folds)) == list(range(80))
    ratio, same = np.zeros(80), np.zeros(80)
    english = head(Y)
    for fold in folds:
        rest = np.setdiff1d(np.arange(80), fold)
        answer = head(clone(candidate).fit(X[rest], Y[rest]).transform(X[fold]))
        ratio[fold] = np.log((answer * english[fold] / english.mean(axis=0)).sum(axis=1))
        same[fold] = answer.argmax(axis=1) == english[fold].argmax(axis=1)
    assert found.results["log_ratio"][1] == pytest.approx(ratio.mean(), rel=1e-4)
    assert found.results["agreement"][1] == pytest.approx(same.mean())


def test_a_certain_gain_that_is_small_is_not_taken():
    X, Y = pairs(n=3_000, shift=np.r_[0.08, -0.08, np.zeros(4)])
    found = choice(X, Y, (IDENTITY, CENTRE))
    gain, error, share = (found.results[key][1] for key in ("gain", "standard_error", "share"))
    assert gain > error
    assert 0 < share < 0.05
    assert found.best.method_ == "identity"


def test_share_is_that_of_the_gap_to_the_english_answers():
    X, Y = pairs(shift=1.0)
    results = choice(X, Y, (IDENTITY, CENTRE)).results
    english = head(Y)
    best = np.log(np.square(english).dot(1 / english.mean(axis=0))).mean()
    expected = results["gain"][1] / (best - results["log_ratio"][0])
    assert results["share"] == pytest.approx([0, expected])


def test_maps_near_the_identity():
    first, *others = near_identity_maps()
    assert first.method == "identity"
    X, Y = pairs(shift=1.0)
    for one in others:
        assert np.linalg.norm(one.fit(X, Y).coef_ - np.eye(6), 2) < 0.2


def test_equal_pairs_share_a_fold():
    X, Y = pairs(n=60, shift=1.0)
    rows = PairedRows(np.r_[X, X], np.r_[Y, Y])
    choose_map(rows, [IDENTITY, RIDGE], head, random_state=0)
    for fold in rows.held_out(int(np.random.RandomState(0).randint(2**31 - 1))).folds:
        assert {*(fold % 60)} == {*(fold[fold < 60])} == {*(fold[fold >= 60] - 60)}


def test_repeats_bit_for_bit_and_leaves_the_candidates_unfitted():
    X, Y = pairs(shift=1.0)
    candidates = [LinearAligner("identity"), LinearAligner("ridge", alpha=3.0)]
    first, again = (choice(X, Y, candidates) for _ in range(2))
    assert first.results == again.results
    assert_array_equal(first.best.coef_, again.best.coef_)
    assert not any(hasattr(candidate, "coef_") for candidate in candidates)
    assert choice(X, Y, candidates, seed=1).results != first.results


def test_the_best_map_is_fitted_on_all_pairs():
    X, Y = pairs(shift=1.0)
    best = choice(X, Y, (IDENTITY, RIDGE)).best
    assert_allclose(best.transform(X), RIDGE.fit(X, Y).transform(X), rtol=1e-10)


def test_too_few_pairs_keep_the_first_candidate():
    X, Y = pairs(n=9, shift=5.0)
    found = choice(X, Y)
    assert found.best.method_ == "identity"
    assert found.results == {}
