"""Tests of the registry of loaded models."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from langalign_sk import SentenceEncoder
from langalign_sk.encoders.models import registry
from langalign_sk.encoders.models.model import Model


def test_revision_is_for_models_of_the_hub(tiny):
    for name in ("minilm-english", str(tiny)):
        with pytest.raises(ValueError, match="revision") as raised:
            SentenceEncoder(name, revision="v1").load()
        assert repr(name) in str(raised.value).replace('"', "'")


def test_a_model_is_loaded_once(no_models, monkeypatch):
    loads, two = [], threading.Barrier(2)

    def load(spec):
        loads.append(1)
        with contextlib.suppress(threading.BrokenBarrierError):
            two.wait(0.2)  # a second thread that loads would get through
        return Model(lambda texts, *_: np.ones((len(texts), 2)), 2, "ones")

    monkeypatch.setattr(registry, "load_use", load)
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda _: SentenceEncoder().encode(["a", "b"]), range(8)))
    assert len(loads) == 1
    assert {r.shape for r in rows} == {(2, 2)}


def test_failure_is_not_remembered(tmp_path, tiny):
    folder = tmp_path / "model"
    with pytest.raises(ValueError, match="neither a folder"):
        SentenceEncoder(str(folder)).load()
    folder.symlink_to(tiny)
    SentenceEncoder(str(folder)).load()


def test_a_folder_that_changes_while_it_is_loaded(copied, monkeypatch, no_models):
    def load(name, *others):
        (copied / "model.safetensors").write_bytes(b"other weights")

    monkeypatch.setattr(registry, "load_transformer", load)
    with pytest.raises(ValueError, match="were changed while it was loaded: load it again"):
        SentenceEncoder(str(copied)).load()
    assert not registry._models
