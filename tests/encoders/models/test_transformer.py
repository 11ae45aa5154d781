"""Tests of folders of sentence-transformers and transformers."""

import json
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone

from langalign_sk import SentenceEncoder
from langalign_sk.encoders.models import registry
from tests.encoders.toy import TEXTS, WORDS, assert_rows_close, hide, messages, run


@pytest.mark.parametrize(
    ("pooling", "pool"),
    [
        ("mean", lambda tokens: tokens.mean(axis=0)),
        ("cls", lambda tokens: tokens[0]),
        ("max", lambda tokens: tokens.max(axis=0)),
        ("lasttoken", lambda tokens: tokens[-1]),
    ],
)
def test_pooling(tiny, states, pooling, pool):
    rows = SentenceEncoder(str(tiny), pooling=pooling).encode(TEXTS)
    assert_rows_close(rows, [pool(states(text)) for text in TEXTS])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(tiny, mean_rows, dtype):
    import torch

    rows, expected = SentenceEncoder(str(tiny), dtype=dtype).encode(TEXTS), mean_rows(TEXTS)
    assert rows.dtype == np.float32
    error = np.abs(rows - expected).max() / np.abs(expected).max()
    assert np.finfo(np.float32).eps < error < 4 * torch.finfo(getattr(torch, dtype)).eps
    full = SentenceEncoder(str(tiny), dtype="float32").encode(TEXTS)
    assert_rows_close(full, mean_rows(TEXTS))


@pytest.mark.parametrize("size", [1, 2, 3, np.int64(4), 1000])
def test_batches_do_not_change_rows(tiny, mean_rows, size):
    rows = SentenceEncoder(str(tiny), batch_size=size, cache=None).encode(TEXTS)
    assert_rows_close(rows, mean_rows(TEXTS))


@pytest.mark.parametrize(("length", "read"), [(3, "rain"), (4, "rain fell"), (5, "rain fell all")])
@pytest.mark.filterwarnings("ignore:The encoder .* reads the first")
def test_max_length_cuts_tokens(tiny, mean_rows, length, read):
    rows = SentenceEncoder(str(tiny), max_length=length).encode(["rain fell all day", "a"])
    assert_rows_close(rows, mean_rows([read, "a"]))


def test_cut_texts_are_warned_of_once_a_call(tiny, no_models):
    encoder = SentenceEncoder(str(tiny), max_length=4)
    assert messages(lambda: encoder.encode(["the cat", "a dog", "a"])) == []
    (told,) = messages(lambda: encoder.encode(["a dog", "the cat sat", "rain fell all day"]))
    assert told == (
        f"The encoder {str(tiny)!r} reads the first 4 tokens of a text, and 2 texts of this call are "
        "longer: rows 1, 2 (2 of 3 rows), the first begins 'the cat sat' and has 11 characters. The "
        "rest is not encoded. Split such texts, or pass a larger max_length= to SentenceEncoder if "
        "the model allows."
    )
    # Rows that are cached are cut as well.
    for again in (encoder, clone(encoder), pickle.loads(pickle.dumps(encoder))):
        assert len(messages(lambda again=again: again.encode(["rain fell all day"]))) == 1
    other = SentenceEncoder(str(tiny), max_length=5, cache=None)
    assert len(messages(lambda: other.encode(["rain fell all day"]))) == 1


def test_texts_that_fit_are_not_warned_of(tiny, no_models):
    encoder = SentenceEncoder(str(tiny), max_length=6)
    assert messages(lambda: encoder.encode([*TEXTS[:3], "a " * 4, "unheard-of"])) == []
    usual = SentenceEncoder(str(tiny))
    assert messages(lambda: usual.encode(["the cat " * 255])) == []  # 512 tokens
    assert len(messages(lambda: usual.encode(["the cat " * 256]))) == 1


def test_texts_that_a_prompt_makes_too_long_are_warned_of(tiny, no_models):
    encoder = SentenceEncoder(str(tiny), max_length=5, prompt="the cat ")
    assert len(messages(lambda: encoder.encode(["rain fell all"]))) == 1


def test_max_length_that_the_model_does_not_allow(tiny):
    with pytest.raises(ValueError, match="max_length"):
        SentenceEncoder(str(tiny), max_length=1000).encode(["the cat " * 400])


