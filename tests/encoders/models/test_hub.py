"""Tests of models of the Hugging Face hub, without a network."""

import pickle
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError

from langalign_sk import SentenceEncoder
from langalign_sk.encoders.models import registry
from tests.encoders.toy import TEXTS, assert_rows_close, bert, hub, messages, run


@pytest.mark.parametrize("name", ["multilingual-e5-small", "intfloat/multilingual-e5-small"])
def test_preset_loads_its_repository_with_its_prompt(tiny, tmp_path, monkeypatch, no_models, name):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    hub(tmp_path, tiny, "a" * 40, "intfloat/multilingual-e5-small")
    for given, used in ((None, "query: "), ("", ""), ("rain ", "rain ")):
        rows = SentenceEncoder(name, prompt=given).encode(TEXTS)
        expected = SentenceEncoder(str(tiny)).encode([used + text for text in TEXTS])
        assert_rows_close(rows, expected)


@pytest.mark.parametrize("name", ["gte-multilingual", "Alibaba-NLP/gte-multilingual-base"])
def test_preset_that_runs_code_refuses_before_it_looks_for_a_file(name, monkeypatch):
    import huggingface_hub

    def download(*args, **kwargs):
        raise AssertionError("looked for files")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ValueError, match="trust_remote_code=True") as raised:
        SentenceEncoder(name).load()
    assert repr("Alibaba-NLP/gte-multilingual-base") in str(raised.value)
    with pytest.raises(AssertionError, match="looked for files"):
        SentenceEncoder(name, trust_remote_code=True).load()


def test_identity_of_a_hub_model_ends_in_its_commit(tiny, copied, tmp_path, mean_rows, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(registry, "_models", {})
    hub(tmp_path / "hub", tiny, "a" * 40)
    assert Path(snapshot_download("x/tiny", local_files_only=True)).name == "a" * 40
    encoder, pinned = SentenceEncoder("x/tiny"), SentenceEncoder("x/tiny", revision="a" * 40)
    assert_rows_close(encoder.encode(TEXTS), mean_rows(TEXTS))
    assert_rows_close(pinned.encode(TEXTS), mean_rows(TEXTS))
    assert encoder._seen[-2:] == pinned._seen[-2:] == ("x/tiny@" + "a" * 40, 16)

    bert(copied, seed=1)
    hub(tmp_path / "hub", copied, "b" * 40)
    monkeypatch.setattr(registry, "_models", {})
    (told,) = messages(lambda: pickle.loads(pickle.dumps(encoder)).load())
    assert f"was x/tiny@{'a' * 40} when it was saved, and is x/tiny@{'b' * 40} now" in told
    assert messages(lambda: pickle.loads(pickle.dumps(pinned)).load()) == []


_LOADING = """
from langalign_sk.encoders import SentenceEncoder
try:
    SentenceEncoder("intfloat/multilingual-e5-base").load()
except ValueError as error:
    print(error)
"""


def load_with_an_empty_cache(folder, port):
    """What loading a model prints where a port of this machine is the hub."""
    done = run(
        _LOADING,
        folder,
        HF_ENDPOINT=f"http://127.0.0.1:{port}",
        HF_HUB_OFFLINE="0",
        HF_HOME=str(folder),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# A download, or the loader of transformers, would try again for minutes: `run` has a deadline.
@pytest.mark.slow
def test_hub_that_never_answers_is_given_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        message = load_with_an_empty_cache(tmp_path, server.getsockname()[1])
    assert "Encoder 'intfloat/multilingual-e5-base' is not in the local cache" in message
    assert str(tmp_path) in message
    assert "the hub could not be reached (" in message
    assert "Timeout" in message
    assert "'use-multilingual' needs no download" in message


def assert_explains(name, *parts):
    """Loading fails with an error that says why and what to do."""
    with pytest.raises(ValueError, match="use-multilingual") as raised:
        SentenceEncoder(name).load()
    for part in (repr(name), *parts):
        assert part in str(raised.value)


def test_unknown_name_offline():
    where = repr(constants.HF_HUB_CACHE)
    assert_explains("intfloat/no-such-model", where, "HF_HUB_OFFLINE is set", "no download")


@pytest.mark.parametrize(
    ("name", "close"),
    [("use-multilingal", "use-multilingual"), ("minilm_english", "minilm-english")],
)
def test_misspelt_name_gets_a_suggestion(name, close):
    assert_explains(name, f"Did you mean {close!r}?")


def test_far_name_gets_no_suggestion():
    with pytest.raises(ValueError, match="HF_HUB_OFFLINE") as raised:
        SentenceEncoder("facebook/dpr-reader").load()
    assert "Did you mean" not in str(raised.value)


@pytest.mark.parametrize("name", ["", "a/b/c", "no such model", "/no/such/folder"])
def test_name_that_the_hub_does_not_allow(name):
    assert_explains(name, "is neither a folder nor a name that the hub allows")


@pytest.mark.slow
def test_no_network_fails(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # of nothing, once the server is closed
    message = load_with_an_empty_cache(tmp_path, port)
    assert str(tmp_path) in message
    assert "the hub could not be reached (Connect" in message
    assert "'use-multilingual' needs no download" in message


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (TimeoutError(), "and the hub could not be reached (TimeoutError)"),
        (
            RepositoryNotFoundError.__new__(RepositoryNotFoundError),
            "and the hub knows no such model",
        ),
    ],
)
def test_answer_of_the_hub_is_reported(monkeypatch, error, why):
    def model_info(self, name, *, revision, timeout):
        assert (name, revision) == ("owner/model", "v1")
        assert timeout <= 3
        raise error

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", model_info)
    with pytest.raises(ValueError, match="use-multilingual") as raised:
        SentenceEncoder("owner/model", revision="v1").load()
    assert why in str(raised.value)
    assert repr(constants.HF_HUB_CACHE) in str(raised.value)


@pytest.fixture
def asked():
    """Port of a hub that has nothing, and the paths that it was asked for."""
    paths = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_GET

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server.server_address[1], paths
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_cached_hub_model_loads_without_asking_the_hub(tmp_path, tiny, asked):
    hub(tmp_path / "hub", tiny, "a" * 40)
    port, paths = asked
    script = "from langalign_sk import SentenceEncoder\n"
    script += "print(SentenceEncoder('x/tiny').encode(['a']).shape)"
    endpoint = f"http://127.0.0.1:{port}"
    done = run(script, tmp_path, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="0", HF_ENDPOINT=endpoint)
    assert done.stdout == "(1, 16)\n", done.stderr
    # The client of the hub may ask for matters of its own.
    assert [path for path in paths if "tiny" in path] == []


def test_incomplete_cache_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    source = tmp_path / "half"
    source.mkdir()
    (source / "config.json").write_text('{"model_type": "bert"}')
    hub(tmp_path, source, "a" * 40, "x/half")
    with pytest.raises(ValueError, match="Encoder 'x/half' is not complete in the local cache"):
        SentenceEncoder("x/half").load()
