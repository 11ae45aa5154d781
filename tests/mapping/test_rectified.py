"""Closed forms as networks of rectified layers."""

import numpy as np
import pytest

from langalign_sk.mapping import Network
from langalign_sk.mapping.closed_form import AffineMap
from langalign_sk.mapping.rectified import Components, rectified_layers
from tests.mapping.close import assert_close


def rows(n=300, d=8, seed=0):
    draw = np.random.default_rng(seed)
    return draw.normal(size=(n, d)) * np.linspace(3, 0.1, d) + 1


def affine(d=8, k=8):
    draw = np.random.default_rng(1)
    return AffineMap(draw.normal(size=(d, k)), draw.normal(size=k))


def components(X, there):
    return Components(there, X.mean(axis=0), np.cov(X.T, bias=True))


def network(X, there, rank, widths):
    layers = rectified_layers(components(X, there), rank, widths, X, np.random.RandomState(0))
    return Network(None, None, layers)


@pytest.mark.parametrize("k", [5, 8, 11])
def test_pairs_of_units_hold_a_map_exactly_on_any_row(k):
    X, there = rows(), affine(k=k)
    rank = min(8, k)
    held = network(X, there, rank, [8, *[2 * rank] * 5, k])
    others = 100 * np.random.default_rng(2).normal(size=(50, 8))
    for Z in (X, others):
        assert_close(held(Z), there(Z), 1e-5)


@pytest.mark.parametrize("width", [8, 11, 15])
def test_single_units_hold_a_map_on_the_rows_that_tell_their_reach(width):
    X, there = rows(), affine()
    assert_close(network(X, there, 8, [8, *[width] * 5, 8])(X), there(X), 1e-5)


def test_widths_may_change_from_layer_to_layer():
    X, there = rows(), affine()
    assert_close(network(X, there, 8, [8, 16, 9, 8, 12, 20, 8])(X), there(X), 1e-5)


@pytest.mark.parametrize("rank", [1, 3, 7])
def test_a_code_of_twice_the_rank_holds_the_best_part_of_that_rank(rank):
    X, there = rows(), affine()
    held = network(X, there, rank, [8, 2 * rank, 2 * rank, 8])(X)
    # Eckart and Young: the best approximation of the moved rows themselves.
    moved = there(X)
    U, s, Vt = np.linalg.svd(moved - moved.mean(axis=0), full_matrices=False)
    best = (U[:, :rank] * s[:rank]) @ Vt[:rank] + moved.mean(axis=0)
    assert_close(held, best, 1e-4)


def test_directions_without_any_row_are_held_too():
    X, there = rows(n=4), affine(k=11)  # four rows span three directions
    held = network(X, there, 8, [8, *[16] * 3, 11])
    others = np.random.default_rng(2).normal(size=(50, 8))
    assert_close(held(others), there(others), 1e-4)


def test_further_units_change_nothing_and_can_learn():
    X, there = rows(), affine()
    wide = network(X, there, 8, [8, 20, 20, 8])
    assert_close(wide(X), there(X), 1e-5)
    weight, _ = wide.layers[0]
    assert np.abs(weight[:, 16:]).min() > 0
    behind, _ = wide.layers[1]
    np.testing.assert_array_equal(behind[16:, :16], 0)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_number_of_components_with_a_share_of_the_variance(share):
    X, there = rows(), affine()
    moved = there(X)
    variances = np.sort(np.linalg.eigvalsh(np.cov(moved.T, bias=True)))[::-1]
    expected = next(
        r for r in range(1, 9) if variances[:r].sum() >= share * variances.sum() * (1 - 1e-9)
    )
    assert components(X, there).number_with(share) == expected


def test_rows_without_variance_keep_every_component():
    X, there = np.ones((5, 8)), affine()
    found = components(X, there)
    assert found.number_with(0.99) == len(found) == 8
    assert_close(network(X, there, 8, [8, 16, 8])(X), there(X), 1e-5)
