"""Tests of hidden layers and their pooling in models of sentence-transformers."""

import json
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone

from langalign_sk import SentenceEncoder
from langalign_sk.encoders import FolderCache
from langalign_sk.encoders.models import registry, transformer
from langalign_sk.encoders.models.layers import layer_numbers, use_layers
from langalign_sk.encoders.models.model import folder_identity
from tests.encoders.toy import TEXTS, aligner, assert_rows_close, bert, hub, messages, run
from tests.toy import KOREAN

POOLINGS = {
    "mean": lambda tokens: tokens.mean(axis=0),
    "cls": lambda tokens: tokens[0],
    "max": lambda tokens: tokens.max(axis=0),
    "lasttoken": lambda tokens: tokens[-1],
}


@pytest.fixture(scope="session")
def layer_rows(hidden):
    """Rows of the mean of some layers, pooled by hand."""

    def rows(texts, layers, pooling="mean"):
        pool = POOLINGS[pooling]
        return np.array([pool(np.mean([hidden(t)[i] for i in layers], axis=0)) for t in texts])

    return rows


@pytest.fixture
def with_modules(deep, tmp_path):
    """Makes a folder of sentence-transformers with modules of one's own behind the pooling."""
    from sentence_transformers import SentenceTransformer

    def make(*modules):
        model = SentenceTransformer(str(deep), device="cpu")
        for module in modules:
            model.append(module)
        model.save(str(tmp_path / "whole"))
        return str(tmp_path / "whole")

    return make


def modules():
    try:
        from sentence_transformers.sentence_transformer import modules
    except ImportError:
        from sentence_transformers import models as modules
    return modules


@pytest.mark.parametrize(
    ("layer", "layers"),
    [
        (0, [0]),
        (1, [1]),
        (3, [3]),
        (4, [4]),
        (-1, [4]),
        (-5, [0]),
        (np.int64(2), [2]),
        ([2], [2]),
        ([1, 3], [1, 3]),
        ((3, 1), [1, 3]),
        ([0, -1, 2], [0, 2, 4]),
    ],
)
def test_layers_are_numbered_as_in_transformers(deep, layer_rows, layer, layers):
    rows = SentenceEncoder(str(deep), layer=layer).encode(TEXTS)
    assert rows.dtype == np.float32
    assert_rows_close(rows, layer_rows(TEXTS, layers))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(("layer", "layers"), [(2, [2]), ([1, 2], [1, 2])])
def test_layers_are_pooled_without_padding(deep, layer_rows, pooling, layer, layers):
    rows = SentenceEncoder(str(deep), layer=layer, pooling=pooling).encode(TEXTS)
    assert_rows_close(rows, layer_rows(TEXTS, layers, pooling))


def test_no_layer_is_the_model_as_it_is(deep, layer_rows):
    assert_rows_close(SentenceEncoder(str(deep)).encode(TEXTS), layer_rows(TEXTS, [4]))
    assert np.abs(layer_rows(TEXTS, [4]) - layer_rows(TEXTS, [2])).max() > 0.1


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_rows_of_a_layer_do_not_depend_on_the_batch(deep, layer_rows, size):
    encoder = SentenceEncoder(str(deep), layer=[1, 2], batch_size=size, cache=None)
    assert_rows_close(encoder.encode(TEXTS), layer_rows(TEXTS, [1, 2]))


def test_threads_get_rows_of_their_own_layer(deep, layer_rows, no_models):
    encoders = [SentenceEncoder(str(deep), layer=i, cache=None) for i in range(5)]
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda encoder: encoder.encode(TEXTS), encoders * 4))
    for i, rows in enumerate(found):
        assert_rows_close(rows, layer_rows(TEXTS, [i % 5]))


def test_later_modules_of_the_model_follow(with_modules, layer_rows):
    import torch

    weight = np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32)
    dense = modules().Dense(
        16,
        6,
        activation_function=torch.nn.Identity(),
        init_weight=torch.tensor(weight.T.copy()),
        init_bias=torch.ones(6),
    )
    folder = with_modules(dense, modules().Normalize())
    expected = layer_rows(TEXTS, [2], "max") @ weight + 1
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    rows = SentenceEncoder(folder, layer=2, pooling="max").encode(TEXTS)
    assert_rows_close(rows, expected)


