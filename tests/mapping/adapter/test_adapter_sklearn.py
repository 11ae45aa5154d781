"""AdapterAligner among scikit-learn's tools."""

import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from langalign_sk.mapping import AdapterAligner

_REASON = (
    "feeds 1-d class labels; scikit-learn exempts CCA and PLS, which also learn from two arrays, "
    "by name"
)
_EXPECTED = (
    "check_transformer_data_not_an_array",
    "check_transformer_general",
    "check_transformer_preserve_dtypes",
)
_CHECKED = [
    AdapterAligner(random_state=0, max_epochs=2, device="cpu"),
    AdapterAligner("mse", adapter_dim=4, random_state=0, max_epochs=2, device="cpu"),
]


# Some checks pass class labels as a column of y: three distinct rows, too few to choose by.
@pytest.mark.filterwarnings("ignore:.*too few to hold any out")
@parametrize_with_checks(
    _CHECKED, expected_failed_checks=lambda estimator: dict.fromkeys(_EXPECTED, _REASON)
)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("aligner", _CHECKED)
@pytest.mark.parametrize("check", _EXPECTED)
def test_expected_failures_are_of_labels(aligner, check):
    with pytest.raises(ValueError, match=r"got 1D array.*Class labels do not belong here"):
        getattr(estimator_checks, check)("AdapterAligner", clone(aligner))
