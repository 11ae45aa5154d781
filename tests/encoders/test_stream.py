"""Tests of encoding any number of texts: chunk by chunk, and into a file."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from langalign_sk.encoders import MemoryCache
from tests.encoders.stream_toy import Toy, expected, numbered


@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 8, 11])
def test_chunks_are_the_rows_of_encode(n):
    chunks = list(Toy().encode_iter(numbered(n), chunk_size=4))
    assert [len(rows) for rows in chunks] == [4] * (n // 4) + [n % 4] * (n % 4 > 0)
    assert all(rows.dtype == np.float32 and rows.shape[1] == 3 for rows in chunks)
    if n:
        np.testing.assert_array_equal(np.concatenate(chunks), Toy().encode(list(numbered(n))))
        np.testing.assert_array_equal(np.concatenate(chunks), expected(n))


def test_chunks_are_read_as_they_are_needed():
    read = []
    toy = Toy()
    chunks = toy.encode_iter((read.append(t) or t for t in numbered(10**9)), chunk_size=4)
    assert read == []
    for n in (4, 8, 12):
        next(chunks)
        assert read == toy.encoded == list(numbered(n))


def test_texts_that_come_again_are_in_place():
    texts = [f"text {i}" for i in (5, 3, 5, 5, 3, 7, 5)]
    rows = np.concatenate(list(Toy(cache=MemoryCache()).encode_iter(texts, chunk_size=3)))
    assert rows[:, 0].tolist() == [5, 3, 5, 5, 3, 7, 5]


@pytest.mark.parametrize("chunk_size", [0, -1])
def test_chunk_size_out_of_range(path, chunk_size):
    message = f"chunk_size must be at least 1, got {chunk_size}"
    with pytest.raises(ValueError, match=message):
        list(Toy().encode_iter(numbered(3), chunk_size=chunk_size))
    with pytest.raises(ValueError, match=message):
        Toy().encode_to_file(numbered(3), path, chunk_size=chunk_size)
    assert not any(path.parent.iterdir())


@pytest.mark.parametrize("cache", [None, "memory"])
@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 48, 100])
def test_file_equals_encode(path, n, cache):
    rows = Toy(cache=cache).encode_to_file(numbered(n), path, chunk_size=16)
    assert (rows.shape, rows.dtype) == ((n, 3), np.float32)
    np.testing.assert_array_equal(rows, Toy().encode(list(numbered(n))))
    np.testing.assert_array_equal(rows, expected(n).reshape(n, 3))
    assert list(path.parent.iterdir()) == [path]


def test_default_chunks(path):
    toy = Toy()
    np.testing.assert_array_equal(toy.encode_to_file(numbered(5000), path), expected(5000))
    assert [len(texts) for texts in toy.calls] == [2048, 2048, 904]


@pytest.mark.parametrize("n", [0, 1, 50])
def test_file_is_plain_npy(path, n):
    Toy(width=70).encode_to_file(numbered(n), path, chunk_size=16)
    rows = np.load(path)
    assert type(rows) is np.ndarray
    assert rows.dtype.str == "<f4"
    assert rows.shape == (n, 70)
    assert rows.flags.c_contiguous
    assert path.stat().st_size == 128 + n * 70 * 4
    with path.open("rb") as file:
        assert np.lib.format.read_magic(file) == (1, 0)
        assert np.lib.format.read_array_header_1_0(file) == ((n, 70), False, np.dtype("<f4"))


def test_rows_are_mapped_for_reading(path):
    rows = Toy().encode_to_file(numbered(10), path)
    assert isinstance(rows, np.memmap)
    assert not rows.flags.writeable
    np.testing.assert_array_equal(np.load(path, mmap_mode="r")[3:5], expected(10)[3:5])


@pytest.mark.parametrize("kind", [str, Path, lambda path: path.name])
def test_kinds_of_path(path, monkeypatch, kind):
    monkeypatch.chdir(path.parent)
    Toy().encode_to_file(list(numbered(3)), kind(path))
    np.testing.assert_array_equal(np.load(path), expected(3))


def test_texts_are_read_lazily(path):
    toy, read, pending = Toy(), 0, []

    def texts():
        nonlocal read
        for text in numbered(50):
            read += 1
            pending.append(read - len(toy.encoded))
            yield text

    toy.encode_to_file(texts(), path, chunk_size=8)
    assert read == 50
    assert max(pending) == 8


@pytest.mark.slow
def test_memory_does_not_grow_with_the_texts(path):
    n, width = 200_000, 64  # 51 MB of rows
    toy = Toy(width=width)
    toy.before = lambda texts: toy.calls.clear()
    tracemalloc.start()
    try:
        rows = toy.encode_to_file(numbered(n), path)
        to_file = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        count = sum(len(chunk) for chunk in toy.encode_iter(numbered(50_000)))
        by_chunks = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size == 128 + n * width * 4
    assert count == 50_000
    assert to_file < 8e6
    assert by_chunks < 8e6
    numbers = np.arange(n)
    np.testing.assert_array_equal(rows[:, 0], numbers)
    np.testing.assert_array_equal(rows[:, 1], numbers**2 % 1009)


def test_file_that_is_there(path):
    path.write_text("precious")
    toy = Toy()
    with pytest.raises(ValueError, match=r"rows.npy' is there already. Delete it"):
        toy.encode_to_file(numbered(3), path)
    assert path.read_text() == "precious"
    assert toy.calls == []
    assert list(path.parent.iterdir()) == [path]


def test_finished_file_is_not_encoded_again(path):
    Toy().encode_to_file(numbered(3), path)
    with pytest.raises(ValueError, match="is there already"):
        Toy().encode_to_file(numbered(3), path)
    np.testing.assert_array_equal(np.load(path), expected(3))


def test_missing_folder(tmp_path):
    toy = Toy()
    with pytest.raises(ValueError, match=r"There is no folder '.*none'. Make it first"):
        toy.encode_to_file(numbered(3), tmp_path / "none" / "rows.npy")
    assert toy.calls == []
    assert not any(tmp_path.iterdir())


NOT_A_TEXT = pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (b"text 5", TypeError, "is bytes; decode it first"),
        (float("nan"), ValueError, r"is missing \(nan\)"),
        (None, ValueError, r"is missing \(None\)"),
        (5, TypeError, "is int, not text: 5"),
        (["text 5"], TypeError, r"is list, not text: \['text 5'\]"),
    ],
)


@NOT_A_TEXT
def test_row_that_is_not_a_text(path, text, error, message):
    texts = [*numbered(5), text, *numbered(20, 6)]
    with pytest.raises(error, match=f"^texts, row 5 {message}"):
        Toy().encode_to_file(iter(texts), path, chunk_size=2)
    assert not path.exists()
    never = Toy()
    with pytest.raises(error, match=f"^texts, row 5 {message}"):
        never.encode_to_file(texts, path.with_name("another.npy"), chunk_size=2)
    assert not never.encoded  # a list is checked before
    toy = Toy()
    rows = toy.encode_to_file(numbered(20), path, chunk_size=2)
    assert toy.encoded == list(numbered(20, 4))
    np.testing.assert_array_equal(rows, expected(20))


@NOT_A_TEXT
def test_row_of_a_chunk_that_is_not_a_text(text, error, message):
    with pytest.raises(error, match=f"^texts, row 1 {message}"):
        list(Toy(cache=MemoryCache()).encode_iter(["text 1", text]))


def test_no_bar(path, capfd):
    Toy().encode_to_file(numbered(20), path, chunk_size=4, n_texts=20)
    list(Toy().encode_iter(numbered(20), chunk_size=4))
    assert capfd.readouterr() == ("", "")


def test_bar_counts_texts_when_verbose(path, capfd):
    Toy(verbose=True).encode_to_file(numbered(20), path, chunk_size=4, n_texts=20)
    out, err = capfd.readouterr()
    assert out == ""
    last = err.replace("\r", "\n").strip().splitlines()[-1]
    assert last.startswith("toy: 100%")
    assert "20/20" in last
    assert "4/4" not in err  # no bar for every chunk


def test_bar_without_a_number_of_texts(path, capfd):
    Toy(verbose=True).encode_to_file(numbered(20), path, chunk_size=4)
    last = capfd.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
    assert last.startswith("toy: 20text")


def test_bar_counts_what_was_done_before(begun, capfd):
    toy = Toy(verbose=True)
    toy.encode_to_file(numbered(20), begun, chunk_size=4, n_texts=20)
    assert "20/20" in capfd.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
    assert toy.verbose
