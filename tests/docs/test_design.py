"""The design page and its picture name the rooms that the import contract orders."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rooms():
    """Names of the layers, top first; `_version` is a constant, not a room."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c.get("containers") == ["langalign_sk"])
    names = [name.strip() for layer in layers for name in re.split(r"[|:]", layer)]
    return [name for name in names if name != "_version"]


def test_the_table_lists_every_room_once(rooms):
    page = (ROOT / "docs" / "design.rst").read_text(encoding="utf-8")
    table = page.split("The import contract\n")[1].split("One fit, from room to room\n")[0]
    assert sorted(re.findall(r"^`(\w+)` ", table, re.M)) == sorted(rooms)


def test_the_picture_shows_every_room_once(rooms):
    picture = (ROOT / "docs" / "_static" / "house.svg").read_text(encoding="utf-8")
    assert sorted(re.findall(r'class="name">(\w+)<', picture)) == sorted(rooms)
