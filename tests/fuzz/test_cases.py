"""Every failure that was ever found, by an attack or by the search."""

from __future__ import annotations

import warnings

import pytest

pytest.importorskip("fastapi", reason="needs fastapi")
pytest.importorskip("httpx", reason="needs httpx")

from tests.fuzz.targets import CASES, TARGETS, readers


def cases():
    for target in TARGETS:
        for path in sorted((CASES / target).iterdir()):
            if not path.name.startswith("found"):
                yield pytest.param(target, path, id=f"{target}-{path.name}")


@pytest.mark.parametrize(("target", "path"), list(cases()))
def test_case(target, path):
    data = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if target == "readers":
            readers(data, "." + path.name.partition(".")[2])
        else:
            TARGETS[target](data)
