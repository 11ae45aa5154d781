"""Comparison of arrays up to a share of their size."""

import numpy as np


def assert_close(actual, expected, share):
    """No entry differs by more than a share of the largest expected one."""
    size = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=share * size)
