"""The README holds the commands and tables that other files read."""

from __future__ import annotations

from pathlib import Path


def test_readme_commands_and_tables_are_there():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    commands = [x for x in readme.splitlines() if x.startswith("python -m venv .venv ")]
    assert len(commands) == 2
    for name, word in (
        ("quickstart", "CrossLingualClassifier"),
        ("gap", "CrossLingualClassifier"),
        ("accuracy", "USE"),
        ("adapters", "contrastive"),
        ("search", "CSLS"),
    ):
        block = readme.split(f"<!-- {name} -->")[1].split(f"<!-- end {name} -->")[0]
        assert word in block
