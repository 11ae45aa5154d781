"""Torch modules of adapters and their first weights."""

import numpy as np
import pytest
import torch

from langalign_sk.mapping import Network
from langalign_sk.mapping.training.modules import BothWays, Trainable, initial_layers
from tests.mapping.close import assert_close
from tests.mapping.network_cases import AFFINE, COEF, INTERCEPT, ROWS, flat

# First weights


def test_first_weights_are_bounded_by_the_root_of_the_inputs():
    layers = initial_layers([100, 50, 3], np.random.RandomState(0))
    assert [(w.shape, b.shape) for w, b in layers] == [((100, 50), (50,)), ((50, 3), (3,))]
    for (weight, bias), fan_in in zip(layers, (100, 50), strict=True):
        bound = 1 / np.sqrt(fan_in)
        assert {weight.dtype, bias.dtype} == {np.dtype(np.float32)}
        assert 0.95 * bound < weight.max() <= bound * (1 + 1e-6)
        assert -0.95 * bound > weight.min() >= -bound * (1 + 1e-6)
        assert np.abs(bias).max() <= bound * (1 + 1e-6)
        assert np.abs(weight.mean()) < 0.2 * bound


def test_last_layer_is_zero_on_demand():
    plain = initial_layers([6, 5, 4], np.random.RandomState(3))
    zeroed = initial_layers([6, 5, 4], np.random.RandomState(3), zero_last=True)
    for a, b in zip(plain[0], zeroed[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(not np.any(a) for a in zeroed[1])
    assert all(np.any(a) for a in plain[1])
    assert [a.shape for a in zeroed[1]] == [a.shape for a in plain[1]]


# Modules


FIRST = initial_layers([5, 6, 3], np.random.RandomState(0), zero_last=True)


DEEP = initial_layers([5, 4, 4, 4, 3], np.random.RandomState(1))


KINDS = pytest.mark.parametrize(
    ("start", "rank", "linear"),
    [
        (AFFINE, None, True),
        (AFFINE, 2, True),
        (Network(COEF, INTERCEPT, FIRST), None, False),
        (Network(None, None, DEEP), None, False),
    ],
    ids=["linear", "low rank", "residual", "fc"],
)


def trainable(start, rank, linear, dropout=0.5):
    return Trainable(start, dropout=dropout, rank=rank, linear=linear, seed=0)


def shaken(module, seed=0):
    """The module after training that left no weight as it was."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += torch.randn(parameter.shape, generator=generator)
    return module


def through(module, rows=ROWS):
    with torch.no_grad():
        return module.eval()(torch.from_numpy(rows.astype(np.float32))).numpy()


@KINDS
def test_untrained_module_is_the_network_it_started_from(start, rank, linear):
    module = trainable(start, rank, linear)
    made = module.network()
    assert len(made.arrays()) == len(start.arrays())
    for a, b in zip(made.arrays(), start.arrays(), strict=True):
        np.testing.assert_array_equal(a, b.astype(np.float32))
    assert_close(through(module), start(ROWS), 1e-5)


@KINDS
def test_module_and_network_move_rows_alike(start, rank, linear):
    module = shaken(trainable(start, rank, linear))
    network = module.network()
    assert np.abs(network(ROWS) - start(ROWS)).max() > 0.1
    assert_close(through(module), network(ROWS), 1e-3)
    assert {a.dtype for a in network.arrays()} == {np.dtype(np.float32)}


@KINDS
def test_network_of_a_module_is_a_copy(start, rank, linear):
    module = trainable(start, rank, linear)
    network = module.network()
    before = flat(network).copy()
    shaken(module)
    np.testing.assert_array_equal(flat(network), before)


def test_low_rank_module_changes_the_coefficients_by_its_rank():
    change = shaken(trainable(AFFINE, 2, True)).network().coef - COEF
    s = np.linalg.svd(change, compute_uv=False)
    assert s[1] > 0.1
    assert s[2] < 1e-5


def test_linear_module_learns_all_coefficients():
    change = shaken(trainable(AFFINE, None, True)).network().coef - COEF
    assert np.linalg.svd(change, compute_uv=False)[-1] > 0.1


def test_affine_part_of_a_residual_module_stays():
    module = shaken(trainable(Network(COEF, INTERCEPT, FIRST), None, False))
    np.testing.assert_array_equal(module.network().coef, COEF.astype(np.float32))


def test_dropout_is_of_training_alone():
    module = trainable(Network(None, None, DEEP), None, False)
    rows = torch.from_numpy(ROWS.astype(np.float32))
    state = torch.get_rng_state()
    with torch.no_grad():
        dropped = module.train()(rows).numpy()
    torch.set_rng_state(state)
    assert np.abs(dropped - through(module)).max() > 1e-3


def test_one_way_leaves_the_other_out():
    there = trainable(AFFINE, None, True)
    x, y = torch.ones(2, 5), torch.ones(2, 3)
    assert len(BothWays(there, None)(x, y)) == 1
    back = trainable(Network(COEF.T, np.zeros(5)), None, True)
    assert [len(z[0]) for z in BothWays(there, back)(x, y)] == [3, 5]
