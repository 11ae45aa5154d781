"""LinearAligner("auto"): the choice between closed forms."""

import pickle

import numpy as np
import pytest

from langalign_sk.mapping import LinearAligner
from langalign_sk.metrics import retrieval_recall_score
from tests.mapping.linear.cases import (
    assert_maps_equal,
    noisy_copy,
    random_pairs,
    rotation,
)


def chosen_row(aligner):
    """Index of the settings in use in cv_results_."""
    results, settings = aligner.cv_results_, ("method", "alpha", "power", "rank")
    used = tuple(getattr(aligner, f"{name}_") for name in settings)
    return list(zip(*(results[name] for name in settings), strict=True)).index(used)


def test_auto_takes_the_identity_where_both_sides_are_equal():
    X, _ = noisy_copy()
    aligner = LinearAligner(random_state=0).fit(X, X)
    assert aligner.method_ == "identity"
    assert (aligner.alpha_, aligner.power_, aligner.rank_) == (None, None, None)
    np.testing.assert_array_equal(aligner.transform(X), X)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_auto_is_not_worse_than_the_identity(seed, noise):
    aligner = LinearAligner(random_state=seed).fit(*noisy_copy(60, 8, noise, seed))
    results = aligner.cv_results_
    assert results["method"][0] == "identity"
    assert results["held_out_recall"][chosen_row(aligner)] >= results["held_out_recall"][0]


def shifted(Y):
    return Y + 2 * np.sign(np.arange(Y.shape[1]) - 7.5)


def stretched(Y):
    return Y * np.tile([0.3, 3], Y.shape[1] // 2) + 1


@pytest.mark.parametrize(
    ("change", "objective", "method"),
    [(shifted, "retrieval", "centre"), (stretched, "head", "scale")],
)
def test_auto_takes_the_simplest_map_that_tells_the_sides_apart(change, objective, method):
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(600, 16))
    X, Y = (shared + 0.3 * rng.normal(size=shared.shape) for _ in range(2))
    Y = change(Y)
    aligner = LinearAligner(objective=objective, random_state=0).fit(X[:300], Y[:300])
    assert aligner.method_ == method
    assert aligner.score(X[300:], Y[300:]) > retrieval_recall_score(X[300:], Y[300:])


def test_auto_finds_a_rotation():
    X, Y = noisy_copy()
    R = rotation(16)
    aligner = LinearAligner(random_state=0).fit(X, Y @ R)
    assert aligner.method_ in ("procrustes", "spectral")
    assert retrieval_recall_score(X, Y @ R) < 0.1
    new_X, new_Y = noisy_copy(seed=1)
    assert aligner.score(new_X, new_Y @ R) > 0.9


def test_auto_between_two_widths():
    X, Y = noisy_copy()
    aligner = LinearAligner(random_state=0).fit(X, Y @ rotation(16)[:, :10])
    assert "identity" not in aligner.cv_results_["method"]
    assert aligner.transform(X).shape == (200, 10)
    assert aligner.inverse_transform(Y[:, :10]).shape == (200, 16)
    assert aligner.score(X, Y @ rotation(16)[:, :10]) > 0.9


@pytest.mark.parametrize("n", [2, 9])
def test_auto_is_cautious_with_few_pairs(n):
    X, Y = random_pairs(n)
    with pytest.warns(
        UserWarning, match=f"fewer than 10 distinct pairs among {n}.*'identity' is used"
    ):
        aligner = LinearAligner().fit(X, Y)
    assert aligner.method_ == "identity"
    assert aligner.cv_results_ is None


def test_few_pairs_between_two_widths_are_strongly_regularised():
    X, Y = random_pairs(9, dy=3)
    with pytest.warns(UserWarning, match="'ridge' is used"):
        aligner = LinearAligner().fit(X, Y)
    assert (aligner.method_, aligner.alpha_) == ("ridge", 1.0)  # the strongest of the grid


def test_ten_pairs_are_enough_to_choose(recwarn):
    aligner = LinearAligner(random_state=0).fit(*random_pairs(10))
    assert aligner.cv_results_ is not None
    assert not recwarn.list


@pytest.mark.parametrize(
    ("params", "n_candidates"),
    [
        ({"method": "ridge"}, 4),
        ({"method": "ridge", "alpha": [0.1, 1, 10]}, 3),
        ({"method": "spectral", "alpha": (0.1, 1), "power": [0.5, 1], "rank": [2, 3, 5]}, 12),
        ({"method": "spectral", "alpha": np.array([0.5, 1.0]), "power": 1}, 2),
    ],
)
def test_cv_results_hold_one_entry_a_candidate(params, n_candidates):
    aligner = LinearAligner(random_state=0, **params).fit(*random_pairs())
    assert {"method", "alpha", "power", "rank", "held_out_recall"} <= set(aligner.cv_results_)
    assert {len(column) for column in aligner.cv_results_.values()} == {n_candidates}
    assert all(0 <= r <= 1 for r in aligner.cv_results_["held_out_recall"])
    assert chosen_row(aligner) in range(n_candidates)


@pytest.mark.parametrize(
    "params",
    [
        {"method": "identity"},
        {"method": "centre"},
        {"method": "scale"},
        {"method": "procrustes"},
        {"method": "ridge", "alpha": [2]},
    ],
)
def test_no_cv_results_without_a_choice(params):
    assert LinearAligner(**params).fit(*random_pairs()).cv_results_ is None


@pytest.mark.parametrize(
    "params", [{}, {"method": "ridge"}, {"method": "ridge", "alpha": [0.1, 3]}]
)
def test_the_objective_chooses_where_there_is_a_choice(params):
    X, Y = random_pairs(300)
    results = LinearAligner(objective="head", random_state=0, **params).fit(X, Y).cv_results_
    assert set(results["objective"]) == {"head"}


def test_of_a_grid_a_head_takes_the_least_squared_error():
    X, _ = noisy_copy(300, 4)  # Y is a tenth of it: the weakest strength comes next to it
    grid = [1e3, 1e-3]
    chosen = LinearAligner("ridge", alpha=grid, objective="head", random_state=0).fit(X, X / 10)
    assert chosen.alpha_ == 1e-3


@pytest.mark.parametrize("method", ["centre", "scale", "procrustes"])
def test_the_objective_is_of_no_effect_on_one_map(method):
    X, Y = random_pairs()
    plain, of_head = (LinearAligner(method, objective=o).fit(X, Y) for o in ("retrieval", "head"))
    assert_maps_equal(plain, of_head, rtol=0)


def test_a_chosen_map_is_the_fixed_map_of_all_rows():
    X, Y = random_pairs()
    chosen = LinearAligner("ridge", random_state=0).fit(X, Y)
    assert_maps_equal(chosen, LinearAligner("ridge", alpha=chosen.alpha_).fit(X, Y), atol=1e-10)


def test_same_random_state_same_bits():
    X, Y = noisy_copy(noise=2)
    first, second = (LinearAligner(random_state=7).fit(X, Y) for _ in range(2))
    results = [{**a.cv_results_, "seconds": None} for a in (first, second)]
    assert results[0] == results[1]
    assert first.coef_.tobytes() == second.coef_.tobytes()
    assert first.transform(X).tobytes() == second.transform(X).tobytes()


def test_global_random_state_is_left_alone():
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    LinearAligner(random_state=0).fit(*noisy_copy())
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002
