"""Tests of encoding any number of texts: chunk by chunk, and into a file."""

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from langalign_sk import SentenceEncoder
from langalign_sk.encoders import MemoryCache
from langalign_sk.encoders.base import TextEncoder
from langalign_sk.encoders.models import registry

N_KILLED, CHUNK_KILLED = 1000, 8


class Toy(TextEncoder):
    """Row of "text 17": 17, 17 * 17 % 1009 and the length, times `scale`.

    ``calls`` holds the texts of every call; ``before`` is called with them first.
    """

    def __init__(self, name="toy", *, scale=1, width=3, cache=None, verbose=False):
        self.name = name
        self.scale = scale
        self.width = width
        self.cache = cache
        self.verbose = verbose
        self.calls, self.before = [], lambda texts: None

    def _load(self):
        return registry.Model(self._rows_of, self.width, f"{self.name}@1")

    def _settings(self):
        return "" if self.scale == 1 else f"scale={self.scale}"

    def _encode(self, model, texts):
        self.before(texts)
        self.calls.append(texts)
        return model.encode(texts, None, 1)

    def _rows_of(self, texts, prompt, batch_size):
        number = np.array([int(text.split()[1]) for text in texts])
        rows = np.zeros((len(texts), self.width))
        rows[:, :3] = np.stack([number, number**2 % 1009, [len(text) for text in texts]], axis=1)
        return rows * self.scale

    @property
    def encoded(self):
        return [text for texts in self.calls for text in texts]


def numbered(stop, start=0):
    return (f"text {i}" for i in range(start, stop))


def expected(n):
    return np.array([[i, i * i % 1009, len(f"text {i}")] for i in range(n)], np.float32)


def failing(texts, at, error):
    """The texts, with an error in place of one."""
    for i, text in enumerate(texts):
        if i == at:
            raise error
        yield text


def beside(path):
    """The files of a run that is not finished: rows and progress."""
    return path.with_name("rows.npy.part"), path.with_name("rows.npy.progress.json")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.npy"


@pytest.fixture
def begun(path):
    """Path of a run that stopped after 12 of its texts."""
    with pytest.raises(OSError, match="disk"):
        Toy().encode_to_file(failing(numbered(100), 14, OSError("disk")), path, chunk_size=4)
    return path


# Chunks


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


# Files


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


# What is refused


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
        Toy().encode_to_file(texts, path, chunk_size=2)
    assert not path.exists()
    toy = Toy()
    rows = toy.encode_to_file(numbered(20), path, chunk_size=2)
    assert toy.encoded == list(numbered(20, 4))
    np.testing.assert_array_equal(rows, expected(20))


@NOT_A_TEXT
def test_row_of_a_chunk_that_is_not_a_text(text, error, message):
    with pytest.raises(error, match=f"^texts, row 1 {message}"):
        list(Toy(cache=MemoryCache()).encode_iter(["text 1", text]))


# Runs that stopped


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize(("at", "kept"), [(0, 0), (3, 0), (4, 4), (14, 12), (99, 96)])
def test_goes_on_after_an_error_of_the_texts(path, error, at, kept):
    with pytest.raises(type(error)):
        Toy().encode_to_file(failing(numbered(100), at, error), path, chunk_size=4)
    assert not path.exists()
    toy = Toy()
    rows = toy.encode_to_file(numbered(100), path, chunk_size=4)
    assert toy.encoded == list(numbered(100, kept))
    np.testing.assert_array_equal(rows, expected(100))
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()], ids=repr)
def test_goes_on_after_an_error_of_the_encoder(path, error):
    def fail(texts):
        if "text 14" in texts:
            raise error

    toy = Toy()
    toy.before = fail
    with pytest.raises(type(error)):
        toy.encode_to_file(numbered(100), path, chunk_size=4)
    assert toy.encoded == list(numbered(12))
    assert not path.exists()
    toy.before = lambda texts: None
    rows = toy.encode_to_file(numbered(100), path, chunk_size=4)
    assert toy.encoded == list(numbered(100))
    np.testing.assert_array_equal(rows, expected(100))