@pytest.mark.parametrize(
    "missing",
    [
        ["config.json"],
        ["model.safetensors"],
        ["tokenizer.json", "tokenizer_config.json", "vocab.txt"],
    ],
    ids=["config", "weights", "tokenizer"],
)
def test_folder_without_a_part_is_named(copied, missing):
    for name in missing:
        (copied / name).unlink()
    with pytest.raises(ValueError, match="could not be loaded") as raised:
        SentenceEncoder(str(copied)).load()
    assert f"Encoder {str(copied)!r}" in str(raised.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_folder_with_a_broken_file_is_named(copied, name):
    (copied / name).write_bytes(b"{broken")
    with pytest.raises(ValueError, match="could not be loaded") as raised:
        SentenceEncoder(str(copied)).load()
    assert f"Encoder {str(copied)!r}" in str(raised.value)


@pytest.fixture
def with_code(copied):
    """A folder of a kind that transformers does not know, and the code that makes it one."""
    config = json.loads((copied / "config.json").read_text())
    config["model_type"] = "tiny-code"
    config["auto_map"] = {
        "AutoConfig": "modeling_tiny.TinyConfig",
        "AutoModel": "modeling_tiny.TinyModel",
    }
    (copied / "config.json").write_text(json.dumps(config))
    (copied / "modeling_tiny.py").write_text(
        "from transformers import BertConfig, BertModel\n"
        "class TinyConfig(BertConfig):\n"
        "    model_type = 'tiny-code'\n"
        "class TinyModel(BertModel):\n"
        "    config_class = TinyConfig\n"
    )
    return copied


def test_code_of_a_folder_is_not_run_unasked(with_code):
    (with_code / "modeling_tiny.py").write_text("raise SystemError('the code was run')")
    with pytest.raises(
        ValueError, match="runs code of its repository: read it, and pass"
    ) as raised:
        SentenceEncoder(str(with_code)).load()
    assert "trust_remote_code=True" in str(raised.value)
    assert "the code was run" not in str(raised.value)


@pytest.mark.parametrize(
    "kind",
    [
        "own_module.Model",
        "os.system",
        "joblib.numpy_pickle",
        "sentence_transformers.util.misc.importlib",
        "sentence_transformers_of_others.Model",
    ],
)
def test_modules_that_are_not_of_the_library_are_not_imported(copied, tiny, kind, monkeypatch):
    import sentence_transformers

    (copied / "own_module.py").write_text("raise SystemError('the code was run')")
    modules = (
        json.loads((tiny / "modules.json").read_text()) if (tiny / "modules.json").exists() else []
    )
    modules.append({"idx": len(modules), "name": "x", "path": "", "type": kind})
    (copied / "modules.json").write_text(json.dumps(modules))

    def no_loader(*args, **kwargs):
        raise AssertionError("the folder was to be loaded")

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", no_loader)
    with pytest.raises(
        ValueError, match=r"module of the type .* pass trust_remote_code=True"
    ) as raised:
        SentenceEncoder(str(copied)).load()
    assert repr(kind) in str(raised.value)


def test_code_of_a_folder_is_run_on_demand(with_code, tmp_path, mean_rows, monkeypatch):
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    encoder = SentenceEncoder(str(with_code), trust_remote_code=True)
    assert_rows_close(encoder.encode(TEXTS), mean_rows(TEXTS))


@pytest.mark.parametrize(
    ("backend", "package"),
    [
        ("onnx", "onnxruntime"),
        ("onnx", "optimum"),
        ("openvino", "openvino"),
        ("openvino", "optimum"),
    ],
)
def test_missing_package_of_a_backend_is_named(tiny, monkeypatch, backend, package):
    hide(monkeypatch, package, shown={"onnxruntime", "openvino"} - {package})
    said = (
        rf'backend="{backend}" needs the package {package}: pip install "langalign-sk\[{backend}\]"'
    )
    for name in (str(tiny), "minilm-english"):
        with pytest.raises(ImportError, match=said):
            SentenceEncoder(name, backend=backend).load()


_TWO = """
import json
from langalign_sk import SentenceEncoder

if __name__ == "__main__":
    texts = {texts!r}
    two = SentenceEncoder({folder!r}, device=["cpu", "cpu"], batch_size=2, cache=None)
    rows = [two.encode(some).tolist() for some in (texts, texts[:1], texts)]
    with open({out!r}, "w") as file:
        json.dump(rows, file)
"""


@pytest.mark.slow
def test_two_processes_give_the_same_rows_and_end(tiny, tmp_path, mean_rows):
    out = tmp_path / "rows.json"
    done = run(_TWO.format(texts=TEXTS, folder=str(tiny), out=str(out)), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for rows, texts in zip(json.loads(out.read_text()), (TEXTS, TEXTS[:1], TEXTS), strict=True):
        assert_rows_close(rows, mean_rows(texts))


@pytest.mark.parametrize("copies", [False, True])
def test_threads_get_rows_of_their_own_texts(tiny, mean_rows, no_models, copies):
    texts = [[f"{word} {text}" for text in TEXTS[: 1 + i % 5]] for i, word in enumerate(WORDS[:24])]
    encoder = SentenceEncoder(str(tiny), cache=None, batch_size=2)

    def encode(some):
        return (clone(encoder) if copies else encoder).encode(some)

    with ThreadPoolExecutor(8) as pool:
        for rows, some in zip(pool.map(encode, texts), texts, strict=True):
            assert_rows_close(rows, mean_rows(some))
    assert len(registry._models) == 1


def test_loading_prints_nothing(tiny, no_models, capfd):
    SentenceEncoder(str(tiny)).load()
    assert capfd.readouterr() == ("", "")


def test_device_that_torch_does_not_know(tiny):
    with pytest.raises(ValueError, match="could not be loaded") as raised:
        SentenceEncoder(str(tiny), device="no-such-device").load()
    assert "no-such-device" in str(raised.value)


def test_folder_without_a_model(tmp_path):
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(ValueError, match=f"Encoder '{tmp_path}' could not be loaded"):
        SentenceEncoder(str(tmp_path)).load()


def test_plain_checkpoint_is_mean_pooled(tiny, mean_rows):
    rows = SentenceEncoder(str(tiny), device="cpu").encode(TEXTS)
    assert rows.shape == (5, 16)
    assert_rows_close(rows, mean_rows(TEXTS))


def test_torch_random_state_is_left_alone(tiny, no_models):
    import torch

    before = torch.random.get_rng_state()
    SentenceEncoder(str(tiny), device="cpu").encode(TEXTS)
    assert torch.equal(torch.random.get_rng_state(), before)
