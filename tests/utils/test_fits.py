"""Tests of fits that fail."""

import inspect

import pytest

from langalign_sk._utils.fits import keeps_former_fit


class Estimator:
    def __init__(self, alpha=1):
        self.alpha = alpha

    @keeps_former_fit
    def fit(self, X, y=None, *, error=None):
        """Fit."""
        self.n_, self.alpha, self._state = len(X), 5, X
        if error is not None:
            raise error
        return self


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit()])
def test_what_was_fitted_is_put_back(error):
    estimator = Estimator().fit([1, 2])
    before = dict(vars(estimator))
    with pytest.raises(type(error)):
        estimator.fit([1], error=error)
    assert vars(estimator) == before
    assert estimator._state is before["_state"]


def test_a_first_fit_that_fails_leaves_nothing():
    estimator = Estimator()
    estimator.coef_ = 3
    del estimator.coef_
    with pytest.raises(ValueError, match="no"):
        estimator.fit([1], error=ValueError("no"))
    assert vars(estimator) == {"alpha": 5}  # parameters are not fitted


def test_the_signature_stays():
    assert list(inspect.signature(Estimator.fit).parameters) == ["self", "X", "y", "error"]
    assert Estimator.fit.__doc__ == "Fit."
