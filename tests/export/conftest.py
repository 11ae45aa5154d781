"""Fixtures of the tests of exports: packages, and aligners that are fitted once."""

from __future__ import annotations

import pytest

from tests.export.common import aligner
from tests.toy import ENGLISH, JAPANESE, KOREAN, EnglishOnly


@pytest.fixture
def onnx():
    return pytest.importorskip("onnx", reason="needs pip install onnx")


@pytest.fixture
def skl2onnx(onnx):
    return pytest.importorskip("skl2onnx", reason="needs pip install skl2onnx")


@pytest.fixture(scope="module")
def two():
    parallel = {"ko": (KOREAN, ENGLISH), "ja": (JAPANESE, ENGLISH)}
    fitted = aligner(target_lang=("ko", "ja"), english_encoder=EnglishOnly())
    return fitted.fit(ENGLISH, parallel=parallel)
