"""Tests of the parameters, prompts and normalisation of SentenceEncoder."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from langalign_sk import SentenceEncoder
from langalign_sk.encoders import as_encoder, list_encoders
from langalign_sk.encoders.base import settings_of_rows
from langalign_sk.encoders.models import registry
from langalign_sk.encoders.models.model import Model
from langalign_sk.encoders.models.presets import PRESETS
from langalign_sk.encoders.sentence import prompt_of
from tests.encoders.toy import TEXTS, Counting, assert_rows_close, fake


def test_parameters_go_in_and_out():
    given = {
        "name": "a",
        "revision": "v1",
        "prompt": "p",
        "pooling": "cls",
        "layer": [2, 4],
        "normalize": True,
        "max_length": 7,
        "batch_size": 3,
        "device": ["cpu"],
        "dtype": "float16",
        "backend": "onnx",
        "trust_remote_code": True,
        "cache": None,
        "verbose": True,
        "normalize_text": "NFC",
    }
    assert SentenceEncoder(**given).get_params() == given
    assert SentenceEncoder().set_params(**given) == SentenceEncoder(**given)
    assert clone(SentenceEncoder(**given)) == SentenceEncoder(**given)
    for name in given:
        assert SentenceEncoder().set_params(**{name: given[name]}) != SentenceEncoder()


def test_e5_asks_for_its_prompt_by_either_name():
    asked = {name: preset.repo for name, preset in PRESETS.items() if "-e5-" in name}
    assert asked == {
        f"multilingual-e5-{size}": f"intfloat/multilingual-e5-{size}"
        for size in ("small", "base", "large")
    }
    for name in (*asked, *asked.values()):
        encoder = SentenceEncoder(name)
        assert prompt_of(encoder) == "query: "
        assert settings_of_rows(encoder) == {"prompt": "query: "}
        assert prompt_of(SentenceEncoder(name, prompt="")) == ""
        assert prompt_of(SentenceEncoder(name, prompt="passage: ")) == "passage: "


@pytest.mark.parametrize(
    "name", [*set(list_encoders()) - {*PRESETS}, "labse", "bge-m3", "some/folder"]
)
def test_other_names_leave_the_prompt_to_the_model(name):
    assert prompt_of(SentenceEncoder(name)) is None
    assert settings_of_rows(SentenceEncoder(name)) == {}


@pytest.mark.parametrize("prompt", ["the ", "the cat ", "문장 "])
def test_prompt_goes_before_every_text(tiny, mean_rows, prompt):
    rows = SentenceEncoder(str(tiny), prompt=prompt).encode(TEXTS)
    assert_rows_close(rows, mean_rows([prompt + text for text in TEXTS]))
    assert np.abs(rows - mean_rows(TEXTS)).max() > 0.01


def test_prompt_of_the_model_itself(tiny, tmp_path, mean_rows):
    from sentence_transformers import SentenceTransformer

    folder = str(tmp_path / "prompted")
    SentenceTransformer(
        str(tiny), prompts={"usual": "a dog "}, default_prompt_name="usual", device="cpu"
    ).save(folder)
    for given, used in ((None, "a dog "), ("", ""), ("rain ", "rain ")):
        rows = SentenceEncoder(folder, prompt=given).encode(TEXTS)
        assert_rows_close(rows, mean_rows([used + text for text in TEXTS]))


def test_prompt_of_the_default_encoder():
    rows = SentenceEncoder(prompt="Good ").encode(["morning", "night"])
    expected = SentenceEncoder().encode(["Good morning", "Good night"])
    assert_rows_close(rows, expected)


def test_normalized_rows(tiny, mean_rows):
    expected = mean_rows(TEXTS)
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    assert lengths.min() > 1.5
    rows = SentenceEncoder(str(tiny), normalize=True).encode(TEXTS)
    assert_rows_close(rows, expected / lengths)


def test_a_row_of_zeros_stays_one(monkeypatch):
    fake(monkeypatch, lambda texts: np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = SentenceEncoder(normalize=True).encode(["a", "b"])
    assert_rows_close(rows, [[0.6, 0.8], [0, 0]])
    assert rows.dtype == np.float32


def test_long_float16_rows_are_normalized(monkeypatch):
    fake(monkeypatch, lambda texts: np.array([[300.0, 400.0]], np.float16))
    with np.errstate(over="ignore"):
        rows = SentenceEncoder(normalize=True).encode(["a"])
    assert_rows_close(rows, [[0.6, 0.8]])


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"name": 3}, TypeError, "name must be a str, got int. An object that encodes goes to the"),
        ({"name": None}, TypeError, "name must be a str, got NoneType"),
        ({"pooling": "sum"}, ValueError, r"pooling must be one of .*'lasttoken'\), got 'sum'"),
        ({"layer": True}, ValueError, "layer must be an int, a list of int or None, got True"),
        ({"layer": 2.0}, ValueError, r"layer must be an int, a list of int or None, got 2\.0"),
        ({"layer": "last"}, ValueError, "layer must be an int, a list of int or None, got 'last'"),
        ({"layer": [1, 2.5]}, ValueError, r"layer must be an int, .* got \[1, 2\.5\]"),
        ({"layer": [1, False]}, ValueError, r"layer must be an int, .* got \[1, False\]"),
        ({"layer": {1, 2}}, ValueError, r"layer must be an int, .* got \{1, 2\}"),
        ({"layer": np.array([1, 2])}, ValueError, r"layer must be an int, .* got array\(\[1, 2\]"),
        ({"layer": []}, ValueError, r"layer must name one layer or more, got \[\]; None is the"),
        ({"layer": ()}, ValueError, r"layer must name one layer or more, got \(\)"),
        ({"layer": [1, 2, 1]}, ValueError, r"layer must name every layer once, got \[1, 2, 1\]"),
        ({"dtype": "int8"}, ValueError, "dtype must be one of .*'bfloat16'.*, got 'int8'"),
        ({"dtype": np.float32}, ValueError, "dtype must be one of"),
        ({"backend": "jax"}, ValueError, "backend must be one of .*'openvino'.*, got 'jax'"),
        ({"backend": None}, ValueError, "backend must be one of .*, got None"),
        ({"batch_size": 0}, ValueError, "batch_size must be a positive int, got 0"),
        ({"batch_size": True}, ValueError, "batch_size must be a positive int, got True"),
        ({"batch_size": 2.0}, ValueError, r"batch_size must be a positive int, got 2\.0"),
        ({"batch_size": None}, ValueError, "batch_size must be a positive int, got None"),
        ({"max_length": -1}, ValueError, "max_length must be a positive int, got -1"),
        ({"max_length": "9"}, ValueError, "max_length must be a positive int, got '9'"),
        ({"max_length": False}, ValueError, "max_length must be a positive int, got False"),
        ({"prompt": 3}, TypeError, "prompt must be a str or None, got int"),
        ({"prompt": ["a"]}, TypeError, "prompt must be a str or None, got list"),
        ({"revision": 3}, TypeError, "revision must be a str or None, got int"),
        ({"device": 3}, TypeError, "device must be a str, a list of str or None, got 3"),
        ({"device": []}, TypeError, r"device must be .*, got \[\]"),
        ({"device": ["cpu", 3]}, TypeError, r"device must be .*, got \['cpu', 3\]"),
        ({"device": {"cpu"}}, TypeError, "device must be"),
        ({"device": b"cpu"}, TypeError, "device must be .*, got b'cpu'"),
        ({"cache": 3}, TypeError, 'cache must be None, "memory", a folder, .* got int'),
    ],
)
@pytest.mark.parametrize("name", ["use-multilingual", "minilm-english", "no such model"])
def test_wrong_parameters_are_refused_before_loading(no_models, parameters, error, message, name):
    encoder = SentenceEncoder(**({"name": name} | parameters))
    for use in (encoder.load, lambda: encoder.encode(["a"]), lambda: encoder.fit(["a"])):
        with pytest.raises(error, match=message):
            use()
    assert not registry._models


@pytest.mark.parametrize(
    ("layer", "key"),
    [
        (None, ""),
        (6, "layer=(6,)"),
        ([6], "layer=(6,)"),
        (np.int64(6), "layer=(6,)"),
        (-1, "layer=(-1,)"),
        ((8, 4), "layer=(4, 8)"),
        ([4, 8], "layer=(4, 8)"),
    ],
)
def test_layers_are_in_the_key_of_a_cache(layer, key):
    model = Model(None, 2, "a@1")
    assert SentenceEncoder("a", layer=layer)._key(model) == f"a@1 {key}"


def test_settings_of_rows_have_one_form():
    assert settings_of_rows(SentenceEncoder("a", cache=None, device="cpu", normalize=False)) == {}
    preset = SentenceEncoder("multilingual-e5-small")
    written_out = SentenceEncoder("multilingual-e5-small", prompt="query: ")
    assert settings_of_rows(preset) == settings_of_rows(written_out) == {"prompt": "query: "}
    given = SentenceEncoder("a", prompt="", layer=[8, 4], normalize=True, dtype="float16")
    assert settings_of_rows(given) == {
        "prompt": "",
        "layer": (4, 8),
        "normalize": True,
        "dtype": "float16",
    }
    assert given._key(Model(None, 2, "a@1")) == (
        "a@1 prompt='' layer=(4, 8) normalize=True dtype='float16'"
    )
    assert settings_of_rows(as_encoder(Counting())) is None


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