def test_own_layers_of_a_model_are_replaced(deep, tmp_path, layer_rows):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(deep), device="cpu")
    model[0].auto_model.config.output_hidden_states = True
    own = modules().WeightedLayerPooling(16, num_hidden_layers=4, layer_start=3)
    model = SentenceTransformer(modules=[model[0], own, model[1]], device="cpu")
    model.save(str(tmp_path / "own"))
    folder = str(tmp_path / "own")
    assert_rows_close(SentenceEncoder(folder).encode(TEXTS), layer_rows(TEXTS, [3, 4]))
    assert_rows_close(SentenceEncoder(folder, layer=1).encode(TEXTS), layer_rows(TEXTS, [1]))


@pytest.mark.slow
def test_layers_of_minilm(minilm):
    import torch

    rows = SentenceEncoder("minilm-english", layer=[2, 4], device="cpu").encode(TEXTS)
    expected = []
    for text in TEXTS:
        features = minilm.tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            out = minilm[0].auto_model(**features, output_hidden_states=True)
        mean = np.mean([out.hidden_states[i][0].numpy() for i in (2, 4)], axis=(0, 1))
        expected.append(mean / np.linalg.norm(mean))
    assert_rows_close(rows, expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(("layer", "layers"), [(2, [2]), ([1, 2, 3], [1, 2, 3])])
def test_layers_in_half_precision(deep, layer_rows, dtype, layer, layers):
    import torch

    expected = layer_rows(TEXTS, layers)
    rows = SentenceEncoder(str(deep), layer=layer, dtype=dtype).encode(TEXTS)
    error = np.abs(rows - expected).max() / np.abs(expected).max()
    # Roundings of some layers add up.
    eps = torch.finfo(getattr(torch, dtype)).eps
    assert np.finfo(np.float32).eps < error < 8 * eps


@pytest.mark.filterwarnings("ignore:The encoder .* reads the first")
def test_layer_of_cut_texts(deep, layer_rows):
    rows = SentenceEncoder(str(deep), layer=2, max_length=4).encode(["rain fell all day", "a"])
    assert_rows_close(rows, layer_rows(["rain fell", "a"], [2]))


_TWO = """
import json
from langalign_sk import SentenceEncoder

if __name__ == "__main__":
    two = SentenceEncoder({folder!r}, layer=[1, 2], device=["cpu", "cpu"], cache=None)
    with open({out!r}, "w") as file:
        json.dump(two.encode({texts!r}).tolist(), file)
"""


@pytest.mark.slow
def test_two_processes_give_rows_of_the_layers(deep, tmp_path, layer_rows):
    out = tmp_path / "rows.json"
    done = run(_TWO.format(texts=TEXTS, folder=str(deep), out=str(out)), tmp_path)
    assert done.returncode == 0, done.stderr
    assert_rows_close(json.loads(out.read_text()), layer_rows(TEXTS, [1, 2]))


def test_numbers_of_layers():
    assert layer_numbers("a", (0, -1, 3), 6) == [0, 3, 6]
    for layer in (7, -8):
        with pytest.raises(ValueError, match="Encoder 'a' has no layer") as raised:
            layer_numbers("a", (2, layer), 6)
        assert str(raised.value) == (
            f"Encoder 'a' has no layer {layer}: it has 6 layers, so that layer= takes 0 (the "
            "embeddings) to 6, or -1 (the last) to -7."
        )
    with pytest.raises(ValueError, match=r"layer=\[-1, 6\] names layer 6 of encoder 'a' twice"):
        layer_numbers("a", (-1, 6), 6)


@pytest.mark.parametrize("layer", [5, -6, [1, 9]])
def test_missing_layer_is_named_with_those_that_are_there(deep, layer):
    wrong = layer if isinstance(layer, int) else layer[-1]
    with pytest.raises(ValueError, match=rf"has no layer {wrong}: it has 4 layers") as raised:
        SentenceEncoder(str(deep), layer=layer).encode(TEXTS)
    assert repr(str(deep)) in str(raised.value)
    assert "0 (the embeddings) to 4, or -1 (the last) to -5" in str(raised.value)


def test_default_encoder_has_no_layers():
    with pytest.raises(ValueError, match='"use-multilingual" has no layer to set') as raised:
        SentenceEncoder(layer=3).fit(["a"])
    assert "leave layer=None, or use a transformers model, such as 'multilingual-e5-small'" in str(
        raised.value
    )


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_other_backends_have_no_layers(deep, backend, monkeypatch):
    monkeypatch.setattr(transformer, "_check_packages", lambda spec: None)
    with pytest.raises(
        ValueError, match=f"on backend='{backend}' returns its last layer"
    ) as raised:
        SentenceEncoder(str(deep), layer=2, backend=backend).load()
    assert "leave layer=None, or use backend='torch'" in str(raised.value)
    assert repr(str(deep)) in str(raised.value)


def test_model_without_a_transformer_has_no_layers(tmp_path):
    from sentence_transformers import SentenceTransformer

    words = modules().BoW(["cat", "dog", "rain"])
    SentenceTransformer(modules=[words], device="cpu").save(str(tmp_path / "words"))
    with pytest.raises(ValueError, match="is not a transformers model and has no hidden") as raised:
        SentenceEncoder(str(tmp_path / "words"), layer=1, device="cpu").load()
    assert repr(str(tmp_path / "words")) in str(raised.value)
    assert "leave layer=None, or use a transformers model" in str(raised.value)


def test_model_without_pooling_has_no_layer_to_pool(deep, tmp_path):
    from sentence_transformers import SentenceTransformer

    alone = SentenceTransformer(modules=[SentenceTransformer(str(deep), device="cpu")[0]])
    alone.save(str(tmp_path / "alone"))
    with pytest.raises(ValueError, match="has no pooling, so that no layer of tokens") as raised:
        SentenceEncoder(str(tmp_path / "alone"), layer=1, device="cpu").load()
    assert repr(str(tmp_path / "alone")) in str(raised.value)


def test_model_that_returns_no_hidden_states_is_named(deep, monkeypatch):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(deep), device="cpu")
    forward = model[0].forward

    def last_alone(features, **parameters):
        out = forward(features, **parameters)
        del out["all_layer_embeddings"]
        return out

    monkeypatch.setattr(model[0], "forward", last_alone)
    with pytest.raises(ValueError, match="Encoder 'a' does not return its hidden layers"):
        use_layers(model, (1,), "a")


