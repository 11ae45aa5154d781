"""Adapters among the candidates that held-out retrieval chooses from."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score

from langalign_sk.mapping import AdapterAligner, LinearAligner
from langalign_sk.mapping.adapter import AdapterCandidate
from langalign_sk.mapping.candidates import Candidate
from langalign_sk.mapping.rows import PairedRows
from langalign_sk.mapping.selection import choose
from tests.mapping.adapter.bent import (
    adapter,
    bent_pairs,
    cosines,
    interrupt,
    slow_recall,
    without_seconds,
)

IDENTITY, PROCRUSTES = Candidate("identity"), Candidate("procrustes")
RIDGE, SPECTRAL = Candidate("ridge", 1.0), Candidate("spectral", 1.0, 0.5)
CLOSED = [IDENTITY, RIDGE, PROCRUSTES, SPECTRAL]
SHARED = Candidate("spectral", 1.0, 0.5, shared=True)
SHORT = {"max_epochs": 1}


def draw(seed=0):
    return np.random.RandomState(seed)


def trained(adapter_dim=16, **params):
    return AdapterCandidate(adapter(adapter_dim, **params))


def rotated_pairs(n=300, d=32, seed=0):
    """Y is X in other axes, to the last digit."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X @ np.linalg.qr(rng.normal(size=(d, d)))[0]


