"""Tests of the key of an endpoint."""

import pickle
import sys

import pytest

from langalign_sk.encoders import EndpointEncoder
from tests.encoders.endpoint.server import KEY, busy, make, vector

pytest.importorskip("openai", reason="needs pip install langalign-sk[openai]")


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "MY_KEY"])
def test_key_comes_from_the_environment(server, monkeypatch, name):
    monkeypatch.setenv(name, KEY)
    encoder = make(server, api_key_env=name)
    encoder.encode(["a"])
    assert {headers["Authorization"] for _, headers, _ in server.seen} == {f"Bearer {KEY}"}


def test_new_key_is_used_at_once(server, monkeypatch):
    encoder = make(server)
    for key in ("first", "second"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        encoder.encode([f"text for {key}"])
        assert server.seen[-1][1]["Authorization"] == f"Bearer {key}"


def test_key_is_in_no_copy_and_no_message(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    encoder = make(server, max_retries=0)
    encoder.encode(["a"])
    assert KEY not in repr(encoder)
    assert KEY not in str(encoder.get_params())
    assert KEY not in str(vars(encoder))
    assert KEY.encode() not in pickle.dumps(encoder)
    for status in (401, 400, 500):
        server.always = busy(status)
        with pytest.raises((ValueError, ConnectionError)) as raised:
            encoder.encode(["b"])
        assert KEY not in str(raised.value)


def test_key_with_a_newline_is_not_in_the_message(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
    message = ""
    try:
        make(server, max_retries=0).encode(["a"])
    except Exception as error:
        message = str(error)
    assert KEY not in message


def test_missing_key_is_named_before_any_request(server, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    for name in ("OPENAI_API_KEY", "MY_KEY"):
        with pytest.raises(ValueError, match=f"environment variable {name} is not set"):
            EndpointEncoder("m", api_key_env=name).encode(["a"])
    assert server.seen == []


def test_own_server_needs_no_key(server):
    assert make(server).encode(["a"]).tolist() == [vector("a")]


def test_missing_package_is_named(server, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ImportError, match=r'pip install "langalign-sk\[openai\]"'):
        make(server).encode(["a"])
