"""Handles of encoders in saved models, of this release and of earlier ones."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression

from langalign_sk import CrossLingualAligner, SentenceEncoder, load, save
from langalign_sk.classifier import AlignedClassifier
from langalign_sk.encoders.models import registry
from tests.encoders.toy import WORDS, bert, messages
from tests.persistence.common import change_manifest, there_and_back
from tests.toy import ENGLISH, KOREAN

PAIRS = list(zip(KOREAN[:40], ENGLISH[:40], strict=True))
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture
def folder(tmp_path):
    """A random BERT of three layers, as transformers saves it."""
    from transformers import BertTokenizerFast

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *WORDS]) + "\n", encoding="utf-8")
    bert(folder, num_hidden_layers=3)
    BertTokenizerFast.from_pretrained(folder, do_lower_case=False).save_pretrained(folder)
    return str(folder)


def fitted_on(encoder):
    aligner = CrossLingualAligner("ko", encoder=encoder, method="ridge", alpha=1.0, random_state=0)
    return aligner.fit(PAIRS)


@pytest.mark.parametrize("layer", [None, 1, -2, [1, 2], (0, 3)])
def test_layers_are_saved(folder, tmp_path, layer):
    handle = SentenceEncoder(folder, layer=layer, pooling="max", cache=None)
    fitted = fitted_on(handle)
    again = there_and_back(fitted, tmp_path / "saved", allow=folder)
    assert again.encoder == handle
    assert again.encoder.layer == layer
    found = []
    assert messages(lambda: found.append(again.transform(KOREAN[:5]))) == []
    assert_array_equal(found[0], fitted.transform(KOREAN[:5]))


def test_missing_layer_is_named_and_the_folder_stays(folder, tmp_path, monkeypatch):
    fitted = fitted_on(SentenceEncoder(folder, layer=3, cache=None))
    expected = fitted.transform(KOREAN[:5])
    save(fitted, tmp_path / "saved")
    shutil.copytree(folder, tmp_path / "copy")
    bert(folder, num_hidden_layers=2)
    monkeypatch.setattr(registry, "_models", {})
    again = load(tmp_path / "saved", allow=folder)
    with pytest.raises(ValueError, match="has no layer 3: it has 2 layers") as raised:
        again.transform(KOREAN[:5])
    assert repr(folder) in str(raised.value)
    assert "when it was saved, which had the layer: put the former model back" in str(raised.value)
    save(again, tmp_path / "saved again")
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)
    saved = (load(tmp_path / name, allow=folder) for name in ("saved", "saved again"))
    for model in (again, *saved):
        assert_array_equal(model.transform(KOREAN[:5]), expected)


def test_folder_without_layers_loads(tmp_path):
    fitted = fitted_on(SentenceEncoder("use-multilingual", normalize=True))
    save(fitted, tmp_path)

    def without_layer(manifest):
        state = manifest["estimator"]["state"]
        del state["encoder"]["state"]["layer"]
        for seen in (state["encoder"]["state"]["_seen"], *state["_models_seen"]["$tuple"]):
            del seen["$tuple"][0]["$dict"]["layer"]

    change_manifest(tmp_path, without_layer)
    again = load(tmp_path)
    assert again.encoder == SentenceEncoder("use-multilingual", normalize=True)
    rows = []
    assert messages(lambda: rows.append(again.transform(KOREAN[:5]))) == []
    assert_array_equal(rows[0], fitted.transform(KOREAN[:5]))
    again.fit(PAIRS)


def test_folder_of_skops_without_layers_loads(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    encoder = SentenceEncoder()
    head = LogisticRegression().fit(encoder.encode(ENGLISH[:20]), np.arange(20) % 2)
    fitted = AlignedClassifier(head, fitted_on(encoder).freeze()).fit(KOREAN[:20])
    expected = fitted.predict_proba(KOREAN[:5])
    for aligner in (fitted.aligner, fitted.aligner_):
        vars(aligner.estimator.encoder).pop("layer", None)
    save(fitted, tmp_path)
    again = load(tmp_path)
    assert again.aligner_.estimator.encoder.layer is None
    assert again.aligner_.estimator.encoder == SentenceEncoder()
    assert_array_equal(again.predict_proba(KOREAN[:5]), expected)
