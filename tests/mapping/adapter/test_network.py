"""Networks as arrays, the torch modules that they are trained as, and the losses."""

import numpy as np
import pytest
import torch

from langalign_sk.mapping import Network
from langalign_sk.mapping.training.losses import Contrastive, SquaredError
from langalign_sk.mapping.training.modules import BothWays, Trainable, initial_layers

rng = np.random.default_rng(0)
ROWS = rng.normal(size=(20, 5))
COEF, INTERCEPT = rng.normal(size=(5, 3)), rng.normal(size=3)
# Three layers, so that there is a first, a last and one between.
LAYERS = tuple((rng.normal(size=s), rng.normal(size=s[1])) for s in ((5, 7), (7, 4), (4, 3)))
AFFINE = Network(COEF, INTERCEPT)
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


def flat(network):
    return np.concatenate([a.ravel() for a in network.arrays()])


# Networks


def test_affine_network():
    expected = np.einsum("ij,jk->ik", ROWS, COEF) + INTERCEPT
    np.testing.assert_allclose(AFFINE(ROWS), expected, atol=1e-12)


def test_perceptron_rectifies_the_hidden_layers_alone():
    expected = perceptron(ROWS)
    assert expected.min() < 0
    np.testing.assert_allclose(PERCEPTRON(ROWS), expected, atol=1e-12)


def test_perceptron_is_added_to_the_affine_part():
    expected = ROWS @ COEF + INTERCEPT + perceptron(ROWS)
    np.testing.assert_allclose(BOTH(ROWS), expected, atol=1e-12)


def test_perceptron_of_one_layer_is_affine():
    np.testing.assert_allclose(
        Network(None, None, ((COEF, INTERCEPT),))(ROWS), ROWS @ COEF + INTERCEPT, atol=1e-12
    )


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
    np.testing.assert_allclose(moved, network(ROWS), atol=1e-4)


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
    np.testing.assert_allclose(alone, network(rows), atol=tolerance)
    order = np.random.default_rng(1).permutation(len(rows))
    np.testing.assert_allclose(network(rows[order]), network(rows)[order], atol=tolerance)


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
    np.testing.assert_allclose(through(module), start(ROWS), atol=1e-5)


@KINDS
def test_module_and_network_move_rows_alike(start, rank, linear):
    module = shaken(trainable(start, rank, linear))
    network = module.network()
    assert np.abs(network(ROWS) - start(ROWS)).max() > 0.1
    np.testing.assert_allclose(through(module), network(ROWS), atol=1e-3)
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


# Losses


def tensors(*arrays):
    return tuple(torch.from_numpy(np.asarray(a, dtype=np.float32)) for a in arrays)


def value(criterion, moved, x, y, groups=None, *pools, pool_groups=None):
    groups = torch.arange(len(x)) if groups is None else torch.from_numpy(np.asarray(groups))
    if pools:  # of y, of x where there is a map back, and the groups: none of the batch's
        pool_groups = -1 - np.arange(len(pools[0])) if pool_groups is None else pool_groups
        of_x = pools[1] if len(pools) > 1 else pools[0]
        pools = (*tensors(pools[0], of_x), torch.from_numpy(np.asarray(pool_groups)))
    with torch.no_grad():
        return float(criterion(tensors(*moved), (*tensors(x, y), groups, *pools)))


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
