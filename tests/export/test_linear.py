"""Matrix and offset against what the aligner itself does."""

from __future__ import annotations

import numpy as np
import pytest

from langalign_sk import AdapterAligner, LinearAligner
from langalign_sk.export import to_linear
from tests.export.common import (
    DEEP,
    EPOCH,
    LINEAR,
    WARNINGS_OF_TOYS,
    aligner,
    assert_same,
    bridged,
    english_rows,
    name_of,
    rows,
)
from tests.toy import ENGLISH, KOREAN, PAIRS

pytestmark = WARNINGS_OF_TOYS


@pytest.mark.parametrize("parameters", LINEAR, ids=name_of)
@pytest.mark.parametrize("fit", [lambda **p: aligner(**p).fit(PAIRS), bridged])
def test_linear_is_what_transform_does(parameters, fit):
    fitted = fit(**parameters)
    coef, intercept = to_linear(fitted)
    expected = fitted.transform(rows())
    assert (coef.dtype, intercept.dtype) == (np.float32, np.float32)
    assert (coef.shape, intercept.shape) == ((12, expected.shape[1]), expected.shape[1:])
    assert_same(rows() @ coef + intercept, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "estimator",
    [
        LinearAligner("ridge", alpha=1.0),
        LinearAligner("spectral", alpha=1.0, match_scale=True),
        AdapterAligner(adapter_dim=0, random_state=0, **EPOCH),
    ],
)
def test_linear_of_arrays(estimator, dtype):
    X = rows(dtype=dtype)
    fitted = estimator.fit(X, X[:, :7])
    coef, intercept = to_linear(fitted)
    assert (coef.dtype, coef.shape, intercept.shape) == (np.float32, (12, 7), (7,))
    assert_same(X @ coef + intercept, fitted.transform(X))


@pytest.mark.parametrize("method", ["spectral", "contrastive"])
def test_linear_of_both_sides_of_a_shared_space(method):
    fitted = aligner(method=method, adapter_dim=0, output_space="shared").fit(PAIRS)
    for side, X, texts in (
        (None, rows(), KOREAN),
        ("target", rows(), KOREAN),
        ("english", english_rows(), ENGLISH),
    ):
        coef, intercept = to_linear(fitted, side=side)
        assert_same(X @ coef + intercept, fitted.transform(texts))
        coef, intercept = to_linear(fitted.language_map_, side=side)
        assert_same(X @ coef + intercept, fitted.transform(texts))


def test_linear_of_the_target_space_moves_english_rows():
    fitted = aligner(output_space="target").fit(PAIRS)
    for side in (None, "english"):
        coef, intercept = to_linear(fitted, side=side)
        assert_same(english_rows() @ coef + intercept, fitted.transform(ENGLISH))
    with pytest.raises(ValueError, match=r'target side pass .* Pass side="english"'):
        to_linear(fitted, side="target")


@pytest.mark.parametrize("parameters", DEEP, ids=name_of)
def test_hidden_layers_have_no_matrix(parameters):
    with pytest.raises(ValueError, match=r"hidden layers.* Export it with to_onnx, or fit"):
        to_linear(aligner(**parameters).fit(PAIRS))
