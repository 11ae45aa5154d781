"""Network: fitted adapters as arrays."""

import numpy as np
import pytest

from langalign_sk.mapping import Network
from tests.mapping.close import assert_close
from tests.mapping.network_cases import AFFINE, COEF, INTERCEPT, ROWS, flat, rng

# Three layers, so that there is a first, a last and one between.
LAYERS = tuple((rng.normal(size=s), rng.normal(size=s[1])) for s in ((5, 7), (7, 4), (4, 3)))


PERCEPTRON = Network(None, None, LAYERS)


BOTH = Network(COEF, INTERCEPT, LAYERS)


ALL = pytest.mark.parametrize("network", [AFFINE, PERCEPTRON, BOTH], ids=["affine", "mlp", "both"])


def perceptron(X, layers=LAYERS):
    """One unit at a time."""
    for i, (weight, bias) in enumerate(layers):
        X = np.array([[x @ w + b for w, b in zip(weight.T, bias, strict=True)] for x in X])
        if i < len(layers) - 1:
            X = np.where(X > 0, X, 0)
    return X


def test_affine_network():
    expected = np.einsum("ij,jk->ik", ROWS, COEF) + INTERCEPT
    assert_close(AFFINE(ROWS), expected, 1e-12)


def test_perceptron_rectifies_the_hidden_layers_alone():
    expected = perceptron(ROWS)
    assert expected.min() < 0
    assert_close(PERCEPTRON(ROWS), expected, 1e-12)


def test_perceptron_is_added_to_the_affine_part():
    expected = ROWS @ COEF + INTERCEPT + perceptron(ROWS)
    assert_close(BOTH(ROWS), expected, 1e-12)


def test_perceptron_of_one_layer_is_affine():
    assert_close(Network(None, None, ((COEF, INTERCEPT),))(ROWS), ROWS @ COEF + INTERCEPT, 1e-12)


@ALL
def test_network_leaves_its_rows_and_weights_alone(network):
    rows, weights = ROWS.copy(), flat(network)
    network(ROWS)
    np.testing.assert_array_equal(ROWS, rows)
    np.testing.assert_array_equal(flat(network), weights)


@ALL
@pytest.mark.parametrize(("source", "target"), [(2.0, 3.0), (1000.0, 1.0), (1.0, 1e-3)])
def test_rescaled_network_moves_rescaled_rows(network, source, target):
    moved = network.rescaled(source, target)(ROWS * source)
    np.testing.assert_allclose(moved, network(ROWS) * target, rtol=1e-9)


@ALL
def test_rescaled_network_is_another_one(network):
    before = flat(network)
    network.rescaled(2, 3)
    np.testing.assert_array_equal(flat(network), before)


@ALL
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_network_in_another_precision(network, dtype):
    other = network.astype(dtype)
    assert {a.dtype for a in other.arrays()} == {np.dtype(dtype)}
    moved = other(ROWS.astype(dtype))
    assert moved.dtype == dtype
    assert_close(moved, network(ROWS), 1e-4)


@pytest.mark.parametrize(
    ("network", "arrays"),
    [
        (AFFINE, [COEF, INTERCEPT]),
        (PERCEPTRON, [a for layer in LAYERS for a in layer]),
        (BOTH, [COEF, INTERCEPT, *(a for layer in LAYERS for a in layer)]),
    ],
)
def test_arrays_are_all_weights(network, arrays):
    assert [id(a) for a in network.arrays()] == [id(a) for a in arrays]


@ALL
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_weight_that_is_not_finite_shows(network, value):
    assert network.is_finite()
    for i in range(len(network.arrays())):
        spoilt = network.astype(np.float64)  # a copy
        spoilt.arrays()[i].flat[-1] = value
        assert not spoilt.is_finite()


@ALL
def test_width_of_moved_rows(network):
    assert network.n_targets == network(ROWS).shape[1] == 3


@ALL
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_network_moves_rows_one_by_one(network, dtype):
    network, rows = network.astype(dtype), ROWS.astype(dtype)
    alone = np.vstack([network(row[None]) for row in rows])
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    assert_close(alone, network(rows), tolerance)
    order = np.random.default_rng(1).permutation(len(rows))
    assert_close(network(rows[order]), network(rows)[order], tolerance)
