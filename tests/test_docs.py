"""Every public name is documented: a numpydoc docstring with an example, and a line in the API page."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from numpydoc.docscrape import NumpyDocString

from langalign_sk import _SUBMODULES

PUBLIC = sorted({(m, n) for m in _SUBMODULES for n in import_module(f"langalign_sk.{m}").__all__})
PUBLIC.append(("aligner", "CrossLingualAligner"))


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_docstring_has_an_example(module, name):
    doc = NumpyDocString(getattr(import_module(f"langalign_sk.{module}"), name).__doc__)
    assert doc["Summary"]
    assert any(line.lstrip().startswith(">>> ") for line in doc["Examples"])


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_api_page_lists_the_name(module, name):
    page = Path(__file__).parents[1] / "docs" / "api.rst"
    assert name in page.read_text(encoding="utf-8").split()


def test_readme_commands_and_tables_are_there():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    commands = [x for x in readme.splitlines() if x.startswith("python -m venv .venv ")]
    assert len(commands) == 2
    for name, word in (
        ("quickstart", "USE"),
        ("accuracy", "USE"),
        ("adapters", "contrastive"),
        ("search", "CSLS"),
    ):
        block = readme.split(f"<!-- {name} -->")[1].split(f"<!-- end {name} -->")[0]
        assert word in block