def test_stops_many_times(path):
    toy = Toy()
    for at in (5, 7, 8, 30, 29, 60):
        with pytest.raises(OSError, match="disk"):
            toy.encode_to_file(failing(numbered(70), at, OSError("disk")), path, chunk_size=4)
    np.testing.assert_array_equal(toy.encode_to_file(numbered(70), path), expected(70))
    assert toy.encoded == list(numbered(70))


@pytest.mark.parametrize("chunk_size", [1, 5, 12, 2048])
def test_goes_on_with_other_chunks(begun, chunk_size):
    toy = Toy(cache=MemoryCache())
    rows = toy.encode_to_file(numbered(100), begun, chunk_size=chunk_size)
    assert toy.encoded == list(numbered(100, 12))
    np.testing.assert_array_equal(rows, expected(100))


def test_all_texts_were_done(begun):
    toy = Toy()
    np.testing.assert_array_equal(toy.encode_to_file(numbered(12), begun), expected(12))
    assert toy.calls == []
    assert list(begun.parent.iterdir()) == [begun]


def test_rows_beyond_the_note_of_progress_are_dropped(begun):
    part, _ = beside(begun)
    with part.open("ab") as file:
        file.write(b"half a row that a killed run wrote")
    rows = Toy().encode_to_file(numbered(20), begun)
    np.testing.assert_array_equal(rows, expected(20))


def test_part_is_not_a_file_yet(begun):
    part, progress = beside(begun)
    assert sorted(begun.parent.iterdir()) == [part, progress]
    assert part.stat().st_size == 128 + 12 * 3 * 4
    with pytest.raises(ValueError, match=r"magic|pickle|load"):
        np.load(part)


def refused(path, encoder, texts, message):
    """The run is refused, encodes nothing and leaves the files as they are."""
    files = {file: file.read_bytes() for file in path.parent.iterdir()}
    with pytest.raises(ValueError, match=message):
        encoder.encode_to_file(texts, path, chunk_size=4)
    assert encoder.calls == []
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == files


@pytest.mark.parametrize(
    "texts",
    [
        list(numbered(101, 1)),
        ["text 1", "text 0", *numbered(100, 2)],
        [*numbered(11), "text 12", *numbered(100, 12)],
        ["", *numbered(100, 1)],
        list(numbered(11)),
        [],
    ],
    ids=["shifted", "swapped", "last", "empty", "fewer", "none"],
)
def test_other_texts(begun, texts):
    refused(begun, Toy(), texts, r"first 12 texts are not those .* was begun with")
    rows = Toy().encode_to_file(numbered(100), begun)  # the right ones go on
    np.testing.assert_array_equal(rows, expected(100))


def test_texts_are_told_apart_by_their_ends(path):
    with pytest.raises(OSError, match="disk"):
        Toy().encode_to_file(
            failing(["text 1", "text 2", ""], 2, OSError("disk")), path, chunk_size=2
        )
    refused(path, Toy(), ["text 1text", " 2"], "first 2 texts are not those")


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (Toy("other"), "with toy@1 .* and this encoder is other@1"),
        (Toy(scale=2), "with toy@1 .* and this encoder is toy@1 scale=2"),
    ],
)
def test_another_encoder(begun, encoder, message):
    refused(begun, encoder, numbered(100), message)


