"""Tests of the keywords of sentence-transformers in `encode`."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk import SentenceEncoder
from langalign_sk.encoders import EndpointEncoder
from langalign_sk.encoders.models import registry
from langalign_sk.encoders.models.model import Model
from tests.encoders.toy import TEXTS

ROWS = np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)


@pytest.fixture
def calls(monkeypatch):
    """Prompts and batch sizes that a model gets."""
    calls = []

    def load(spec):
        def encode(texts, prompt, batch_size):
            calls.append((prompt, batch_size))
            return ROWS[: len(texts)]

        return Model(encode, 2, "fake@1")

    monkeypatch.setattr(registry, "_models", {})
    monkeypatch.setattr(registry, "load_use", load)
    return calls


def encoder(**parameters):
    return SentenceEncoder(cache=None, **parameters)


CALLERS = {
    "KeyBERT": {"show_progress_bar": None},
    "BERTopic": {"show_progress_bar": False},
    "asreview": {"show_progress_bar": False, "normalize_embeddings": False},
    "SetFit": {"batch_size": 16, "convert_to_tensor": False, "show_progress_bar": False},
    "evaluators": {
        "prompt_name": None,
        "prompt": None,
        "batch_size": 16,
        "show_progress_bar": False,
        "convert_to_numpy": True,
        "normalize_embeddings": False,
    },
    "sentence-transformers at its defaults": {
        "prompt_name": None,
        "prompt": None,
        "batch_size": 32,
        "show_progress_bar": None,
        "output_value": "sentence_embedding",
        "precision": "float32",
        "convert_to_numpy": True,
        "convert_to_tensor": False,
        "device": None,
        "normalize_embeddings": False,
        "truncate_dim": None,
        "pool": None,
        "chunk_size": None,
    },
    "MTEB": {
        "task_name": "STS22",
        "prompt_type": None,
        "batch_size": 32,
        "show_progress_bar": True,
    },
}


@pytest.mark.parametrize("keywords", CALLERS.values(), ids=CALLERS)
@pytest.mark.parametrize("method", ["encode", "encode_query", "encode_document"])
def test_calls_of_other_libraries(calls, keywords, method):
    rows = getattr(encoder(), method)(["a", "b"], **keywords)
    assert_array_equal(rows, ROWS, strict=True)


def test_settings_of_one_call(calls):
    kept = encoder(prompt="p ", batch_size=4)
    kept.encode(["a"], batch_size=7, prompt="q ")
    kept.encode(["a"])
    assert calls[-2:] == [("q ", 7), ("p ", 4)]
    assert (kept.prompt, kept.batch_size) == ("p ", 4)


def test_empty_prompt_is_a_prompt(calls):
    encoder(prompt="p ").encode(["a"], prompt="")
    assert calls[-1][0] == ""


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("asked", [None, False, True])
def test_progress_bar_of_one_call(calls, capsys, verbose, asked):
    encoder(verbose=verbose).encode(["a"], show_progress_bar=asked)
    shown = verbose if asked is None else asked
    assert bool(capsys.readouterr().err) == shown


def test_normalized_rows_and_rows_of_zeros(calls):
    rows = encoder().encode(["a", "b"], normalize_embeddings=True)
    assert_allclose(rows, [[0.6, 0.8], [0, 0]], rtol=4 * np.finfo(np.float32).eps)
    assert rows.dtype == np.float32


def test_tensors(calls):
    torch = pytest.importorskip("torch")
    for convert_to_numpy in (True, False):
        tensor = encoder().encode(
            ["a", "b"], convert_to_tensor=True, convert_to_numpy=convert_to_numpy
        )
        assert torch.equal(tensor, torch.from_numpy(ROWS))
    several = encoder().encode(["a", "b"], convert_to_numpy=False)
    assert isinstance(several, list)
    assert torch.equal(torch.stack(several), torch.from_numpy(ROWS))
    assert encoder().encode([], convert_to_tensor=True).shape == (0, 2)


def test_a_tensor_may_be_changed_without_harm_to_the_cache(calls):
    kept = SentenceEncoder()
    kept.encode(["a", "b"], convert_to_tensor=True).zero_()
    assert_array_equal(kept.encode(["a", "b"]), ROWS)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"prompt_name": "query"}, "prompt_name='query': give the text of the prompt in prompt="),
        ({"precision": "int8"}, "precision='int8': leave it out"),
        ({"output_value": "token_embeddings"}, "output_value='token_embeddings'"),
        ({"output_value": None}, "output_value=None"),
        ({"truncate_dim": 64}, r"truncate_dim=64: cut the columns, as rows\[:, :dim\]"),
        ({"pool": {}}, r"pool=\{\}"),
        ({"show_progres_bar": False}, "unexpected keyword argument 'show_progres_bar'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_honoured_is_refused_by_name(calls, keywords, message):
    with pytest.raises(TypeError, match=message):
        encoder().encode(["a"], **keywords)
    assert calls == []


def test_a_keyword_that_an_encoder_does_not_have():
    endpoint = EndpointEncoder("m", base_url="http://127.0.0.1:9/v1", max_retries=0)
    with pytest.raises(TypeError, match=r"device='cuda', which EndpointEncoder does not have"):
        endpoint.encode(["a"], device="cuda")


@pytest.mark.parametrize("value", [0, -1, 2.5])
def test_a_wrong_batch_size_is_refused(calls, value):
    with pytest.raises((ValueError, TypeError), match="batch_size must be a positive int"):
        encoder().encode(["a"], batch_size=value)


def test_an_encoder_with_keywords_remembers_its_model(tiny):
    kept = SentenceEncoder(str(tiny))
    kept.encode(TEXTS, batch_size=2, show_progress_bar=False)
    assert kept._seen is not None
    assert kept._seen[2] == 16
    assert_array_equal(kept.encode(TEXTS, batch_size=2, device="cpu"), kept.encode(TEXTS))
    assert kept.device is None


def test_paraphrase_mining_of_sentence_transformers(tiny):
    util = pytest.importorskip("sentence_transformers.util")
    found = util.paraphrase_mining(SentenceEncoder(str(tiny)), ["a dog", "rain fell", "a dog sat"])
    assert {frozenset(pair[1:]) for pair in found} == {
        frozenset(pair) for pair in ((0, 1), (0, 2), (1, 2))
    }
