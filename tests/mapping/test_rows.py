"""PairedRows: its cached parts equal direct computation, and a fit makes each of them once."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk import CrossLingualAligner, LinearAligner
from langalign_sk.mapping import closed_form, rows
from langalign_sk.mapping.rows import PairedRows

EPS = np.finfo(np.float64).eps
SUMS = ("weight", "sum_x", "sum_y", "xy", "xx", "yy")


def pairs(n=300, dx=5, dy=4, seed=0):
    """Pairs off the origin, the first and the last one alike."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, dx)) + 2
    Y = X @ rng.normal(size=(dx, dy)) + rng.normal(size=(n, dy))
    X[-1], Y[-1] = X[0], Y[0]
    return X, Y


def weights(n=300):
    return np.random.default_rng(5).uniform(0.1, 2, n)


def mean_and_covariance(X, Y, w):
    Z = np.hstack([X, Y])
    return np.average(Z, axis=0, weights=w), np.cov(Z.T, aweights=w, ddof=0)


def assert_solves(solver, X, Y, w):
    """Means and covariances are those of the rows, computed directly."""
    dx = X.shape[1]
    mean, covariance = mean_and_covariance(X, Y, w)
    size = {"rtol": 0, "atol": 1_000 * EPS * np.abs(covariance).max()}
    assert_allclose(np.concatenate([solver.x_mean, solver.y_mean]), mean, **size)
    assert_allclose(solver.cov_x, covariance[:dx, :dx], **size)
    assert_allclose(solver.cov_y, covariance[dx:, dx:], **size)
    assert_allclose(solver.cov_xy, covariance[:dx, dx:], **size)


@pytest.mark.parametrize("w", [None, weights()], ids=["even", "weighted"])
@pytest.mark.parametrize("n", [300, 7_000])
def test_solvers_equal_direct_computation(n, w):
    X, Y = pairs(n)
    w = None if w is None else np.resize(w, n)
    made = PairedRows(X, Y, w)
    held_out = made.held_out(0)
    for i, fold in enumerate(held_out.folds):
        rest = np.setdiff1d(np.arange(n), fold)
        assert_solves(held_out.solver(i), X[rest], Y[rest], None if w is None else w[rest])
    assert_solves(made.solver, X, Y, w)
    assert_solves(made.solver_without(np.arange(50)), X[50:], Y[50:], None if w is None else w[50:])
    assert_allclose(
        PairedRows(X, Y, w).cross_solver.cov_xy,
        made.solver.cov_xy,
        atol=1_000 * EPS * np.abs(made.solver.cov_xy).max(),
    )


@pytest.mark.parametrize("n", [300, 2_500])
def test_sums_of_folds_make_those_of_all(n):
    X, Y = pairs(n)
    by_folds, direct = PairedRows(X, Y), PairedRows(X, Y)
    by_folds.held_out(0).solver(0)
    for name in SUMS:
        expected = getattr(direct.moments, name)
        # Sums about the origin may cancel; their terms are of the size of the rows.
        size = max(np.abs(expected).max(), n)
        assert_allclose(getattr(by_folds.moments, name), expected, rtol=0, atol=10 * EPS * size)


def test_groups_and_folds_equal_direct_computation():
    X, Y = pairs()
    made = PairedRows(X, Y)
    assert_array_equal(made.groups, rows.duplicate_groups(X, Y))
    held_out = made.held_out(3)
    expected = rows.held_out_folds(made.groups, np.random.RandomState(3))
    for fold, same in zip(held_out.folds, expected, strict=True):
        assert_array_equal(fold, same)
    assert_array_equal(held_out.indices, np.concatenate(expected))


def test_folds_of_one_int_are_drawn_once():
    made = PairedRows(*pairs(7_000))
    assert made.held_out(0) is made.held_out(np.int64(0))
    assert made.held_out(0) is not made.held_out(1)
    assert made.held_out(0) is not made.held_out(0, 500)
    few = PairedRows(*pairs())
    assert few.held_out(0) is few.held_out(0, 50)  # five folds, whatever the size of one would be
    draw = np.random.RandomState(0)
    assert made.held_out(draw) is not made.held_out(draw)


