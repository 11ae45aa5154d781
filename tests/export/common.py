"""Aligners and comparisons that tests of exports share."""

from __future__ import annotations

import numpy as np
import pytest

from langalign_sk import CrossLingualAligner
from tests.toy import ENGLISH, KOREAN, EnglishOnly, ToyEncoder

LABELS = np.array(["even", "odd", "third"])[np.arange(200) % 3]
EPOCH = {"max_epochs": 1, "device": "cpu"}
LINEAR = [
    {"method": "identity"},
    {"method": "centre"},
    {"method": "scale"},
    {"method": "ridge", "alpha": 1.0},
    {"method": "procrustes"},
    {"method": "spectral", "alpha": 0.1},
    {"method": "contrastive", "adapter_dim": 0},
    {"method": "auto"},
]
DEEP = [
    {"method": "contrastive", "adapter_dim": 32},
    {"method": "mse"},
    {"method": "autoencoder"},
]

# Warnings about maps of toys: a bridge of few pairs, one epoch or a random encoder that aligns
# nothing, long sentences that are cut.
WARNINGS_OF_TOYS = [
    pytest.mark.filterwarnings("ignore:The bridge .* has only"),
    pytest.mark.filterwarnings("ignore:.* no more than for shuffled pairs"),
    pytest.mark.filterwarnings("ignore:The encoder .* reads the first"),
]


def name_of(parameters):
    return "-".join(str(value) for value in parameters.values())


def aligner(encoder=None, target_lang="ko", **parameters):
    settings = {"method": "ridge", "alpha": 1.0, "random_state": 0, "corpus": None}
    deep = parameters.get("method") in ("contrastive", "mse", "autoencoder")
    settings |= {"adapter_params": EPOCH} if deep else {}
    encoder = ToyEncoder() if encoder is None else encoder
    return CrossLingualAligner(target_lang, encoder=encoder, **(settings | parameters))


def bridged(**parameters):
    """Fitted aligner with a bridge into an encoder of another width."""
    moved = aligner(english_encoder=EnglishOnly(), **parameters)
    return moved.fit(ENGLISH, parallel=(KOREAN, ENGLISH))


def rows(n=200, dtype=np.float32):
    return ToyEncoder().encode(KOREAN[:n]).astype(dtype)


def english_rows(n=200):
    return ToyEncoder().encode(ENGLISH[:n])


def assert_same(got, expected, tolerance=1e-5):
    """Assert equality to the precision of float32, relative to the largest number."""
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def run(model, X):
    """Outputs of a graph by their names."""
    runtime = pytest.importorskip("onnxruntime", reason="needs pip install onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": np.float32(X)}), strict=True))
