"""Shapes and types of fitted adapters."""

import numpy as np
import pytest

from tests.mapping.adapter.cases import adapter, networks, noisy_pairs, weights

KINDS = [
    ("contrastive", "residual", 0),
    ("contrastive", "residual", 3),
    ("contrastive", "fc", None),
    ("contrastive", "ae", None),
    ("mse", "residual", 0),
    ("mse", "residual", 3),
    ("mse", "fc", None),
    ("mse", "ae", None),
    ("autoencoder", "ae", None),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("dx", "dy"), [(8, 8), (8, 5), (5, 8)])
@pytest.mark.parametrize(("loss", "architecture", "width"), KINDS)
def test_every_loss_and_architecture(loss, architecture, width, dx, dy, dtype):
    X, Y = (A.astype(dtype) for A in noisy_pairs(60, dx, dy))
    aligner = adapter(loss, architecture=architecture, adapter_dim=width).fit(X, Y)
    there, back = aligner.transform(X), aligner.inverse_transform(Y)
    assert (there.shape, back.shape) == ((60, dy), (60, dx))
    assert {there.dtype, back.dtype} == {np.dtype(dtype)}
    assert {a.dtype for n in networks(aligner) for a in n.arrays()} == {np.dtype(dtype)}
    assert np.isfinite(there).all()
    assert np.isfinite(back).all()
    np.testing.assert_array_equal(there, aligner.network_(X))
    np.testing.assert_array_equal(back, aligner.inverse_network_(Y))
    assert aligner.transform_counterparts(Y) is not None
    np.testing.assert_array_equal(aligner.transform_counterparts(Y), Y)


def layer_widths(network):
    return [w.shape for w, _ in network.layers]


@pytest.mark.parametrize(
    ("params", "there", "back"),
    [
        ({"loss": "contrastive"}, [], []),
        ({"loss": "contrastive", "adapter_dim": 0}, [], []),
        ({"loss": "contrastive", "adapter_dim": 3}, [(8, 3), (3, 6)], [(6, 3), (3, 8)]),
        (
            {"loss": "mse", "init": "random"},
            [(8, 8)] * 5 + [(8, 6)],
            [(6, 6)] * 5 + [(6, 8)],
        ),
        (
            {"loss": "mse"},
            [(8, 12), *[(12, 12)] * 4, (12, 6)],
            [(6, 12), *[(12, 12)] * 4, (12, 8)],
        ),
        (
            {"loss": "mse", "adapter_dim": 7},
            [(8, 7), *[(7, 7)] * 4, (7, 6)],
            [(6, 7), *[(7, 7)] * 4, (7, 8)],
        ),
        (
            {"loss": "autoencoder", "adapter_dim": 2},
            [(8, 6), (6, 4), (4, 2), (2, 3), (3, 5), (5, 6)],
            [(6, 5), (5, 3), (3, 2), (2, 4), (4, 6), (6, 8)],
        ),
    ],
)
def test_layers_of_the_architectures(params, there, back):
    # Without held-out pairs the trained layers are kept, whatever they are worth.
    aligner = adapter(**params, early_stopping=False, max_epochs=1).fit(*noisy_pairs(60, 8, 6))
    assert layer_widths(aligner.network_) == there
    assert layer_widths(aligner.inverse_network_) == back
    has_affine_part = params["loss"] == "contrastive"
    assert (aligner.network_.coef is not None) == has_affine_part
    assert (aligner.start_ is None) == (params.get("init") == "random")


def test_random_code_is_half_as_wide_as_its_side():
    pairs = noisy_pairs(60, 12, 6)
    aligner = adapter("autoencoder", init="random", early_stopping=False).fit(*pairs)
    assert aligner.network_.layers[2][0].shape[1] == 6
    assert aligner.inverse_network_.layers[2][0].shape[1] == 3


def test_architecture_goes_with_the_loss():
    X, Y = noisy_pairs(60)
    for loss, architecture in (("contrastive", "residual"), ("mse", "fc"), ("autoencoder", "ae")):
        chosen = adapter(loss).fit(X, Y)
        named = adapter(loss, architecture=architecture).fit(X, Y)
        np.testing.assert_array_equal(weights(chosen), weights(named))


def test_fit_leaves_its_input_alone():
    X, Y = noisy_pairs(60)
    before = X.copy(), Y.copy()
    adapter(adapter_dim=4, hard_negatives=2).fit(X, Y).partial_fit(X, Y)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(Y, before[1])
