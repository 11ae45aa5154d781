"""Tests of the imports of optional packages."""

import sys

import pytest

from langalign_sk._utils.optional import import_extra


def test_module_that_is_there():
    assert import_extra("json.decoder", "reading", "json") is sys.modules["json.decoder"]


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.part", "json.no_such_part"])
def test_missing_module_is_reported_with_its_extra(module):
    with pytest.raises(ImportError) as raised:
        import_extra(module, "Reading needs json", "json")
    assert str(raised.value) == 'Reading needs json: pip install "langalign-sk[json]".'
    assert isinstance(raised.value.__cause__, ImportError)


def test_hidden_module(monkeypatch):
    monkeypatch.setitem(sys.modules, "json", None)
    with pytest.raises(ImportError, match="pip install"):
        import_extra("json", "Reading needs json", "json")
