"""Tests of the identity of a folder."""

import os

import numpy as np
import pytest

from langalign_sk.encoders.models.model import folder_identity


def test_identity_is_of_the_files_and_the_name(tiny, copied, tmp_path):
    identity = folder_identity(str(tiny))
    name, digest = identity.split("@")
    assert name == "model"
    assert len(digest) == 16
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
