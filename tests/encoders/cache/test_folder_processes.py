"""Tests of FolderCache in several processes, and after a kill."""

import inspect
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from langalign_sk.encoders import FolderCache
from langalign_sk.encoders.cache import lookup as cache_module
from tests.encoders.cache.toy import encoded, key_of, silence, sql, vectors

_ENCODERS = os.path.dirname(os.path.dirname(cache_module.__file__))
# The modules alone are read: the package takes seconds to import.
_BEGIN = f"""
import hashlib, importlib, sys, time, types, warnings
import numpy as np
folders = {{"langalign_sk": {os.path.dirname(_ENCODERS)!r}, "langalign_sk.encoders": {_ENCODERS!r}}}
for name, folder in folders.items():
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
module = importlib.import_module("langalign_sk.encoders.cache.folder")
import filelock
warnings.simplefilter("error")
{inspect.getsource(vectors)}
cache = module.FolderCache(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
"""


_COUNTING = """
def encode(texts):
    time.sleep(0.05)
    with open(sys.argv[2], "a") as file:
        file.write("".join(text + "\\n" for text in texts))
    return vectors(texts)

texts = [f"text {i}" for i in range(300)]
rows = cache.rows("toy@1", texts, 8, encode, 30)
assert (rows == vectors(texts)).all()
"""


_KILLED = """
def encode(texts):
    print("block", flush=True)
    return vectors(texts)

start = int(sys.argv[2])
texts = [f"text {i}" for i in range(start, start + 6000)]
cache.rows("toy@1", texts, 8, encode, 16)
sys.stdin.readline()
"""


def start(script, *args):
    """A process that is about to begin."""
    process = subprocess.Popen(
        [sys.executable, "-c", _BEGIN + script, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_processes_encode_a_text_once(tmp_path):
    cache = FolderCache(tmp_path / "rows")
    cache.info()
    processes = [start(_COUNTING, cache.folder, tmp_path / "encoded") for _ in range(2)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=600)
        assert process.returncode == 0
    texts = [f"text {i}" for i in range(300)]
    assert sorted((tmp_path / "encoded").read_text().splitlines()) == sorted(texts)
    assert encoded(cache, texts) == []


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_process_leaves_right_rows(tmp_path):
    cache = FolderCache(tmp_path / "rows")
    texts = [f"text {i}" for i in range(20 * 500 + 6000)]
    right = {
        key_of("toy@1", text): row.tobytes()
        for text, row in zip(texts, vectors(texts), strict=True)
    }
    n_blocks = np.random.default_rng(0).integers(0, 60, size=20)
    counts = [0]
    for i in range(20):
        process = start(_KILLED, cache.folder, 500 * i)
        process.stdin.write("go\n")
        process.stdin.flush()
        for _ in range(n_blocks[i]):
            assert process.stdout.readline() == "block\n"
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        # Of a copy, since reading would mend what the next process has to.
        seen = FolderCache(shutil.copytree(cache.folder, tmp_path / f"seen {i}"))
        if sql(seen, "SELECT name FROM sqlite_master WHERE name='rows'"):
            rows = dict(sql(seen, "SELECT key, row FROM rows"))
            assert rows.items() <= right.items()
            counts.append(len(rows))
        shutil.rmtree(seen.folder)
    assert counts == sorted(counts)
    assert len(set(counts)) > 10  # most were killed at work
    with silence():
        assert len(encoded(cache, texts)) == len(texts) - counts[-1]
        assert encoded(cache, texts) == []
    assert sql(cache, "PRAGMA integrity_check") == [("ok",)]
