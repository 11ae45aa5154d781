"""A search for input that breaks a promise; ``make fuzz`` looks for longer."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis", reason="needs pip install hypothesis")
pytest.importorskip("fastapi", reason="needs fastapi")
pytest.importorskip("httpx", reason="needs httpx")

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import strategies
from tests.fuzz.targets import SUFFIXES, TARGETS, kept, readers

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(st.data())
def test_readers(suffix, data):
    case = data.draw(strategies.files(suffix))
    with kept("readers", case, suffix):
        readers(case, suffix)


@pytest.mark.parametrize("target", ["folders", "indexes", "cache"])
@given(st.data())
def test_folders(target, data):
    case = data.draw(strategies.edits(target))
    with kept(target, case):
        TARGETS[target](case)


@given(strategies.bodies())
def test_service(case):
    with kept("service", case):
        TARGETS["service"](case)


@given(strategies.rows_of_text())
def test_routing(case):
    with kept("routing", case):
        TARGETS["routing"](case)