def test_missing_layer_of_a_cached_model_is_not_looked_for_on_the_hub(deep, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    hub(tmp_path / "hub", deep, "a" * 40)
    with pytest.raises(ValueError, match=r"^Encoder 'x/tiny' has no layer 5: it has 4 layers"):
        SentenceEncoder("x/tiny", layer=5).load()


def test_cache_keeps_layers_apart(deep, layer_rows, tmp_path):
    def encode(layer):
        encoder = SentenceEncoder(str(deep), layer=layer, cache=str(tmp_path / "rows"))
        return encoder.encode(TEXTS)

    for layer, layers in ((None, [4]), (2, [2]), ([1, 3], [1, 3])):
        for _ in range(2):
            assert_rows_close(encode(layer), layer_rows(TEXTS, layers))
    encode([3, 1])  # the same rows as [1, 3]
    encode((2,))
    assert len(FolderCache(tmp_path / "rows").info()) == 3


def test_pickled_encoder_keeps_its_layer(deep, layer_rows):
    encoder = SentenceEncoder(str(deep), layer=[1, 2])
    encoder.load()
    for again in (pickle.loads(pickle.dumps(encoder)), clone(encoder)):
        assert again == encoder != SentenceEncoder(str(deep), layer=[1, 3])
        assert messages(again.load) == []
        assert_rows_close(again.encode(TEXTS), layer_rows(TEXTS, [1, 2]))


def test_saved_encoder_whose_layer_is_gone_says_so(tmp_path, deep, monkeypatch):
    folder = shutil.copytree(deep, tmp_path / "model")
    before = folder_identity(str(folder))
    encoder = SentenceEncoder(str(folder), layer=3, cache=None)
    fitted = aligner(encoder).fit(list(zip(KOREAN[:40], KOREAN[:40], strict=True)))
    rows, data = fitted.transform(KOREAN[:3]), pickle.dumps((encoder, fitted))
    bert(folder, num_hidden_layers=2)
    monkeypatch.setattr(registry, "_models", {})
    again = pickle.loads(data)
    for use in (again[0].load, lambda: again[1].transform(KOREAN[:3])):
        for _ in range(2):  # what was saved is remembered
            with pytest.raises(ValueError, match=r"has no layer 3: it has 2 layers") as raised:
                use()
            assert f"It was {before} when it was saved, which had the layer" in str(raised.value)
            assert "put the former model back, or fit again" in str(raised.value)
            assert repr(str(folder)) in str(raised.value)
    shutil.rmtree(folder)
    shutil.copytree(deep, folder)
    assert messages(lambda: assert_rows_close(again[1].transform(KOREAN[:3]), rows)) == []
