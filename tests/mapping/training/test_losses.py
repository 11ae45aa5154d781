"""Training objectives against slow formulas."""

import numpy as np
import pytest
import torch

from langalign_sk.mapping.training.losses import Contrastive, SquaredError
from tests.mapping.network_cases import tensors, value


def unit_rows(A):
    return A / np.sqrt((A**2).sum(axis=1))[:, None]


def cross_entropy(logits, right):
    """Mean of -log softmax at the right answers, row by row."""
    losses = []
    for row, answer in zip(logits, right, strict=True):
        finite = row[row > -np.inf]
        losses.append(np.log(np.exp(finite - finite.max()).sum()) + finite.max() - row[answer])
    return np.mean(losses)


def info_nce(Z, T, scale, groups=None, pool=None, n_hard=0):
    """Both directions of one map, with hard negatives in the first."""
    n = len(Z)
    groups = np.arange(n) if groups is None else np.asarray(groups)
    cosines = unit_rows(Z) @ unit_rows(T).T
    for i in range(n):
        for j in range(n):
            if i != j and groups[i] == groups[j]:
                cosines[i, j] = -np.inf
    forward = cosines
    if pool is not None:
        hard = np.full((n, n_hard), -np.inf)
        for i, near in enumerate(unit_rows(Z) @ unit_rows(pool).T):
            allowed = np.sort(near[near <= 0.95 * max(cosines[i, i], 0)])[::-1][:n_hard]
            hard[i, : len(allowed)] = allowed
        forward = np.hstack([cosines, hard])
    right = np.arange(n)
    return cross_entropy(forward * scale, right) / 2 + cross_entropy(cosines.T * scale, right) / 2


def squared_error(Z, T):
    return ((Z - T) ** 2).sum(axis=1).mean()


def moved_pairs(n=12, d=6, k=4, noise=1.0, seed=0):
    """Rows of both sides, and what two maps of some use make of them."""
    draw = np.random.default_rng(seed)
    x, y = draw.normal(size=(n, d)), draw.normal(size=(n, k)) + 1
    moved = y + noise * draw.normal(size=y.shape), x + noise * draw.normal(size=x.shape)
    return moved, x, y


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_contrastive_is_symmetric_info_nce_of_both_maps(temperature):
    moved, x, y = moved_pairs()
    expected = info_nce(moved[0], y, 1 / temperature) + info_nce(moved[1], x, 1 / temperature)
    got = value(Contrastive(temperature, (0.0, 0.0), 0, False), moved, x, y)
    assert got == pytest.approx(expected, rel=1e-4)


def test_contrastive_of_one_map():
    moved, x, y = moved_pairs()
    got = value(Contrastive(0.1, (0.0, 0.0), 0, False), moved[:1], x, y)
    assert got == pytest.approx(info_nce(moved[0], y, 10), rel=1e-4)


def test_contrastive_does_not_see_lengths():
    moved, x, y = moved_pairs()
    criterion = Contrastive(0.1, (0.0, 0.0), 0, False)
    longer = [z * np.linspace(1, 9, len(z))[:, None] for z in moved]
    assert value(criterion, longer, x, y) == pytest.approx(value(criterion, moved, x, y), rel=1e-4)


def test_rows_of_one_group_are_no_negatives():
    moved, x, y = moved_pairs()
    groups = [0, 0, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8]
    expected = info_nce(moved[0], y, 10, groups) + info_nce(moved[1], x, 10, groups)
    criterion = Contrastive(0.1, (0.0, 0.0), 0, False)
    got = value(criterion, moved, x, y, groups)
    assert got == pytest.approx(expected, rel=1e-4)
    assert got < value(criterion, moved, x, y)


@pytest.mark.parametrize("weight", [0.1, 3.0])
def test_squared_error_beside_the_contrastive_loss(weight):
    moved, x, y = moved_pairs()
    expected = info_nce(moved[0], y, 10) + info_nce(moved[1], x, 10)
    expected += weight * squared_error(moved[0], y) + 2 * weight * squared_error(moved[1], x)
    got = value(Contrastive(0.1, (weight, 2 * weight), 0, False), moved, x, y)
    assert got == pytest.approx(expected, rel=1e-4)