def noisy_pairs(n=300, d=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    weights = rng.normal(size=(d, d))
    return X, X @ weights + 0.5 * rng.normal(size=(n, d))


def slow_log_likelihood(A, B, temperature):
    E = np.exp(cosines(A, B) / temperature)
    return np.log(np.diag(E) ** 2 / E.sum(axis=0) / E.sum(axis=1)) / 2


# Which one wins


def test_an_adapter_wins_where_the_relation_is_bent():
    X, Y = bent_pairs()
    candidate = trained()
    choice = choose(PairedRows(X, Y), [*CLOSED, candidate], random_state=draw())
    assert choice.best is candidate
    recalls = choice.results["held_out_recall"]
    assert recalls[-1] > max(recalls[:-1]) + 0.1


def test_a_linear_adapter_does_not_win_where_only_a_bent_one_can():
    X, Y = bent_pairs()
    candidates = [*CLOSED, trained(0), trained(16)]
    assert choose(PairedRows(X, Y), candidates, random_state=draw()).best is candidates[-1]


@pytest.mark.parametrize("dims", [(0,), (16,), (0, 16)])
def test_the_closed_form_wins_where_the_relation_is_a_rotation(dims):
    X, Y = rotated_pairs()
    candidates = [*CLOSED, *(trained(dim, max_epochs=2) for dim in dims)]
    choice = choose(PairedRows(X, Y), candidates, random_state=draw())
    assert choice.best == PROCRUSTES
    assert choice.results["method"][-len(dims) :] == ["contrastive"] * len(dims)


def test_no_alignment_wins_where_it_finds_everything():
    X, _ = rotated_pairs()
    choice = choose(PairedRows(X, X), [*CLOSED, trained(max_epochs=2)], random_state=draw())
    assert choice.best == IDENTITY


def test_held_out_r2_is_that_of_scikit_learn():
    X, Y = bent_pairs()
    candidate = trained()
    pairs = PairedRows(X, Y)
    results = choose(pairs, [IDENTITY, candidate], random_state=0).results
    held = np.concatenate(PairedRows(X, Y).held_out(draw()).folds)
    moved = candidate.move_folds(pairs.held_out(0, len(X) // 5), np.inf)
    Z = np.concatenate([Z for Z, _ in moved])
    for got, rows in zip(results["held_out_r2"], (X[held], Z), strict=True):
        expected = r2_score(Y[held], rows, multioutput="variance_weighted")
        assert got == pytest.approx(expected)


def test_no_r2_in_a_shared_space():
    X, Y = rotated_pairs()
    assert np.isnan(
        choose(PairedRows(X, Y), [SHARED], random_state=draw()).results["held_out_r2"][0]
    )


def far_away(self, held_out, deadline):
    """A map that finds every translation, and puts all rows where no model knows them."""
    Y = held_out.rows.Y
    return [(10 * Y[fold], Y[fold]) for fold in held_out.folds]


@pytest.mark.parametrize(
    ("params", "taken"), [({}, False), ({"mse_weight": 0.0}, True), ({"shared": True}, True)]
)
def test_an_adapter_that_leaves_the_english_rows_is_for_search_alone(params, taken, monkeypatch):
    X, Y = noisy_pairs()
    monkeypatch.setattr(AdapterCandidate, "move_folds", far_away)
    candidate = trained(0, **params)
    choice = choose(PairedRows(X, Y), [IDENTITY, PROCRUSTES, candidate], random_state=draw())
    assert choice.results["held_out_recall"][2] == 1.0 > choice.results["held_out_recall"][1]
    assert (choice.best is candidate) == taken


@pytest.mark.parametrize(("make", "wins"), [(bent_pairs, True), (noisy_pairs, False)])
def test_one_standard_error_rule_over_all_candidates(make, wins):
    X, Y = make()
    candidates = [PROCRUSTES, SPECTRAL, trained()]
    choice = choose(PairedRows(X, Y), candidates, random_state=draw())
    results = choice.results
    fits = np.array(results["held_out_log_likelihood"])
    within = fits.max() - fits <= np.array(results["standard_error_to_best"]) + 1e-6
    assert choice.best is candidates[int(np.argmax(within))]  # they stand simplest first
    assert isinstance(choice.best, AdapterCandidate) == wins


def test_the_smaller_of_two_equal_adapters_is_taken():
    X, Y = bent_pairs(300)
    small, large = trained(16), trained(16)
    large.adapter_dim = 17  # in name only: it trains the same map
    assert choose(PairedRows(X, Y), [PROCRUSTES, small, large], random_state=draw()).best is small
    assert choose(PairedRows(X, Y), [PROCRUSTES, large, small], random_state=draw()).best is small


def test_complexity_of_adapters_is_above_every_closed_form():
    for candidate in (*CLOSED, SHARED, Candidate("spectral", 0.0, 9.0)):
        assert candidate.complexity < trained(0).complexity < trained(1).complexity


# What they are judged by


@pytest.mark.parametrize("adapter_dim", [0, 16])
def test_adapters_are_judged_on_rows_they_did_not_see(adapter_dim):
    X, Y = bent_pairs(200)
    candidates = [PROCRUSTES, trained(adapter_dim, max_epochs=2)]
    results = choose(PairedRows(X, Y), candidates, random_state=draw()).results
    folds = PairedRows(X, Y).held_out(draw()).folds
    moved = []
    for fold in folds:
        rest = np.setdiff1d(np.arange(200), fold)
        aligner = adapter(adapter_dim, max_epochs=2, inverse=False)  # the search needs no way back
        moved.append(aligner.fit(X[rest], Y[rest]).transform(X[fold]))
    moved, target = np.vstack(moved), Y[np.concatenate(folds)]
    assert results["held_out_recall"][1] == pytest.approx(slow_recall(moved, target).mean())
    expected = max(
        slow_log_likelihood(moved, target, t).mean() for t in (0.02, 0.03, 0.04, 0.06, 0.09, 0.13)
    )
    assert results["held_out_log_likelihood"][1] == pytest.approx(expected)


def test_shared_candidates_are_compared_within_every_fold():
    X, Y = noisy_pairs()
    candidates = [SHARED, trained(16, shared=True, max_epochs=2)]
    results = choose(PairedRows(X, Y), candidates, random_state=draw()).results
    folds = PairedRows(X, Y).held_out(draw()).folds
    assert len(folds) == 5
    maps = [
        lambda: LinearAligner("spectral", alpha=1.0, power=0.5, shared=True),
        lambda: adapter(16, shared=True, max_epochs=2),
    ]
    for i, make in enumerate(maps):
        recalls, fits = [], []
        for fold in folds:
            rest = np.setdiff1d(np.arange(300), fold)
            aligner = make().fit(X[rest], Y[rest])
            A, B = aligner.transform(X[fold]), aligner.transform_counterparts(Y[fold])
            recalls.extend(slow_recall(A, B))
            # Every fold is a space of its own, with a temperature of its own.
            tried = [slow_log_likelihood(A, B, t) for t in (0.02, 0.03, 0.04, 0.06, 0.09, 0.13)]
            fits.extend(max(tried, key=np.mean))
        assert results["held_out_recall"][i] == pytest.approx(np.mean(recalls))
        assert results["held_out_log_likelihood"][i] == pytest.approx(np.mean(fits))


def test_closed_forms_alone_keep_the_fixed_temperature():
    X, Y = noisy_pairs()
    alone = choose(PairedRows(X, Y), [PROCRUSTES, SPECTRAL], random_state=draw()).results
    beside = choose(
        PairedRows(X, Y), [PROCRUSTES, SPECTRAL, trained(0, max_epochs=1)], random_state=draw()
    ).results
    assert beside["held_out_recall"][:2] == alone["held_out_recall"]
    for calibrated, fixed in zip(
        beside["held_out_log_likelihood"][:2], alone["held_out_log_likelihood"], strict=True
    ):
        assert calibrated > fixed  # of 0.05 and the best of six others


def test_duplicates_of_a_pair_do_not_flatter_an_adapter():
    # 20 distinct pairs without any relation, ten copies each: to have seen a copy of a held-out
    # row would be to find it.
    rng = np.random.default_rng(0)
    X, Y = (np.repeat(rng.normal(size=(20, 8)), 10, axis=0) for _ in range(2))
    results = choose(PairedRows(X, Y), [PROCRUSTES, trained(64)], random_state=draw()).results
    assert results["held_out_recall"][1] < 0.4
    assert adapter(64, max_epochs=30, early_stopping=False).fit(X, Y).score(X, Y) > 0.9


# The results


def test_results_list_every_candidate():
    X, Y = bent_pairs(200)
    candidates = [PROCRUSTES, SPECTRAL, trained(0, max_epochs=1), trained(8, max_epochs=1)]
    results = choose(PairedRows(X, Y), candidates, random_state=draw()).results
    assert results["method"] == ["procrustes", "spectral", "contrastive", "contrastive"]
    assert results["alpha"] == [None, 1.0, None, None]
    assert results["power"] == [None, 0.5, None, None]
    assert results["rank"] == [None] * 4
    assert results["adapter_dim"] == [None, None, 0, 8]
    assert all(0 <= r <= 1 for r in results["held_out_recall"])
    assert all(s > 0 for s in results["seconds"])
    assert min(results["standard_error_to_best"]) == 0
    assert {len(values) for values in results.values()} == {4}


def test_the_same_seed_gives_the_same_choice():
    X, Y = bent_pairs(200)
    first, again, other = (
        choose(
            PairedRows(X, Y), [PROCRUSTES, trained(max_epochs=2)], random_state=draw(seed)
        ).results
        for seed in (0, 0, 1)
    )
    assert without_seconds(first) == without_seconds(again)
    assert without_seconds(first) != without_seconds(other)


def test_candidates_are_left_as_they_came():
    X, Y = bent_pairs(200)
    candidate = trained(max_epochs=1, checkpoint="nowhere")
    before = candidate.aligner.get_params()
    choose(PairedRows(X, Y), [PROCRUSTES, candidate], random_state=draw())
    assert candidate.aligner.get_params() == before
    assert not hasattr(candidate.aligner, "network_")


# Time


@pytest.mark.parametrize("budget", [0, 0.0, 1e-6])
def test_adapters_that_run_out_of_time_are_never_chosen(budget):
    X, Y = bent_pairs()
    candidates = [*CLOSED, trained(0), trained(16)]
    choice = choose(PairedRows(X, Y), candidates, random_state=draw(), time_budget=budget)
    assert isinstance(choice.best, Candidate)
    assert choice.results["method"][-2:] == ["contrastive", "contrastive"]
    for name in ("held_out_recall", "held_out_log_likelihood", "standard_error_to_best"):
        assert np.isnan(choice.results[name][-2:]).all()
        assert np.isfinite(choice.results[name][:-2]).all()
    assert all(s >= 0 for s in choice.results["seconds"])


def test_an_adapter_whose_time_runs_out_in_training_is_not_chosen():
    X, Y = bent_pairs()
    endless = trained(16, max_epochs=100_000, n_iter_no_change=100_000)
    choice = choose(PairedRows(X, Y), [*CLOSED, endless], random_state=draw(), time_budget=0.5)
    assert isinstance(choice.best, Candidate)
    assert np.isnan(choice.results["held_out_recall"][-1])
    assert choice.results["seconds"][-1] < 5


@pytest.mark.parametrize("budget", [None, 3600.0, np.inf])
def test_enough_time_changes_nothing(budget):
    X, Y = bent_pairs()
    candidate = trained()
    choice = choose(PairedRows(X, Y), [*CLOSED, candidate], random_state=draw(), time_budget=budget)
    assert choice.best is candidate


def test_an_interrupted_adapter_leaves_the_best_so_far(monkeypatch):
    X, Y = bent_pairs()
    monkeypatch.setattr(AdapterCandidate, "move_folds", interrupt)
    with pytest.warns(UserWarning, match="interrupted"):
        choice = choose(PairedRows(X, Y), [*CLOSED, trained(0), trained(16)], random_state=draw())
    closed = choose(PairedRows(X, Y), CLOSED, random_state=draw())
    assert isinstance(choice.best, Candidate)
    assert choice.results["method"] == closed.results["method"]
    assert choice.results["held_out_recall"] == closed.results["held_out_recall"]


def test_an_adapter_that_finished_before_ctrl_c_may_be_chosen(monkeypatch):
    X, Y = bent_pairs()
    whole = AdapterCandidate.move_folds

    def second_is_interrupted(self, *args):
        if self.adapter_dim == 17:
            raise KeyboardInterrupt
        return whole(self, *args)

    monkeypatch.setattr(AdapterCandidate, "move_folds", second_is_interrupted)
    first = trained(16)
    with pytest.warns(UserWarning, match="interrupted"):
        choice = choose(PairedRows(X, Y), [*CLOSED, first, trained(17)], random_state=draw())
    assert choice.best is first
    assert choice.results["adapter_dim"][-1] == 16


def test_ctrl_c_in_training_ends_the_search(monkeypatch):
    X, Y = bent_pairs(200)
    fit = AdapterAligner.fit_rows

    def fit_interrupted(self, rows):
        fit(self, rows)
        self.stopped_ = "interrupted"
        return self

    monkeypatch.setattr(AdapterAligner, "fit_rows", fit_interrupted)
    with pytest.warns(UserWarning, match="search for the best method was interrupted"):
        choice = choose(PairedRows(X, Y), [PROCRUSTES, trained(max_epochs=1)], random_state=draw())
    assert choice.best == PROCRUSTES


def test_ctrl_c_in_a_closed_form_is_raised(monkeypatch):
    def stop(self, *args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Candidate, "move", stop)
    with pytest.raises(KeyboardInterrupt):
        choose(PairedRows(*bent_pairs()), [PROCRUSTES, trained()], random_state=draw())
