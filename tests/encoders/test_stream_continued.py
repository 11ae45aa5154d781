"""Tests of files whose run was stopped, and of runs that continue it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from langalign_sk import SentenceEncoder
from langalign_sk.encoders import MemoryCache
from langalign_sk.encoders.models import registry
from langalign_sk.encoders.models.model import Model
from tests.encoders.stream_toy import (
    CHUNK_KILLED,
    N_KILLED,
    Toy,
    beside,
    expected,
    failing,
    numbered,
)


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
    model = Model(lambda texts, *_: np.full((len(texts), 2), 3.0), 2, "threes@1")
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
from tests.encoders.stream_toy import CHUNK_KILLED, N_KILLED, Toy, beside, numbered

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


@pytest.mark.slow
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


def test_progress_is_readable(begun):
    note = json.loads(beside(begun)[1].read_text())
    assert note["n"] == 12
    assert note["encoder"].strip() == "toy@1"
