"""Adapters among the candidates that held-out retrieval chooses from."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from sklearn.metrics import r2_score

from langalign_sk import CrossLingualAligner
from langalign_sk.mapping import AdapterAligner, LinearAligner
from langalign_sk.mapping.adapter import AdapterCandidate
from langalign_sk.mapping.candidates import Candidate
from langalign_sk.mapping.rows import PairedRows
from langalign_sk.mapping.selection import choose
from langalign_sk.metrics._core import (
    N_FOLDS,
    held_out_folds,
    likelihood_and_recall,
)
from tests.mapping.close import assert_close
from tests.toy import ENGLISH, KOREAN, ToyEncoder

PAIRS = list(zip(KOREAN, ENGLISH, strict=True))
IDENTITY, PROCRUSTES = Candidate("identity"), Candidate("procrustes")
RIDGE, SPECTRAL = Candidate("ridge", 1.0), Candidate("spectral", 1.0, 0.5)
CLOSED = [IDENTITY, RIDGE, PROCRUSTES, SPECTRAL]
SHARED = Candidate("spectral", 1.0, 0.5, shared=True)
# What learns bent pairs in a few epochs.
QUICK = {"learning_rate": 0.02, "batch_size": 32, "max_epochs": 6}
SHORT = {"max_epochs": 1}


def draw(seed=0):
    return np.random.RandomState(seed)


def adapter(adapter_dim=16, **params):
    params = {**QUICK, "random_state": 0, "device": "cpu", **params}
    return AdapterAligner("contrastive", adapter_dim=adapter_dim, **params)


def trained(adapter_dim=16, **params):
    return AdapterCandidate(adapter(adapter_dim, **params))


def bent_pairs(n=400, seed=0):
    """Half of Y hangs on the sizes of X without their signs, which no linear map sees."""
    X = np.random.default_rng(seed).normal(size=(n, 4))
    weights = np.random.default_rng(99).normal(size=(8, 4))
    return X, np.hstack([np.abs(X), X]) @ weights


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


def cosines(A, B):
    A, B = (Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in (A, B))
    return A @ B.T


def slow_recall(A, B):
    S = cosines(A, B)
    return np.mean([S.argmax(axis=0) == range(len(S)), S.argmax(axis=1) == range(len(S))], axis=0)


def slow_log_likelihood(A, B, temperature):
    E = np.exp(cosines(A, B) / temperature)
    return np.log(np.diag(E) ** 2 / E.sum(axis=0) / E.sum(axis=1)) / 2


def without_seconds(results):
    return {name: values for name, values in results.items() if name != "seconds"}


def toy(**parameters):
    given = {"encoder": ToyEncoder(), "adapter_params": SHORT, "random_state": 0, "device": "cpu"}
    return CrossLingualAligner(**given | parameters)


def candidates_of(aligner):
    return aligner.alignment_report_.evaluations[0].candidates


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
    held = np.concatenate(held_out_folds(np.arange(len(X)), draw()))
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
    folds = held_out_folds(np.arange(200), draw())
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
    folds = held_out_folds(np.arange(300), draw())
    assert len(folds) == N_FOLDS
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


@pytest.mark.parametrize("duplicates", [False, True])
def test_calibrated_log_likelihood_is_that_of_the_best_temperature(duplicates):
    rng = np.random.default_rng(1)
    groups = np.arange(40) // 2 if duplicates else np.arange(40)
    best = set()
    for noise in (0.05, 0.3, 0.6, 1.0, 3.0):
        X = rng.normal(size=(40, 5))
        Y = X + noise * rng.normal(size=X.shape)
        tried = [
            likelihood_and_recall(X, Y, groups, t)[0] for t in (0.02, 0.03, 0.04, 0.06, 0.09, 0.13)
        ]
        if not duplicates:
            assert_allclose(tried[3], slow_log_likelihood(X, Y, 0.06))
        means = [values.mean() for values in tried]
        best.add(int(np.argmax(means)))
        assert_allclose(likelihood_and_recall(X, Y, groups)[0], tried[int(np.argmax(means))])
    assert len(best) > 2


def test_calibrated_log_likelihood_ignores_how_far_apart_a_map_puts_rows():
    # Cosines squeezed towards 1 by one large constant column: a fixed temperature counts that.
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 20))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    Y = X + 0.1 * rng.normal(size=X.shape)
    Y /= np.linalg.norm(Y, axis=1, keepdims=True)
    groups, far = np.arange(60), np.full((60, 1), 1.0)
    A, B = np.hstack([X, far]), np.hstack([Y, far])  # every cosine c is (c + 1) / 2
    assert_allclose(
        likelihood_and_recall(A, B, groups, 0.03)[0], likelihood_and_recall(X, Y, groups, 0.06)[0]
    )
    fixed = [likelihood_and_recall(*Z, groups, 0.13)[0].mean() for Z in ((A, B), (X, Y))]
    calibrated = [likelihood_and_recall(*Z, groups)[0].mean() for Z in ((A, B), (X, Y))]
    assert abs(calibrated[0] - calibrated[1]) < 0.2 * abs(fixed[0] - fixed[1])


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


# Ctrl-C


def interrupt(self, held_out, deadline):
    raise KeyboardInterrupt


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


# From CrossLingualAligner


@pytest.mark.parametrize(("least", "tries"), [(100, True), (200, True), (201, False)])
def test_auto_tries_adapters_from_a_number_of_pairs_on(monkeypatch, least, tries):
    monkeypatch.setattr("langalign_sk.aligner._learn.MIN_ADAPTER_PAIRS", least)
    results = candidates_of(toy().fit(PAIRS))
    assert {"identity", "ridge", "procrustes"} <= set(results["method"])
    widths = [
        w
        for m, w in zip(results["method"], results["adapter_dim"], strict=True)
        if m == "contrastive"
    ]
    assert widths == ([256] if tries else [])


def test_auto_tries_no_adapter_on_200_pairs_by_default():
    assert "contrastive" not in candidates_of(toy().fit(PAIRS))["method"]


def test_no_time_at_all_is_closed_forms_only(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._learn.MIN_ADAPTER_PAIRS", 100)
    aligner = toy(time_budget=0).fit(PAIRS)
    assert "contrastive" not in candidates_of(aligner)["method"]
    monkeypatch.undo()
    expected = toy().fit(PAIRS)
    assert aligner.method_ == expected.method_
    assert_allclose(aligner.transform(KOREAN), expected.transform(KOREAN))


def test_too_little_time_lists_adapters_and_takes_a_closed_form(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._learn.MIN_ADAPTER_PAIRS", 100)
    aligner = toy(time_budget=1e-6).fit(PAIRS)
    results = candidates_of(aligner)
    assert results["method"].count("contrastive") == 1
    assert results["method"][-1] == "contrastive"
    assert np.isnan(results["held_out_recall"][-1])
    assert isinstance(aligner.language_map_, LinearAligner)


@pytest.mark.parametrize("adapter_dim", [0, 5])
def test_a_given_width_is_the_only_one_tried(monkeypatch, adapter_dim):
    monkeypatch.setattr("langalign_sk.aligner._learn.MIN_ADAPTER_PAIRS", 100)
    results = candidates_of(toy(adapter_dim=adapter_dim).fit(PAIRS))
    assert [w for w in results["adapter_dim"] if w is not None] == [adapter_dim]


def test_auto_ends_with_the_adapter_that_won(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._learn.MIN_ADAPTER_PAIRS", 100)
    X, Y = bent_pairs()
    aligner = toy(adapter_dim=16, adapter_params=QUICK).fit(X, Y)
    assert aligner.method_ == "contrastive"
    assert isinstance(aligner.language_map_, AdapterAligner)
    assert aligner.language_map_.adapter_dim == 16
    seed = np.random.RandomState(0).randint(2**31 - 1)  # as random_state=0 draws it
    by_hand = adapter(16, random_state=seed).fit(X, Y)
    assert_allclose(aligner.transform(X), by_hand.transform(X))
    evaluation = aligner.alignment_report_.evaluations[0]
    assert evaluation.method == "contrastive"
    assert evaluation.n_held_out == len(by_hand.held_out_indices_) == 40
    assert evaluation.candidates["method"][-1] == "contrastive"
    rows = by_hand.held_out_indices_
    expected = slow_recall(by_hand.transform(X[rows]), Y[rows]).mean()
    assert evaluation.aligned.recall_at_1 == pytest.approx(expected)


def test_auto_repeats_with_its_seed(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._learn.MIN_ADAPTER_PAIRS", 100)
    first, again = (toy(adapter_dim=8).fit(PAIRS) for _ in range(2))
    assert without_seconds(candidates_of(first)) == without_seconds(candidates_of(again))
    assert_allclose(first.transform(KOREAN), again.transform(KOREAN), rtol=0)


@pytest.mark.slow
def test_auto_of_a_shared_space_tries_shared_adapters(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._learn.MIN_ADAPTER_PAIRS", 100)
    X, Y = bent_pairs()
    aligner = toy(adapter_dim=16, adapter_params=QUICK, output_space="shared").fit(X, Y)
    assert candidates_of(aligner)["method"] == ["spectral", "contrastive"]
    assert aligner.language_map_.shared
    assert aligner.method_ == "contrastive"


def test_interrupted_auto_fits_the_best_so_far(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._learn.MIN_ADAPTER_PAIRS", 100)
    monkeypatch.setattr(AdapterCandidate, "move_folds", interrupt)
    with pytest.warns(UserWarning, match="interrupted"):
        aligner = toy().fit(PAIRS)
    assert isinstance(aligner.language_map_, LinearAligner)
    assert aligner.score(PAIRS) > 0.9


@pytest.mark.parametrize("params", [{"rank": 2}, {"architecture": "fc"}, {"architecture": "ae"}])
def test_auto_takes_every_adapter_parameter_that_passed_the_check(monkeypatch, params):
    monkeypatch.setattr("langalign_sk.aligner._learn.MIN_ADAPTER_PAIRS", 100)
    aligner = toy(adapter_params={**SHORT, **params})
    aligner.fit(PAIRS)
    assert "contrastive" in candidates_of(aligner)["method"]


@pytest.mark.parametrize(
    "output_space",
    [
        "english",
        "shared",
    ],
)
def test_auto_under_a_global_frame_output(monkeypatch, output_space):
    monkeypatch.setattr("langalign_sk.aligner._learn.MIN_ADAPTER_PAIRS", 100)
    expected = toy(adapter_dim=0, output_space=output_space).fit(PAIRS)
    with sklearn.config_context(transform_output="pandas"):
        aligner = toy(adapter_dim=0, output_space=output_space).fit(PAIRS)
        moved = aligner.transform(KOREAN)
    assert_close(moved.to_numpy(), expected.transform(KOREAN), 1e-6)
