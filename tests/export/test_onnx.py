"""ONNX graphs of aligners against what the aligner itself does."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from langalign_sk import AdapterAligner, LinearAligner
from langalign_sk import __version__ as version
from langalign_sk.export import to_onnx
from tests.export.common import (
    DEEP,
    EPOCH,
    LABELS,
    LINEAR,
    WARNINGS_OF_TOYS,
    aligner,
    assert_same,
    bridged,
    english_rows,
    name_of,
    rows,
    run,
)
from tests.toy import PAIRS, EnglishOnly

pytestmark = WARNINGS_OF_TOYS


@pytest.mark.parametrize("n", [1, 200])
@pytest.mark.parametrize("parameters", [*LINEAR, *DEEP], ids=name_of)
@pytest.mark.parametrize("fit", [lambda **p: aligner(**p).fit(PAIRS), bridged])
def test_onnx_is_what_transform_does(onnx, parameters, fit, n):
    fitted = fit(**parameters)
    out = run(to_onnx(fitted), rows(n))
    assert list(out) == ["Z"]
    assert out["Z"].dtype == np.float32
    assert_same(out["Z"], fitted.transform(rows(n)))


@pytest.mark.parametrize("method", ["contrastive", "mse"])
@pytest.mark.filterwarnings("ignore:A trained bridge")
def test_onnx_of_two_trained_maps(onnx, method):
    fitted = bridged(method=method, bridge_method=method, adapter_dim=8)
    assert_same(run(to_onnx(fitted), rows())["Z"], fitted.transform(rows()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "parameters",
    [{"adapter_dim": 5}, {"loss": "mse"}, {"loss": "autoencoder"}, {"shared": True}],
    ids=name_of,
)
def test_onnx_of_arrays(onnx, parameters, dtype):
    X = rows(dtype=dtype)
    fitted = AdapterAligner(random_state=0, **EPOCH, **parameters).fit(X, X[:, :7])
    assert_same(run(to_onnx(fitted), X)["Z"], fitted.transform(X))
    if "shared" in parameters:
        moved = run(to_onnx(fitted, side="english"), X[:, :7])["Z"]
        assert_same(moved, fitted.transform_counterparts(X[:, :7]))


@pytest.mark.parametrize("opset", [13, np.int64(15), 17, 21])
def test_opset(onnx, skl2onnx, opset):
    fitted = aligner(method="contrastive", adapter_dim=4).fit(PAIRS)
    head = LogisticRegression().fit(fitted.transform(rows()), LABELS)
    for estimator in (fitted, make_pipeline(fitted, head)):
        model = to_onnx(estimator, opset=opset)
        used = {o.version for o in model.opset_import if o.domain == ""}
        # skl2onnx takes an older one where it does.
        assert used == {opset} if estimator is fitted else max(used) <= opset
        run(model, rows(3))


@pytest.mark.parametrize("opset", [12, 10_000, 17.0, "17"])
def test_opset_out_of_range(onnx, opset):
    with pytest.raises(ValueError, match=r"opset must be an int between 13 and \d+, got"):
        to_onnx(aligner().fit(PAIRS), opset=opset)


def test_metadata(onnx):
    def of(fitted, **sides):
        return {p.key: p.value for p in to_onnx(fitted, **sides).metadata_props}

    known = {"langalign_sk_version": version}
    korean = known | {"languages": "ko"}
    assert of(LinearAligner("identity").fit(rows(), rows())) == known
    assert of(aligner().fit(PAIRS)) == korean | {"encoder": "ToyEncoder"}
    assert of(bridged()) == korean | {"encoder": "ToyEncoder"}
    # Where rows came as arrays, nobody knows the encoder.
    assert of(aligner().fit(rows(), english_rows())) == korean
    english = of(aligner(output_space="target").fit(PAIRS))
    assert english == known | {"languages": "en", "encoder": "ToyEncoder"}
    shared = aligner(output_space="shared", method="spectral", english_encoder=EnglishOnly())
    english = of(shared.fit(PAIRS), side="english")
    assert english == known | {"languages": "en", "encoder": "EnglishOnly"}
    named = aligner("use-multilingual", method="identity").fit(PAIRS[:20])
    assert of(named)["encoder"].startswith("use-multilingual@")


def test_file(onnx, tmp_path):
    path = tmp_path / "aligner.onnx"
    path.write_text("before")
    model = to_onnx(aligner().fit(PAIRS), path)
    assert onnx.load(path) == model
    to_onnx(aligner().fit(PAIRS), str(path))
    assert os.listdir(tmp_path) == ["aligner.onnx"]


def test_file_that_fails_leaves_the_old_one(onnx, tmp_path, monkeypatch):
    path = tmp_path / "aligner.onnx"
    path.write_text("before")

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match=r"no space"):
        to_onnx(aligner().fit(PAIRS), path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("aligner.onnx", "before")]


def test_paths_that_cannot_be_written(onnx, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere' to write to. Make it"):
        to_onnx(aligner(), tmp_path / "nowhere" / "a.onnx")
    with pytest.raises(ValueError, match=r"is a folder. Name a file"):
        to_onnx(aligner(), tmp_path)


@pytest.mark.parametrize("package", ["onnx", "skl2onnx"])
def test_missing_package_names_the_extra(onnx, monkeypatch, package):
    fitted = aligner().fit(PAIRS)
    head = LogisticRegression().fit(fitted.transform(rows()), LABELS)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'package {package}: .*"langalign-sk\[export\]"'):
        to_onnx(make_pipeline(fitted, head))
    if package == "skl2onnx":
        to_onnx(fitted)
