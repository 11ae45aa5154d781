"""Tests of the choice between maps by held-out retrieval."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk.mapping import LinearAligner
from langalign_sk.mapping.candidates import Candidate, candidates_for
from langalign_sk.mapping.rows import PairedRows
from langalign_sk.mapping.selection import TEMPERATURE, choose, held_out_pairs
from langalign_sk.metrics.pairs import retrieval_scores

IDENTITY, PROCRUSTES = Candidate("identity"), Candidate("procrustes")
RIDGE, STRONG_RIDGE = Candidate("ridge", 1.0), Candidate("ridge", 30.0)
SPECTRAL = Candidate("spectral", 1.0, 0.5)
ALL = [IDENTITY, RIDGE, STRONG_RIDGE, PROCRUSTES, SPECTRAL]


def draw(seed=0):
    return np.random.RandomState(seed)


def noisy_copy(n=80, d=6, noise=0.8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + rng.normal(size=d)
    return X, X + noise * rng.normal(size=(n, d))


def rotated(n=80, d=6, noise=0.3, seed=0):
    X, Y = noisy_copy(n, d, noise, seed)
    return X, Y @ np.linalg.qr(np.random.default_rng(9).normal(size=(d, d)))[0]


def refit(X, Y, candidate, folds, weight=None):
    """The rows of every fold, moved by a map that was fitted from scratch on all other rows."""
    moved = []
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(X)), fold)
        aligner = LinearAligner(
            candidate.method, alpha=candidate.alpha, power=candidate.power, rank=candidate.rank
        )
        rest_weight = None if weight is None else weight[rest]
        moved.append(aligner.fit(X[rest], Y[rest], rest_weight).transform(X[fold]))
    return np.vstack(moved)


def slow_log_likelihood(X, Y):
    S = X @ Y.T / np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(Y, axis=1))
    E = np.exp(S / TEMPERATURE)
    return np.log(np.diag(E) ** 2 / E.sum(axis=0) / E.sum(axis=1)) / 2


def recall(X, Y):
    S = X @ Y.T / np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(Y, axis=1))
    return np.mean([S.argmax(axis=0) == range(len(S)), S.argmax(axis=1) == range(len(S))])


def test_too_few_groups_to_hold_any_out():
    groups = np.arange(100) % 9
    X = np.random.default_rng(0).normal(size=(9, 4))[groups]
    assert choose(PairedRows(X, X), ALL, random_state=draw()) is None
    assert held_out_pairs(PairedRows(X, X), RIDGE, random_state=draw()) is None


# Candidates


def test_candidates_of_auto():
    of_one_width = candidates_for("auto", square=True)
    methods = list(dict.fromkeys(c.method for c in of_one_width))
    assert methods == ["identity", "centre", "ridge", "procrustes", "spectral"]
    of_heads = candidates_for("auto", square=True, objective="head")
    methods = list(dict.fromkeys(c.method for c in of_heads))
    assert methods == ["identity", "centre", "scale", "ridge", "procrustes", "spectral"]
    assert [c.alpha for c in of_heads if c.method == "ridge"] == [10, 30]
    assert [c.method for c in candidates_for("scale", square=True)] == ["scale"]
    of_two = candidates_for("auto", square=False)
    assert {c.method for c in of_two} == {"ridge", "procrustes", "spectral"}


def test_candidates_of_a_grid():
    got = candidates_for("spectral", square=True, alpha=[1, 2], power=[0.5], rank=[3, None])
    expected = [(1, 0.5, 3), (1, 0.5, None), (2, 0.5, 3), (2, 0.5, None)]
    assert [(c.alpha, c.power, c.rank) for c in got] == expected
    assert {c.method for c in got} == {"spectral"}


@pytest.mark.parametrize(
    ("simple", "complex_"),
    [
        (IDENTITY, Candidate("centre")),
        (Candidate("centre"), Candidate("scale")),
        (Candidate("scale"), STRONG_RIDGE),
        (STRONG_RIDGE, RIDGE),
        (RIDGE, PROCRUSTES),
        (PROCRUSTES, SPECTRAL),
        (Candidate("spectral", 1.0, 0.5, rank=3), SPECTRAL),
        (Candidate("spectral", 1.0, 0.5, rank=3), Candidate("spectral", 9.0, 0.5, rank=5)),
        (SPECTRAL, Candidate("spectral", 0.1, 0.5)),
    ],
)
def test_complexity(simple, complex_):
    assert simple.complexity < complex_.complexity


# Choice


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([PROCRUSTES, RIDGE, STRONG_RIDGE], STRONG_RIDGE),
        ([RIDGE, PROCRUSTES], RIDGE),
        ([IDENTITY, STRONG_RIDGE, PROCRUSTES], IDENTITY),
    ],
)
def test_the_simplest_is_taken_on_ties(candidates, expected):
    X, _ = noisy_copy()  # of X and X all of these are the identity
    assert choose(PairedRows(X, X), candidates, random_state=draw()).best == expected


@pytest.mark.parametrize("make", [noisy_copy, rotated])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_candidate_is_judged_on_rows_it_did_not_see(make, weighted):
    X, Y = make()
    weight = np.random.default_rng(2).uniform(0.1, 2, len(X)) if weighted else None
    choice = choose(PairedRows(X, Y, weight), ALL, random_state=draw())
    folds = PairedRows(X, Y).held_out(draw()).folds
    tried = choice.results["method"]
    moved = [refit(X, Y, c, folds, weight) for c in ALL if c.method in tried]
    target = Y[np.concatenate(folds)]
    np.testing.assert_allclose(
        choice.results["held_out_recall"], [recall(Z, target) for Z in moved]
    )
    fits = np.array([slow_log_likelihood(Z, target) for Z in moved])
    np.testing.assert_allclose(choice.results["held_out_log_likelihood"], fits.mean(axis=1))


@pytest.mark.parametrize("make", [noisy_copy, rotated])
@pytest.mark.parametrize("seed", range(5))
def test_one_standard_error_rule(make, seed):
    X, Y = make(seed=seed)
    candidates = [c for c in ALL if c != SPECTRAL]
    choice = choose(PairedRows(X, Y), candidates, random_state=draw())
    folds = PairedRows(X, Y).held_out(draw()).folds
    moved = [refit(X, Y, c, folds) for c in candidates]
    target = Y[np.concatenate(folds)]
    allowed = [i for i, Z in enumerate(moved) if recall(Z, target) >= recall(moved[0], target)]
    fits = [slow_log_likelihood(Z, target) for Z in moved]
    best = max(allowed, key=lambda i: fits[i].mean())
    losses = [fits[best] - fit for fit in fits]
    errors = [loss.std() / np.sqrt(len(X)) for loss in losses]
    # `candidates` but for the two ridges stand in order of complexity.
    simplest = sorted(allowed, key=[0, 2, 1, 3].index)
    expected = next(i for i in simplest if losses[i].mean() <= errors[i])
    assert choice.best == candidates[expected]


def test_a_head_feels_the_squared_error():
    X, Y = noisy_copy(200, 6, noise=0.8)
    Y = Y @ np.diag([3.0, 2, 1, 1, 0.5, 0.5]) - 2
    candidates = [
        IDENTITY,
        Candidate("centre"),
        Candidate("scale"),
        Candidate("ridge", 10.0),
        RIDGE,
    ]
    choice = choose(PairedRows(X, Y), candidates, random_state=draw(), objective="head")
    folds = PairedRows(X, Y).held_out(draw()).folds
    target = Y[np.concatenate(folds)]
    moved = [refit(X, Y, c, folds) for c in candidates]
    errors = [np.square(Z - target).sum(axis=1) for Z in moved]
    recalls = [recall(Z, target) for Z in moved]
    spread = np.square(target - target.mean(axis=0)).sum()
    np.testing.assert_allclose(
        choice.results["held_out_r2"], [1 - e.sum() / spread for e in errors]
    )
    assert choice.results["objective"] == ["head"] * len(candidates)
    allowed = [
        i
        for i in range(len(candidates))
        if recalls[i] >= recalls[0] and errors[i].mean() <= 0.8 * errors[0].mean()
    ]
    best = min(allowed, key=lambda i: errors[i].mean())
    losses = [e - errors[best] for e in errors]
    standard = [loss.std() / np.sqrt(len(X)) for loss in losses]
    np.testing.assert_allclose(choice.results["standard_error_to_best"], standard, atol=1e-12)
    expected = next(i for i in allowed if losses[i].mean() <= standard[i])
    assert choice.best == candidates[expected]


@pytest.mark.parametrize(("shift", "stays"), [(0.3, True), (3.0, False)])
def test_for_a_head_no_alignment_stays_unless_a_fifth_of_the_error_goes(shift, stays):
    # Noise has a squared error of 6 a row, and the shift, which can be taken away, of shift^2.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6))
    Y = X + rng.normal(size=X.shape)
    Y[:, 0] += shift
    candidates = candidates_for("auto", square=True, objective="head")
    choice = choose(PairedRows(X, Y), candidates, random_state=draw(), objective="head")
    assert (choice.best == IDENTITY) == stays
    assert "procrustes" not in choice.results["method"]


def test_for_a_head_no_map_that_finds_fewer_translations_is_chosen():
    tempting = 0
    for seed in range(60):
        X, Y = noisy_copy(40, 2, noise=0.5, seed=seed)
        Y += 0.5
        candidates = candidates_for("auto", square=True, objective="head")
        choice = choose(PairedRows(X, Y), candidates, random_state=draw(), objective="head")
        results = choice.results
        tried = zip(results["method"], results["alpha"], strict=True)
        chosen = list(tried).index((choice.best.method, choice.best.alpha))
        assert results["held_out_recall"][chosen] >= results["held_out_recall"][0]
        best = np.argmax(results["held_out_r2"])
        tempting += results["held_out_recall"][best] < results["held_out_recall"][0]
    assert tempting  # by the error alone such a map would have been chosen


def test_between_two_spaces_a_head_has_rotations():
    candidates = candidates_for("auto", square=True, objective="head")
    choice = choose(PairedRows(*rotated()), candidates, random_state=draw(), objective="head")
    assert set(choice.results["method"]) == {"identity", "procrustes", "spectral"}
    assert choice.best.method in ("procrustes", "spectral")


def test_no_map_of_lower_recall_than_the_identity_is_chosen():
    tempting = 0
    for seed in range(60):
        X, Y = noisy_copy(40, 2, noise=0.5, seed=seed)
        choice = choose(PairedRows(X, Y), ALL, random_state=draw())
        recalls = choice.results["held_out_recall"]
        chosen = [c for c in ALL if c.method in choice.results["method"]].index(choice.best)
        assert recalls[chosen] >= recalls[0]
        tempting += recalls[np.argmax(choice.results["held_out_log_likelihood"])] < recalls[0]
    assert tempting  # by likelihood alone such a map would have been chosen


def test_spectral_maps_are_not_tried_within_one_space():
    candidates = candidates_for("auto", square=True)
    near = choose(PairedRows(*noisy_copy(noise=0.1)), candidates, random_state=draw())
    assert set(near.results["method"]) == {"identity", "centre", "ridge", "procrustes"}
    far = choose(PairedRows(*rotated()), candidates, random_state=draw())
    assert set(far.results["method"]) == {"identity", "procrustes", "spectral"}
    assert far.best.method in ("procrustes", "spectral")


def test_duplicates_do_not_flatter_a_map():
    # Of 20 distinct pairs that have nothing to do with one another, ten copies each: a map that
    # had seen a copy of a held-out row would find it.
    rng = np.random.default_rng(0)
    X, Y = (np.repeat(rng.normal(size=(20, 30)), 10, axis=0) for _ in range(2))
    choice = choose(PairedRows(X, Y), [IDENTITY, PROCRUSTES], random_state=draw())
    assert max(choice.results["held_out_recall"]) < 0.3
    assert LinearAligner("procrustes").fit(X, Y).score(X, Y) > 0.9


# Held-out rows of one map


@pytest.mark.parametrize("candidate", ALL)
def test_held_out_pairs_equal_refitting(candidate):
    X, Y = rotated()
    rows, moved, counterparts, groups = held_out_pairs(
        PairedRows(X, Y), candidate, random_state=draw()
    )
    folds = PairedRows(X, Y).held_out(draw()).folds
    assert_array_equal(rows, np.concatenate(folds))
    assert_array_equal(np.sort(rows), np.arange(len(X)))
    assert_array_equal(groups, rows)
    assert_array_equal(counterparts, Y[rows])
    expected = retrieval_scores(refit(X, Y, candidate, folds), Y[rows])
    assert vars(retrieval_scores(moved, counterparts)) == pytest.approx(vars(expected))
