"""The two lists of versions say what pyproject.toml says."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def requirements(*extras: str) -> list[Requirement]:
    lines = PROJECT["dependencies"] + [line for extra in extras for line in EXTRAS[extra]]
    return [Requirement(line) for line in lines]


def pinned(file: str) -> dict[str, Version]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(p.name): Version(next(iter(p.specifier)).version) for p in pins}


# No built file of hnswlib is on the index for every platform, and openvino is of one vendor.
@pytest.mark.parametrize("extra", sorted({*EXTRAS} - {"onnx", "openvino"}))
def test_every_requirement_has_a_tested_version(extra):
    pins = pinned("constraints.txt")
    for requirement in requirements(extra):
        version = pins[canonicalize_name(requirement.name)]
        assert version in requirement.specifier, f"{requirement} is tested with {version}"


def test_oldest_versions_are_the_lower_bounds():
    pins = pinned("constraints-oldest.txt")
    for requirement in requirements("test"):
        (bound,) = (s.version for s in requirement.specifier if s.operator == ">=")
        if requirement.name != "torch":  # see the head of the file
            version = pins[canonicalize_name(requirement.name)]
            assert version == Version(bound), f"{requirement} is tested with {version}"
