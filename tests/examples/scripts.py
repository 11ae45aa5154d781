"""Scripts of the folder of examples, as modules."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

_FOLDER = Path(__file__).parents[2] / "examples"


def example_script(name: str) -> ModuleType:
    """Module of an example; the test is skipped where the examples are not there."""
    path = _FOLDER / f"{name}.py"
    if not path.is_file():
        pytest.skip("the examples are not there")
    spec = importlib.util.spec_from_file_location(f"{name}_example", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
