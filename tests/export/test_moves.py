"""Which map is exported: languages, sides, and what holds no map."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from langalign_sk import LinearAligner
from langalign_sk.export import to_linear, to_onnx, to_sentence_transformer
from tests.export.common import WARNINGS_OF_TOYS, aligner, assert_same, rows, run
from tests.toy import JAPANESE, KOREAN, PAIRS, ToyEncoder

pytestmark = WARNINGS_OF_TOYS


def test_each_of_several_languages(two, onnx):
    for language, texts in (("ko", KOREAN), ("ja", JAPANESE)):
        X, expected = ToyEncoder().encode(texts), two.transform(texts)
        coef, intercept = to_linear(two, target_lang=language)
        assert_same(X @ coef + intercept, expected)
        model = to_onnx(two, target_lang=language)
        assert_same(run(model, X)["Z"], expected)
        assert {p.key: p.value for p in model.metadata_props}["languages"] == language


@pytest.mark.parametrize("export", [to_linear, to_onnx, to_sentence_transformer])
@pytest.mark.parametrize("language", [None, "zh", "en"])
def test_several_languages_ask_for_one(two, onnx, export, language):
    with pytest.raises(ValueError, match=r"pass target_lang= as one of \['ko', 'ja'\], got"):
        export(two, target_lang=language)


@pytest.mark.parametrize("export", [to_linear, to_onnx, to_sentence_transformer])
def test_language_that_was_not_declared(onnx, export):
    with pytest.raises(ValueError, match=r"one of \['ko'\], got 'ja'"):
        export(aligner().fit(PAIRS), target_lang="ja")


@pytest.mark.parametrize("export", [to_linear, to_onnx, to_sentence_transformer])
def test_rows_that_pass_have_no_map(onnx, export):
    with pytest.raises(ValueError, match=r'english side pass .* Pass side="target"'):
        export(aligner().fit(PAIRS), side="english")


@pytest.mark.parametrize("export", [to_linear, to_onnx])
def test_what_holds_no_map(onnx, export):
    with pytest.raises(TypeError, match=r"Only a CrossLingualAligner, .* got LogisticRegression"):
        export(LogisticRegression())
    with pytest.raises(NotFittedError):
        export(aligner())
    fitted = LinearAligner("identity").fit(rows(), rows())
    with pytest.raises(ValueError, match=r"has one map, for no language: leave target_lang=None"):
        export(fitted, target_lang="ko")
    with pytest.raises(ValueError, match=r"side must be one of .*, got 'left'"):
        export(fitted, side="left")
    with pytest.raises(ValueError, match=r"english side pass LinearAligner unchanged"):
        export(fitted, side="english")


@pytest.mark.slow
def test_import_stays_light():
    code = (
        "import sys, langalign_sk.export; "
        "heavy = {'torch', 'onnx', 'skl2onnx', 'sentence_transformers', 'transformers'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_exports_from_threads(onnx):
    fitted, models = aligner().fit(PAIRS), []
    threads = [threading.Thread(target=lambda: models.append(to_onnx(fitted))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({model.SerializeToString() for model in models}) == 1
    assert len(models) == 4
