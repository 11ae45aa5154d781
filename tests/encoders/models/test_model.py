"""Tests of the identity of a folder."""

import hashlib
import json
import os
from functools import partial

import numpy as np
import pytest
from huggingface_hub import constants

from langalign_sk.encoders.models import file_hashes
from langalign_sk.encoders.models.file_hashes import hash_of_file, kept_hashes
from langalign_sk.encoders.models.model import Model, folder_identity, is_sampled, sampled_identity
from tests.encoders.toy import hub


def test_identity_is_of_the_files_and_the_name(tiny, copied, tmp_path):
    identity = folder_identity(str(tiny))
    name, digest = identity.split("@")
    assert name == "model"
    assert digest.startswith("sha256-")
    assert len(digest) == 7 + 32
    assert folder_identity(str(copied)) == identity
    assert folder_identity(f"{copied}{os.sep}") == identity
    renamed = copied.rename(tmp_path / "renamed")
    assert folder_identity(str(renamed)) == f"renamed@{digest}"


@pytest.mark.parametrize("place", [0, -1, None])
def test_identity_changes_with_every_byte_of_a_small_file(copied, place):
    before = folder_identity(str(copied))
    weights = bytearray((copied / "model.safetensors").read_bytes())
    weights[len(weights) // 2 if place is None else place] ^= 1
    (copied / "model.safetensors").write_bytes(weights)
    assert folder_identity(str(copied)) != before


def test_identity_tells_large_weights_of_another_training_apart(copied):
    weights = np.random.default_rng(0).normal(size=3_000_000).astype(np.float32)
    identities = set()
    for change in (0, 1e-6):
        (weights + change).astype(np.float32).tofile(copied / "large.bin")
        identities.add(folder_identity(str(copied)))
    assert len(identities) == 2


def write_json(path, content):
    path.write_text(json.dumps(content))


def test_identity_covers_the_base_model_of_an_adapter(copied, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    write_json(adapter / "adapter_config.json", {"base_model_name_or_path": str(copied)})
    before = folder_identity(str(adapter))
    assert before.startswith("adapter@sha256-")
    (copied / "model.safetensors").write_bytes(b"other weights")
    after = folder_identity(str(adapter))
    assert after != before
    # One adapter names another, which names the first.
    write_json(copied / "adapter_config.json", {"base_model_name_or_path": str(adapter)})
    assert folder_identity(str(adapter)) not in {before, after}


def test_identity_covers_the_commit_of_the_base_model_of_an_adapter(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "adapter").mkdir()
    content = {"base_model_name_or_path": "x/tiny"}
    write_json(tmp_path / "adapter" / "adapter_config.json", content)
    identities = [folder_identity(str(tmp_path / "adapter"))]
    for commit in ("a" * 40, "b" * 40):
        hub(tmp_path / "hub", tiny, commit)
        identities.append(folder_identity(str(tmp_path / "adapter")))
    assert len({*identities}) == 3


def test_identity_covers_modules_outside_of_the_folder(copied, tmp_path):
    folder = tmp_path / "outer"
    folder.mkdir()
    paths = [{"path": os.path.relpath(copied, folder)}, {"path": "1_Pooling"}, {"idx": 2}]
    write_json(folder / "modules.json", paths)
    before = folder_identity(str(folder))
    (copied / "model.safetensors").write_bytes(b"other weights")
    assert folder_identity(str(folder)) != before


@pytest.mark.parametrize("content", ["[", "3", "[3]", '{"base_model_name_or_path": 3}'])
def test_files_that_name_nothing(content, tmp_path):
    for name in ("adapter_config.json", "modules.json"):
        (tmp_path / name).write_text(content)
    assert "@sha256-" in folder_identity(str(tmp_path))


LONG_AGO = 1_600_000_000


def large_file(path, size=5_000_000):
    path.write_bytes(np.random.default_rng(0).bytes(size))
    return path


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    """An empty cache folder of the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    return kept_hashes()


@pytest.fixture
def keeps_all(cache_folder, monkeypatch):
    """Hashes of files that have just been written are kept too."""
    monkeypatch.setattr(file_hashes, "_RECENT", -1e9)


def test_identity_changes_with_every_byte_of_a_large_file(copied, cache_folder):
    path = large_file(copied / "large.bin")
    before = folder_identity(str(copied)), sampled_identity(str(copied))
    for place in (550_000, 2_200_000, 4_200_001):  # none of them is sampled
        with path.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ 1]))
        after = folder_identity(str(copied)), sampled_identity(str(copied))
        assert after[0] != before[0]
        assert after[1] == before[1]
        before = after


def test_identity_has_the_files_of_linked_folders(copied, tmp_path):
    weights = tmp_path / "elsewhere"
    weights.mkdir()
    large_file(weights / "large.bin", 100)
    (copied / "linked").symlink_to(weights)
    (copied / "round").symlink_to(copied)
    before = folder_identity(str(copied))
    large_file(weights / "large.bin", 101)
    assert folder_identity(str(copied)) != before


@pytest.mark.usefixtures("keeps_all")
def test_the_hash_of_a_file_is_computed_once(tmp_path, cache_folder, monkeypatch):
    path = large_file(tmp_path / "large.bin")
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert hash_of_file(path) == expected
    assert len(list(cache_folder.iterdir())) == 1
    with monkeypatch.context() as patch:
        patch.setattr(file_hashes, "_computed", lambda path: pytest.fail("hashed again"))
        assert hash_of_file(path) == expected
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert hash_of_file(path) == expected
    # Another content of the same size, whose time was set back.
    before = path.stat().st_ctime_ns
    path.write_bytes(path.read_bytes()[::-1])
    while path.stat().st_ctime_ns == before:  # clocks of file systems go in steps
        os.utime(path, (LONG_AGO, LONG_AGO))
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert hash_of_file(path) == hashlib.sha256(path.read_bytes()).hexdigest() != expected


@pytest.mark.usefixtures("keeps_all")
def test_what_a_killed_process_left_beside_the_hashes_is_removed(tmp_path, cache_folder):
    cache_folder.mkdir(parents=True)
    (cache_folder / f"{'a' * 32}.json-{'b' * 8}.part").write_text("[")
    (cache_folder / "mine.part").write_text("kept")
    hash_of_file(large_file(tmp_path / "large.bin"))
    names = sorted(path.name for path in cache_folder.iterdir())
    assert len(names) == 2
    assert names[1] == "mine.part"


@pytest.mark.usefixtures("keeps_all")
@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"\xff", b"{}", b"[" * 3000])
def test_a_damaged_hash_is_computed_again(tmp_path, cache_folder, content):
    path = large_file(tmp_path / "large.bin")
    expected = hash_of_file(path)
    (entry,) = cache_folder.iterdir()
    entry.write_bytes(content)
    assert hash_of_file(path) == expected
    assert hash_of_file(path) == expected


def test_the_hash_of_a_file_that_has_just_changed_is_not_kept(tmp_path, cache_folder):
    hash_of_file(large_file(tmp_path / "large.bin"))
    assert not cache_folder.exists()


@pytest.mark.usefixtures("keeps_all")
def test_a_cache_folder_that_cannot_be_made(tmp_path, cache_folder):
    path = large_file(tmp_path / "large.bin")
    (tmp_path / "cache").write_text("a file")
    assert hash_of_file(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_model_is_known_by_the_identity_of_earlier_releases(tiny):
    identity, former = folder_identity(str(tiny)), sampled_identity(str(tiny))
    assert is_sampled(former)
    assert not is_sampled(identity)
    model = Model(
        lambda *_: None, 3, identity, former_identity=partial(sampled_identity, str(tiny))
    )
    assert model.is_known_as(identity)
    assert model.is_known_as(former)
    assert not model.is_known_as(former[:-1] + ("0" if former[-1] != "0" else "1"))
    assert not model.is_known_as("owner/repo@" + "0" * 40)
    assert not Model(lambda *_: None, 3, "owner/repo@" + "0" * 40).is_known_as(former)