def test_too_few_rows_hold_none_out():
    assert PairedRows(*pairs(9)).held_out(0) is None


def test_taken_rows_are_those_rows():
    X, Y = pairs()
    taken = PairedRows(X, Y, weights()).take(np.array([5, 2]))
    assert_array_equal(taken.X, X[[5, 2]])
    assert_array_equal(taken.Y, Y[[5, 2]])
    assert_array_equal(taken.weight, weights()[[5, 2]])


def test_rows_without_weight_are_left_out():
    X, Y = pairs()
    w = weights()
    w[::3] = 0
    checked = LinearAligner().check_rows(X, Y, w)
    assert_array_equal(checked.X, X[w > 0])
    assert_array_equal(checked.weight, w[w > 0])


# What one fit computes


@pytest.fixture
def counts(monkeypatch):
    """Rows that were summed and rows that were grouped, call by call."""
    summed, grouped, decomposed = [], [], []
    of, groups_of, svd = closed_form.Moments.of, rows.duplicate_groups, closed_form.svd

    def counted_of(X, *rest, **options):
        summed.append(len(X))
        return of(X, *rest, **options)

    def counted_groups(X, Y):
        grouped.append(len(X))
        return groups_of(X, Y)

    def counted_svd(C, **options):
        decomposed.append(C.shape)
        return svd(C, **options)

    monkeypatch.setattr(closed_form.Moments, "of", counted_of)
    monkeypatch.setattr(rows, "duplicate_groups", counted_groups)
    monkeypatch.setattr(closed_form, "svd", counted_svd)
    return summed, grouped, decomposed


def test_auto_sums_and_groups_every_row_once(counts):
    summed, grouped, decomposed = counts
    X, Y = pairs(2_500, 4, 4)
    LinearAligner(random_state=0).fit(X, Y)
    assert sum(summed) == 2_500
    assert grouped == [2_500]
    assert len(decomposed) <= 6  # a rotation per fold, and one of all rows


def test_one_fold_of_many_rows_is_all_that_is_summed_twice(counts):
    summed, grouped, _ = counts
    X, Y = pairs(7_000, 4, 4)
    LinearAligner(random_state=0).fit(X, Y)
    held, total = sorted(summed)
    assert total == 7_000
    assert 990 <= held <= 1_000  # no group is split
    assert grouped == [7_000]


@pytest.mark.parametrize("method", ["procrustes", "ridge", "spectral"])
def test_one_map_needs_no_groups(counts, method):
    summed, grouped, decomposed = counts
    LinearAligner(method, alpha=1.0, power=0.5).fit(*pairs())
    assert summed == [300]
    assert not grouped
    assert len(decomposed) == (method == "procrustes")


def test_an_aligner_measures_its_map_by_the_sums_of_its_choice(counts):
    summed, grouped, decomposed = counts
    X, Y = pairs(1_500, 6, 6)
    CrossLingualAligner("ko", random_state=0).fit(X, Y)
    assert sum(summed) == 1_500
    assert grouped == [1_500]
    assert len(decomposed) <= 6


@pytest.mark.parametrize("method", ["auto", "scale", "centre", "ridge", "procrustes", "spectral"])
@pytest.mark.parametrize(("X", "Y", "sides"), [(0, 1, "X"), (1, 0, "y"), (0, 0, "X and y")])
def test_constant_rows_are_named_by_every_method(method, X, Y, sides):
    rows = np.ones((40, 3)), np.random.default_rng(0).normal(size=(40, 3))
    with pytest.warns(UserWarning, match="same, so that") as seen:
        LinearAligner(method).fit(rows[X], rows[Y])
    (warning,) = seen
    assert str(warning.message).startswith(f"All 40 rows of {sides} are the same")


def test_rows_that_agree_in_the_first_and_the_last_vary():
    X = np.random.default_rng(0).normal(size=(40, 3))
    X[-1] = X[0]
    assert PairedRows(X, np.ones((40, 3))).constant_sides == ["y"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LinearAligner("identity").fit(np.ones((2, 3)), np.ones((2, 3)))  # learns nothing
