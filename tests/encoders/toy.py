"""Small models and encoders that the tests of this folder share."""

import os
import pickle
import shutil
import subprocess
import sys
import types
import warnings
from pathlib import Path

import numpy as np

from langalign_sk import CrossLingualAligner, SentenceEncoder
from langalign_sk.encoders import MemoryCache
from langalign_sk.encoders.cache import lookup as cache_module
from langalign_sk.encoders.models import registry
from langalign_sk.encoders.models.model import Model
from tests.toy import ENGLISH, KOREAN

TEXTS = ["the cat sat", "a dog", "rain fell all day", "sat", "the dog sat all day"]
LABELS = np.array([0, 1, 0, 1, 0])
PAIRS = list(zip(KOREAN[:40], ENGLISH[:40], strict=True))
WORDS = sorted({word for text in [*TEXTS, *KOREAN[:40], *ENGLISH[:40]] for word in text.split()})
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def bert(folder, seed=0, width=16, **config):
    """Weights of a random BERT, in a folder that may have others."""
    import torch
    from transformers import BertConfig, BertModel

    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(hidden_size=width, vocab_size=len(SPECIAL) + len(WORDS), **(sizes | config))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)


def transformer_of(folder):
    """Outputs of transformers itself for one text, by the checkpoint of a folder."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()

    def output_of(text, **asked):
        with torch.no_grad():
            return model(**tokenizer(text, return_tensors="pt"), **asked)

    return output_of


def replace(folder, monkeypatch, **changes):
    """Other weights, as another process finds them."""
    bert(folder, **changes)
    monkeypatch.setattr(registry, "_models", {})
    monkeypatch.setattr(cache_module, "shared_memory_cache", MemoryCache())


def assert_rows_close(rows, expected):
    """Rows differ by rounding alone: a float32 sum of some hundred terms, of the size of the rows."""
    size = np.abs(expected).max()
    atol = 500 * np.finfo(np.float32).eps * size
    np.testing.assert_allclose(rows, expected, rtol=0, atol=atol)


def messages(use):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        use()
    return [str(warning.message) for warning in told]


def fake(monkeypatch, encode, width=2):
    """What the default name stands for."""
    monkeypatch.setattr(registry, "_models", {})
    model = Model(lambda texts, *_: encode(texts), width, "fake@1")
    monkeypatch.setattr(registry, "load_use", lambda spec: model)


def aligner(encoder, **parameters):
    settings = {"method": "ridge", "alpha": 1.0, "random_state": 0}
    return CrossLingualAligner("ko", encoder=encoder, **(settings | parameters))


def hide(monkeypatch, *packages, shown=()):
    """Make packages impossible to import, and others possible, installed or not."""
    for name in packages:
        monkeypatch.setitem(sys.modules, name, None)
    for name in shown:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))


def pickled(folder, **parameters):
    """Bytes of an encoder that was used."""
    encoder = SentenceEncoder(str(folder), **parameters)
    encoder.encode(TEXTS)
    return pickle.dumps(encoder)


def hub(folder, source, commit, repository="x/tiny"):
    """A local cache of the hub with one model."""
    repository = folder / f"models--{repository.replace('/', '--')}"
    shutil.copytree(source, repository / "snapshots" / commit)
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(commit)


def run(script, folder, **env):
    """A script in a process of its own, without proxies, which is killed if it hangs."""
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    kept["PYTHONPATH"] = str(Path(registry.__file__).parents[3])
    return subprocess.run(
        [sys.executable, str(path)], env=kept | env, capture_output=True, text=True, timeout=600
    )


MIXED = ["Good morning", "좋은 아침", "おはようございます", "早上好", ""]
SENTENCES = ["the cat sat", "a dog ran off", "the dog sat down", "rain fell all day"]


class Counting:
    """An encoder that remembers what it was asked."""

    def __init__(self, width=3):
        self.width = width
        self.calls = []

    def encode(self, texts):
        self.calls.append(list(texts))
        return np.array([[len(t), ord(t[0]), 1.0][: self.width] for t in texts])


class Returning:
    """An encoder that returns what it was given."""

    def __init__(self, out):
        self.out = out

    def encode(self, texts):
        return self.out