def test_other_settings_of_a_sentence_encoder(path, monkeypatch):
    monkeypatch.setattr(registry, "_models", {})
    model = registry.Model(lambda texts, *_: np.full((len(texts), 2), 3.0), 2, "threes@1")
    monkeypatch.setattr(registry, "load_use", lambda spec: model)
    texts = failing(numbered(10), 5, OSError("disk"))
    with pytest.raises(OSError, match="disk"):
        SentenceEncoder(cache=None).encode_to_file(texts, path, chunk_size=2)
    for params in ({"normalize": True}, {"prompt": "query: "}):
        with pytest.raises(
            ValueError, match=f"belongs to a run with threes@1.*{next(iter(params))}"
        ):
            SentenceEncoder(cache=None, **params).encode_to_file(numbered(10), path)
    rows = SentenceEncoder(cache=None, batch_size=1).encode_to_file(numbered(10), path)
    np.testing.assert_array_equal(rows, np.full((10, 2), 3.0))


def test_part_is_gone(begun):
    part, progress = beside(begun)
    part.unlink()
    refused(
        begun,
        Toy(),
        numbered(100),
        r"rows.npy.part' holds less than .*progress.json' says, or is gone",
    )
    progress.unlink()
    toy = Toy()
    np.testing.assert_array_equal(toy.encode_to_file(numbered(100), begun), expected(100))
    assert toy.encoded == list(numbered(100))


def test_progress_is_gone(begun):
    beside(begun)[1].unlink()
    toy = Toy()
    np.testing.assert_array_equal(toy.encode_to_file(numbered(100), begun), expected(100))
    assert toy.encoded == list(numbered(100))


def test_part_is_too_short(begun):
    part, _ = beside(begun)
    os.truncate(part, 128 + 7 * 3 * 4)
    refused(begun, Toy(), numbered(100), "part")


def test_progress_is_damaged(begun):
    beside(begun)[1].write_text("")
    refused(begun, Toy(), numbered(100), "progress.json")


_KILLING = """
import json, os, random, signal, sys, time
from pathlib import Path
from tests.encoders.test_stream import CHUNK_KILLED, N_KILLED, Toy, beside, numbered

path = Path(sys.argv[1])

def run(name, seconds):
    log = os.open(path.with_name(name), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    def before(texts):
        os.write(log, "".join(f"{text}\\n" for text in texts).encode())
        time.sleep(seconds)
    toy = Toy()
    toy.before = before
    toy.encode_to_file(numbered(N_KILLED), path, chunk_size=CHUNK_KILLED)

def begun(log):
    return log.read_text().count("\\n") if log.exists() else 0

random.seed(0)
for i in range(10):
    child = os.fork()
    if child == 0:
        try:
            run(f"run{i}", 0.002)
        finally:
            os._exit(0)
    least = CHUNK_KILLED * random.randint(0, 6)
    deadline = time.monotonic() + 60
    while begun(path.with_name(f"run{i}")) < least and time.monotonic() < deadline:
        time.sleep(0.0005)
    time.sleep(random.uniform(0, 0.01))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    progress = beside(path)[1]
    kept = json.loads(progress.read_text())["n"] if progress.exists() else 0
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, kept, flush=True)
run("run10", 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_goes_on_after_being_killed(path):
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", _KILLING, str(path)],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    ends = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert [signal for signal, _ in ends] == [9] * 10, done.stderr
    np.testing.assert_array_equal(np.load(path), expected(N_KILLED))
    logs = {f"run{i}": path.with_name(f"run{i}") for i in range(11)}
    assert {file.name for file in path.parent.iterdir()} <= {path.name, *logs}
    kept = [0, *(n for _, n in ends)]
    assert kept == sorted(kept)
    assert kept[-1] > 0
    total = 0
    for start, log in zip(kept, logs.values(), strict=True):
        texts = log.read_text().splitlines() if log.exists() else []
        assert texts == list(numbered(start + len(texts), start))
        total += len(texts)
    # Every killed run loses one chunk at most.
    assert N_KILLED <= total <= N_KILLED + 10 * CHUNK_KILLED


# The bar


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


def test_progress_is_noted_in_words(begun):
    note = json.loads(beside(begun)[1].read_text())
    assert note["n"] == 12
    assert note["encoder"].strip() == "toy@1"
