"""Networks that several tests move rows by."""

import numpy as np
import torch

from langalign_sk.mapping import Network

rng = np.random.default_rng(0)


ROWS = rng.normal(size=(20, 5))


COEF, INTERCEPT = rng.normal(size=(5, 3)), rng.normal(size=3)


AFFINE = Network(COEF, INTERCEPT)


def flat(network):
    return np.concatenate([a.ravel() for a in network.arrays()])


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