def test_temperature_is_learned_down_to_a_hundredth():
    moved, x, y = moved_pairs()
    criterion = Contrastive(0.001, (0.0, 0.0), 0, False)
    assert value(criterion, moved, x, y) == pytest.approx(
        info_nce(moved[0], y, 100) + info_nce(moved[1], x, 100), rel=1e-4
    )
    assert [p.requires_grad for p in criterion.parameters()] == [True]


def test_contrastive_in_a_shared_space_compares_the_moved_rows():
    (a, _), x, y = moved_pairs()
    b = a + 0.7 * np.random.default_rng(1).normal(size=a.shape)
    for weights in ((0.0, 0.0), (0.5, 0.5)):  # there is no place where the rows ought to be
        got = value(Contrastive(0.1, weights, 0, True), (a, b), x, y)
        assert got == pytest.approx(info_nce(a, b, 10), rel=1e-4)


@pytest.mark.parametrize("n_hard", [1, 3, 9])
def test_hard_negatives_join_the_forward_direction(n_hard):
    moved, x, y = moved_pairs(noise=0.3)
    draw = np.random.default_rng(2)
    pools = np.vstack([y, draw.normal(size=(30, 4))]), np.vstack([x, draw.normal(size=(30, 6))])
    expected = info_nce(moved[0], y, 10, None, pools[0], n_hard)
    expected += info_nce(moved[1], x, 10, None, pools[1], n_hard)
    criterion = Contrastive(0.1, (0.0, 0.0), n_hard, False)
    got = value(criterion, moved, x, y, None, *pools)
    assert got == pytest.approx(expected, rel=1e-4)
    assert got > value(Contrastive(0.1, (0.0, 0.0), 0, False), moved, x, y)


def test_negatives_near_the_translation_are_left_out():
    # Cosines with the one moved row: 1 of its own translation, then 0.99, 0.96, 0.94 and 0.5.
    cosines = np.array([0.99, 0.96, 0.94, 0.5])
    pool = np.column_stack([cosines, np.sqrt(1 - cosines**2)])
    z = y = np.array([[1.0, 0.0]])
    for n_hard, kept in ((1, [0.94]), (2, [0.94, 0.5]), (4, [0.94, 0.5])):
        expected = np.log(1 + np.exp((np.array(kept) - 1) * 10).sum()) / 2  # one direction of two
        got = value(Contrastive(0.1, (0.0, 0.0), n_hard, False), [z], y, y, None, pool)
        assert got == pytest.approx(expected, rel=1e-4)


def test_gradient_where_hard_negatives_are_left_out():
    # Three of the four rows of the pool are the translation itself, or as near as it.
    criterion = Contrastive(0.1, (0.0, 0.0), 3, False)
    z = torch.eye(2)[:1].requires_grad_()
    (pool,) = tensors([[1, 0], [1, 0.01], [1, -0.01], [1, 1]])
    pools = (pool, pool, torch.arange(1, 5))
    loss = criterion((z,), (*tensors([[1, 0]], [[1, 0]]), torch.arange(1), *pools))
    loss.backward()
    assert torch.isfinite(z.grad).all()
    assert torch.isfinite(criterion.log_scale.grad).all()


def test_known_translations_are_no_hard_negatives():
    z = y = np.array([[1.0, 0.0]])
    pool = np.array([[0.5, np.sqrt(0.75)], [0.0, 1.0]])
    criterion = Contrastive(0.1, (0.0, 0.0), 2, False)
    got = value(criterion, [z], y, y, [7], pool, pool_groups=[7, 8])
    assert got == pytest.approx(np.log(1 + np.exp(-10)) / 2, rel=1e-3)


def test_no_hard_negative_may_be_left():
    _, x, y = moved_pairs(n=1)
    criterion = Contrastive(0.1, (0.0, 0.0), 2, False)
    assert value(criterion, [y], x, y, None, np.vstack([y, 2 * y])) == pytest.approx(0, abs=1e-6)


def test_squared_error_is_the_mean_of_both_maps():
    moved, x, y = moved_pairs()
    expected = np.mean((moved[0] - y) ** 2) + np.mean((moved[1] - x) ** 2)
    assert value(SquaredError(), moved, x, y) == pytest.approx(expected, rel=1e-5)
    one = np.mean((moved[0] - y) ** 2)
    assert value(SquaredError(), moved[:1], x, y) == pytest.approx(one, rel=1e-5)
