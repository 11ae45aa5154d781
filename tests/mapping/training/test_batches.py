"""Batches and held-out rows."""

import itertools

import numpy as np
import pytest
import torch

from langalign_sk.mapping.training.batches import PairBatches, PairDataset, n_batches, unit_of
from langalign_sk.mapping.training.start import hold_out


def batches(data, seed=0, epoch=0, batch_size=16, pool=0):
    made = PairBatches(data, batch_size, seed=seed, epoch=lambda: epoch, device="cpu", pool=pool)
    out = list(made)
    assert len(made) == len(out)
    return out


def numbered(n=100, n_trained=90):
    """Rows that say their number, of which some are trained on."""
    A = np.column_stack([np.arange(n), np.ones(n)]).astype(np.float64)
    rows = np.random.default_rng(0).permutation(n)[:n_trained]
    return PairDataset(A, -A, np.sort(rows), np.arange(n) // 2)


def order_of(made):
    return [inputs["x"][:, 0].int().tolist() for inputs, _ in made]


@pytest.mark.parametrize("batch_size", [1, 7, 16, 89, 90])
def test_every_row_comes_once_an_epoch(batch_size):
    data = numbered()
    order = order_of(batches(data, batch_size=batch_size))
    assert sorted(itertools.chain(*order)) == data.rows.tolist()
    sizes = [len(one) for one in order]
    assert max(sizes) - min(sizes) <= 1
    assert len(order) == n_batches(90, batch_size)
    assert np.mean(sizes) == pytest.approx(batch_size, rel=0.15)


def test_rows_of_a_batch_stay_together():
    for inputs, (x, y, groups) in batches(numbered()):
        assert set(inputs) == {"x", "y"}
        assert torch.equal(inputs["x"], x)
        assert torch.equal(inputs["y"], y)
        assert torch.equal(x, -y)
        assert torch.equal(groups, x[:, 0].int() // 2)
        assert {x.dtype, y.dtype} == {torch.float32}


def test_order_hangs_on_seed_and_epoch_alone():
    data = numbered()
    order = order_of(batches(data, 3, 5))
    assert order == order_of(batches(data, 3, 5))
    assert order != order_of(batches(data, 3, 6))
    assert order != order_of(batches(data, 4, 5))


def test_pool_is_drawn_anew_in_every_epoch():
    data = numbered()
    drawn = []
    for epoch in range(2):
        made = batches(data, epoch=epoch, pool=30)
        pools = [rest for _, (_, _, _, *rest) in made]
        for of_y, of_x, groups in pools:
            assert torch.equal(of_y, -of_x)
            assert groups.tolist() == data.groups[of_x[:, 0].long()].tolist()
            assert torch.equal(of_x, pools[0][1])
        drawn.append(pools[0][1][:, 0].int().tolist())
        assert len(set(drawn[-1])) == 30
        assert set(drawn[-1]) <= set(data.rows)
    assert drawn[0] != drawn[1]


def test_rows_come_in_units_and_stay_as_they_are():
    A = np.random.default_rng(0).normal(size=(50, 3))
    before = A.copy()
    data = PairDataset(A, 10 * A, np.arange(50), np.arange(50), (2.0, 5.0))
    for x, y in [data.take(np.array([3, 1])), data.take(np.arange(50))]:
        np.testing.assert_allclose(y, 4 * x, rtol=1e-5)
    np.testing.assert_allclose(data.take(np.arange(50))[0], A / 2, rtol=1e-6)
    np.testing.assert_array_equal(A, before)


@pytest.mark.parametrize(("size", "unit"), [(30.0, 30.0), (0.1, 0.1), (1.3, 1.0), (0.0, 1.0)])
def test_unit_is_the_size_of_the_rows(size, unit):
    A = np.random.default_rng(0).normal(size=(50, 3))
    A *= size / np.sqrt((A**2).sum(axis=1).mean())
    assert unit_of(A) == pytest.approx(unit)
    assert unit_of(A.astype(np.float32)) == pytest.approx(unit, rel=1e-5)


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_held_out_rows_share_no_group_with_the_others(fraction, seed):
    groups = np.unique(np.random.default_rng(seed).integers(0, 150, 300), return_inverse=True)[1]
    rows, held_out = hold_out(groups, fraction, seed)
    assert np.union1d(rows, held_out).tolist() == list(range(300))
    assert len(rows) + len(held_out) == 300
    assert not set(groups[rows]) & set(groups[held_out])
    largest = np.bincount(groups).max()
    assert fraction * 300 - largest <= len(held_out) <= fraction * 300 + 2 * largest


@pytest.mark.parametrize(
    ("n", "fraction", "expected"),
    [(30_000, 0.1, 1_000), (30_000, 0.01, 300), (5_000, 0.1, 500), (1_200, 0.99, 1_000)],
)
def test_at_most_a_thousand_pairs_are_held_out(n, fraction, expected):
    rows, held_out = hold_out(np.arange(n), fraction, 0)
    assert (len(rows), len(held_out)) == (n - expected, expected)


def test_held_out_rows_hang_on_the_seed():
    first, again, other = (hold_out(np.arange(300), 0.1, seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_a_sentence_that_is_everywhere_is_trained_on():
    groups = np.concatenate([np.arange(60), np.full(140, 60)])
    for seed in range(20):
        rows, held_out = hold_out(groups, 0.1, seed)
        assert len(held_out) <= 40
        assert len(rows) >= 160
