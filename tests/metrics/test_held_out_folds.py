"""Held-out folds of rows that share no duplicate group with the others."""

import numpy as np
import pytest

from langalign_sk.metrics._core import (
    MAX_CROSS_FIT,
    N_FOLDS,
    POOL_OF_FOLDS,
    POOL_OF_ONE,
    held_out_folds,
)


def draw(seed=0):
    return np.random.RandomState(seed)


@pytest.mark.parametrize("n", [10, 57, 300, 5000, 5001, 8000])
@pytest.mark.parametrize("rows_per_group", [1, 1.7, 4])
def test_held_out_rows_share_no_group_with_the_rest(n, rows_per_group):
    groups = draw(1).permutation((np.arange(n) / rows_per_group).astype(int))
    folds = held_out_folds(groups, draw())
    if groups.max() + 1 < 10:
        assert folds is None
        return
    assert len(folds) == (N_FOLDS if n <= MAX_CROSS_FIT else 1)
    for fold in folds:
        rest = np.setdiff1d(np.arange(n), fold)
        assert len(fold)
        assert len(rest)
        assert not set(groups[fold]) & set(groups[rest])
    together = np.concatenate(folds)
    assert len(set(together)) == len(together)
    size = min(n, POOL_OF_FOLDS if n <= MAX_CROSS_FIT else POOL_OF_ONE)
    assert size - 8 <= len(together) <= size


def test_held_out_rows_of_one_frequent_sentence():
    groups = np.array([0] * 190 + list(range(1, 11)))
    for seed in range(20):
        for fold in held_out_folds(groups, draw(seed)):
            assert np.count_nonzero(groups[fold] == 0) in (0, 190)
            assert len(fold) < 200


def test_held_out_rows_follow_the_seed():
    groups = np.arange(100)
    first, again, other = (held_out_folds(groups, draw(seed)) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_too_few_groups_to_hold_any_out():
    assert held_out_folds(np.arange(100) % 9, draw()) is None
