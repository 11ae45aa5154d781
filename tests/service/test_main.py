"""Command line of the service."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from langalign_sk.service.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "token", "words"),
    [
        (["nowhere"], None, "nowhere"),
        (["nowhere", "--port", "70000"], None, "port must be an int in 0..65535, got 70000"),
        (["."], "short", "token has 5 characters and needs"),
        ([".", "--port", "http"], None, "invalid int value"),
    ],
)
def test_a_mistake_is_said_without_a_traceback(
    tmp_path, monkeypatch, capsys, arguments, token, words
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["service", *arguments])
    monkeypatch.delenv("LANGALIGN_SERVICE_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("LANGALIGN_SERVICE_TOKEN", token)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
