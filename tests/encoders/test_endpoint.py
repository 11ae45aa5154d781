"""Tests of embeddings over HTTP, against a server on loopback."""

import json
import pickle
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from sklearn.base import clone

from langalign_sk import CrossLingualAligner
from langalign_sk.encoders import EndpointEncoder, FolderCache, MemoryCache, as_encoder
from langalign_sk.encoders import endpoint as endpoint_module
from langalign_sk.encoders.cache import lookup as cache_module
from tests.toy import ENGLISH, KOREAN, ToyEncoder

pytest.importorskip("openai", reason="needs pip install langalign-sk[openai]")

KEY = "sk-not-for-anyone-to-see"


def vector(text, width=4):
    """What the server makes of a text; exact in float32."""
    return [len(text), ord(text[0]), sum(map(ord, text)) % 1000, 0.5, 0.25][:width]


def busy(status=429, message="slow down", **headers):
    """An answer that refuses."""
    return status, headers, json.dumps({"error": {"message": message}})


def answer(*vectors, index=None):
    """An answer with these vectors, whatever was asked."""
    index = range(len(vectors)) if index is None else index
    data = [
        {"object": "embedding", "index": i, "embedding": v}
        for i, v in zip(index, vectors, strict=True)
    ]
    return 200, {}, json.dumps({"object": "list", "data": data, "model": "m", "usage": None})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.seen.append((self.path, self.headers, body))
            reply = server.plan.pop(0) if server.plan else server.always
        if callable(reply):
            reply = reply(body)
        if reply is None:
            reply = answer(*(server.vector(t, body.get("dimensions", 4)) for t in body["input"]))
        status, headers, text = reply
        content = text.encode()
        headers = {"Content-Type": "application/json", "Content-Length": len(content)} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    """Answers `plan` first, one entry a request; None is a good answer."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.seen, self.plan, self.always = [], [], None
        self.vector = vector
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # of a client that waits no more
            super().handle_error(request, client_address)

    @property
    def asked(self):
        """Texts of every request, but for the one that finds the width."""
        inputs = [body["input"] for _, _, body in self.seen]
        return [texts for texts in inputs if texts != ["width"]]

    @property
    def texts(self):
        return [text for texts in self.asked for text in texts]


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch):
    """As if this process had not met any endpoint, and had no key."""
    monkeypatch.setattr(endpoint_module, "_models", {})
    monkeypatch.setattr(cache_module, "shared_memory_cache", MemoryCache())
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", *proxies, *map(str.upper, proxies)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def make(server, name="m", **params):
    return EndpointEncoder(name, base_url=server.url, **{"max_retries": 2, **params})


def loaded(server, **params):
    """An encoder that knows its width, and a server that has forgotten the request for it."""
    encoder = make(server, **params)
    encoder.load()
    server.seen.clear()
    return encoder


# Rows


@pytest.mark.parametrize("cache", [None, "memory"])
def test_rows_are_in_the_order_of_the_texts(server, cache):
    texts = ["hello", "좋은 아침", "hello", "a", "早上好"]
    rows = make(server, cache=cache, batch_size=2).encode(texts)
    assert rows.dtype == np.float32
    assert rows.tolist() == [vector(t) for t in texts]


def test_no_text_and_one(server):
    encoder = make(server)
    assert encoder.encode([]).shape == (0, 4)
    assert encoder.encode("text").tolist() == [vector("text")]
    assert server.asked == [["text"]]


def test_request_is_in_the_manner_of_openai(server):
    loaded(server).encode(["one", "two"])
    [(path, headers, body)] = server.seen
    assert path == "/v1/embeddings"
    assert headers["Content-Type"] == "application/json"
    assert body == {"model": "m", "input": ["one", "two"], "encoding_format": "float"}


@pytest.mark.parametrize("cache", [None, "memory"])
@pytest.mark.parametrize(
    ("n", "sizes"), [(1, [1]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (8, [3, 3, 2])]
)
def test_requests_have_batch_size_texts(server, cache, n, sizes):
    texts = [f"text {i}" for i in range(n)]
    rows = make(server, batch_size=3, cache=cache).encode(texts)
    assert [len(asked) for asked in server.asked] == sizes
    assert server.texts == texts
    assert rows.tolist() == [vector(t) for t in texts]


def test_rows_out_of_order_are_put_in_order(server):
    def shuffled(body):
        order = [2, 0, 3, 1]
        return answer(*(vector(body["input"][i]) for i in order), index=order)

    encoder = loaded(server)
    server.plan = [shuffled]
    texts = ["one", "three", "eleven", "a"]
    assert encoder.encode(texts).tolist() == [vector(t) for t in texts]


def test_dimensions_and_prompt_are_sent(server):
    encoder = make(server, dimensions=2, prompt="query: ")
    assert encoder.encode(["one"]).tolist() == [vector("query: one", 2)]
    assert server.asked == [["query: one"]]
    assert {body["dimensions"] for _, _, body in server.seen} == {2}


def test_width_is_asked_once_for_a_process(server):
    for encoder in (make(server), make(server), clone(make(server, prompt="p"))):
        encoder.load()
        encoder.encode([])
    assert [body["input"] for _, _, body in server.seen] == [["width"]]


def test_one_column_is_transformed(server):
    encoder = make(server)
    assert encoder.fit_transform(["one", "two"]).tolist() == [vector("one"), vector("two")]
    assert encoder.get_feature_names_out()[-1] == "endpointencoder3"


# The cache


def test_every_distinct_text_is_asked_once(server):
    encoder = make(server)
    encoder.encode(["a", "b", "a"])
    encoder.encode(["b", "c"])
    make(server).encode(["c", "a"])
    assert server.asked == [["a", "b"], ["c"]]


def test_no_cache_asks_again(server):
    encoder = make(server, cache=None)
    encoder.encode(["a", "a"])
    encoder.encode(["a"])
    assert server.asked == [["a"], ["a"]]


def test_prompts_and_dimensions_do_not_share_rows(server):
    params = ({}, {"prompt": "p "}, {"dimensions": 2}, {"name": "other"})
    rows = [make(server, **more).encode(["a"])[0].tolist() for more in params]
    assert rows == [vector("a"), vector("p a"), vector("a", 2), vector("a")]
    assert server.asked == [["a"], ["p a"], ["a"], ["a"]]
    assert [body["model"] for _, _, body in server.seen][-1] == "other"


def test_endpoints_do_not_share_rows(server):
    make(server).encode(["a"])
    with Server() as second:
        thread = threading.Thread(target=second.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        second.vector = lambda text, width: [7.0, 7.0]
        assert make(second).encode(["a"]).tolist() == [[7, 7]]
        second.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", ["memory", "folder"])
@pytest.mark.parametrize("failure", [busy(500), busy(400), answer([1, 2, 3, 4])])
def test_answered_requests_are_kept_when_one_fails(server, tmp_path, kind, failure):
    cache = MemoryCache() if kind == "memory" else FolderCache(tmp_path / "rows")
    encoder = loaded(server, batch_size=2, cache=cache, max_retries=0)
    server.plan = [None, None, failure]
    texts = list("abcdefgh")
    with pytest.raises((ConnectionError, ValueError), match="endpoint"):
        encoder.encode(texts)
    assert server.asked == [["a", "b"], ["c", "d"], ["e", "f"]]
    assert cache.info()["rows"].tolist() == [4]
    server.seen.clear()
    assert encoder.encode(texts).tolist() == [vector(t) for t in texts]
    assert server.asked == [["e", "f"], ["g", "h"]]


def test_folder_serves_a_later_process(server, tmp_path, monkeypatch):
    rows = make(server, cache=tmp_path).encode(["a", "b"])
    server.seen.clear()
    monkeypatch.setattr(endpoint_module, "_models", {})
    np.testing.assert_array_equal(make(server, cache=tmp_path).encode(["b", "a"]), rows[::-1])
    assert server.asked == []


# Retries


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
@pytest.mark.parametrize("failures", [1, 3])
def test_busy_server_is_asked_again(server, status, failures):
    encoder = loaded(server, max_retries=3)
    server.plan = [busy(status)] * failures
    assert encoder.encode(["a", "b"]).tolist() == [vector("a"), vector("b")]
    assert server.asked == [["a", "b"]] * (failures + 1)


def test_loading_is_retried_too(server):
    server.plan = [busy(), busy(503)]
    make(server).load()
    assert len(server.seen) == 3


@pytest.mark.parametrize("headers", [{"retry_after_ms": 300}, {"retry_after": 0.3}])
def test_server_says_how_long_to_wait(server, headers):
    encoder = loaded(server)
    server.plan = [busy(**headers)]
    start = time.perf_counter()
    encoder.encode(["a"])
    assert time.perf_counter() - start >= 0.3
    assert len(server.seen) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("retries", [0, 2])
def test_server_that_stays_busy(server, status, retries):
    encoder = loaded(server, max_retries=retries)
    server.always = busy(status)
    with pytest.raises(ConnectionError) as raised:
        encoder.encode(["a"])
    message = str(raised.value)
    for part in (server.url, f"answered {status} for model 'm'", f"after {retries} retries"):
        assert part in message
    assert len(server.seen) == retries + 1


@pytest.mark.parametrize("status", [408, 409])
def test_other_states_that_are_retried_end_alike(server, status):
    encoder = loaded(server, max_retries=1)
    server.always = busy(status)
    with pytest.raises(ConnectionError, match=f"answered {status} .* after 1 retries"):
        encoder.encode(["a"])


def test_pause_beyond_two_minutes_is_not_waited_for(server):
    encoder = loaded(server, max_retries=3)
    server.always = busy(retry_after=300)
    with pytest.raises(ConnectionError, match="answered 429") as raised:
        encoder.encode(["a"])
    assert len(server.seen) == 1
    assert "after 3 retries" not in str(raised.value)


def test_failed_load_is_not_remembered(server):
    encoder = make(server, max_retries=0)
    server.plan = [busy(500)]
    with pytest.raises(ConnectionError, match="answered 500"):
        encoder.load()
    assert encoder.encode(["a"]).tolist() == [vector("a")]


# Refusals


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "MY_KEY"])
def test_refused_key(server, name):
    server.always = busy(401, "Incorrect API key provided")
    with pytest.raises(ValueError, match=f"refused the key for model 'm'.*variable {name}"):
        make(server, api_key_env=name).encode(["a"])
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_refused_request_tells_the_reason(server, status):
    encoder = loaded(server)
    server.always = busy(status, "This model reads at most 8192 tokens")
    with pytest.raises(ValueError, match=f"answered {status} .*at most 8192 tokens") as raised:
        encoder.encode(["a"])
    assert server.url in str(raised.value)
    assert len(server.seen) == 1


def test_unreachable_port_fails_in_time():
    with Server() as server:
        url = server.url  # of nothing, once the server is closed
    encoder = EndpointEncoder("m", base_url=url, max_retries=3)
    start = time.perf_counter()
    with pytest.raises(ConnectionError, match="could not be reached for model 'm'") as raised:
        encoder.encode(["a"])
    assert time.perf_counter() - start < 5
    assert url in str(raised.value)
    assert "refused" in str(raised.value)


def test_answer_that_does_not_come(server):
    encoder = loaded(server, timeout=0.2, max_retries=1)
    done = threading.Event()

    def hang(body):
        done.wait(20)
        return answer([0])

    server.always = hang
    start = time.perf_counter()
    with pytest.raises(ConnectionError, match=f"{server.url}.*timed out"):
        encoder.encode(["a"])
    assert 0.4 <= time.perf_counter() - start < 5
    done.set()
    assert len(server.seen) == 2


def test_slow_answer_is_asked_for_again(server):
    encoder = loaded(server, timeout=0.3)
    server.plan = [lambda body: time.sleep(0.6)]
    assert encoder.encode(["a"]).tolist() == [vector("a")]
    assert server.asked == [["a"], ["a"]]


# Answers that are wrong


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (answer(), "returned 0 rows for 2 texts of model 'm'"),
        (answer([1, 2, 3, 4]), "returned 1 rows for 2 texts"),
        (answer([1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]), "returned 3 rows for 2 texts"),
        (answer([1, 2, 3, 4], [1, 2, 3, 4], index=[1, 1]), "returned 2 rows for 2 texts"),
        (answer([1, 2, 3, 4], [1, 2, 3, 4], index=[1, 2]), "returned 2 rows for 2 texts"),
        (answer([1, 2, 3], [1, 2, 3]), "'m' returned rows of width 3, and of width 4 before"),
        (answer([1, 2, 3, 4], [1, np.nan, 3, 4]), "'m' returned NaN or infinity for text 1"),
    ],
)
def test_wrong_rows(server, wrong, message):
    encoder = loaded(server)
    server.plan = [wrong]
    with pytest.raises(ValueError, match=message):
        encoder.encode(["a", "b"])
    assert encoder.encode(["a", "b"]).tolist() == [vector("a"), vector("b")]
    assert server.asked == [["a", "b"]] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        (200, {}, '{"data": ['),
        (200, {"Content_Type": "text/html"}, "<html>Sign in</html>"),
        (200, {}, "{}"),
        (200, {}, '{"error": {"message": "out of credit"}}'),
        (200, {}, '{"data": [{"embedding": [1, 2, 3, 4]}, {"embedding": [1, 2, 3, 4]}]}'),
        answer([1, 2, 3, 4], [1, 2, 3]),
        answer([1, 2, 3, 4], None),
    ],
    ids=["half", "html", "no data", "error", "no index", "ragged", "null"],
)
def test_answer_that_is_no_embedding(server, wrong):
    encoder = loaded(server)
    server.plan = [wrong]
    with pytest.raises(ValueError, match="endpoint") as raised:
        encoder.encode(["a", "b"])
    assert server.url in str(raised.value)


# The key


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


def test_key_with_a_newline_is_not_told(server, monkeypatch):
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
    with pytest.raises(ImportError, match=r"pip install langalign-sk\[openai\]"):
        make(server).encode(["a"])


# Parameters


def test_making_an_encoder_asks_nothing(server):
    encoder = make(server, dimensions=3)
    assert as_encoder(encoder) is encoder
    assert encoder == clone(encoder) == pickle.loads(pickle.dumps(encoder))
    assert encoder != make(server)
    assert hash(encoder) == hash(clone(encoder))
    assert repr(EndpointEncoder("m")) == "EndpointEncoder(name='m')"
    assert server.seen == []


def test_clones_and_pickles_of_a_used_encoder(server):
    encoder = make(server, prompt="p ")
    rows = encoder.encode(["a", "b"])
    server.seen.clear()
    for copy in (clone(encoder), pickle.loads(pickle.dumps(encoder))):
        assert copy.get_params() == encoder.get_params()
        np.testing.assert_array_equal(copy.encode(["a", "b"]), rows)
    assert server.seen == []
    assert len(pickle.dumps(encoder)) < 1000


def test_pickle_refuses_another_width(server, monkeypatch):
    encoder = loaded(server)
    data = pickle.dumps(encoder)
    monkeypatch.setattr(endpoint_module, "_models", {})  # as in another process
    server.vector = lambda text, width: vector(text, 3)
    with pytest.raises(ValueError, match=r"width 4 when it was saved .* and returns width 3 now"):
        pickle.loads(data).encode(["a"])


def test_parameters_may_be_set_before_use(server):
    encoder = make(server).set_params(dimensions=3, prompt="p ", batch_size=1)
    assert encoder.encode(["a", "b"]).tolist() == [vector("p a", 3), vector("p b", 3)]
    assert server.asked == [["p a"], ["p b"]]


def test_prompt_and_batch_size_may_be_set_after_use(server):
    encoder = loaded(server).set_params(prompt="p ", batch_size=1)
    assert encoder.encode(["a", "b"]).tolist() == [vector("p a"), vector("p b")]
    assert server.asked == [["p a"], ["p b"]]


@pytest.mark.parametrize("params", [{"name": "other"}, {"dimensions": 2}])
def test_another_model_may_be_set_after_use(server, params):
    encoder = loaded(server).set_params(**params)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = encoder.encode(["a"])
    assert rows.tolist() == [vector("a", params.get("dimensions", 4))]


def test_set_params_does_not_change_other_encoders(server):
    first = loaded(server, name="one")
    first.set_params(name="two")
    make(server, name="one").encode(["a"])
    assert [body["model"] for _, _, body in server.seen] == ["one"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"name": ""}, "name must be the name of a model, got ''"),
        ({"name": None}, "name must be the name of a model, got None"),
        ({"batch_size": 0}, "batch_size must be an int of at least 1, got 0"),
        ({"batch_size": 2.0}, "batch_size must be an int of at least 1, got 2.0"),
        ({"batch_size": True}, "batch_size must be an int of at least 1, got True"),
        ({"max_retries": -1}, "max_retries must be an int of at least 0, got -1"),
        ({"max_retries": None}, "max_retries must be an int of at least 0, got None"),
        ({"dimensions": 0}, "dimensions must be an int of at least 1, got 0"),
        ({"dimensions": "3"}, "dimensions must be an int of at least 1, got '3'"),
    ],
)
def test_parameters_out_of_range(server, params, message):
    encoder = make(server, **params)
    with pytest.raises(ValueError, match=message):
        encoder.encode(["a"])
    assert server.seen == []


@pytest.mark.parametrize(
    "params",
    [
        {"timeout": 0},
        {"timeout": -1.0},
        {"timeout": "long"},
        {"prompt": 3},
        {"api_key_env": None},
        {"base_url": 3},
    ],
    ids=str,
)
def test_other_parameters_out_of_range(server, params):
    encoder = EndpointEncoder("m", **{"base_url": server.url, "max_retries": 0, **params})
    with pytest.raises((ValueError, TypeError), match=next(iter(params))):
        encoder.encode(["a"])


def test_numbers_of_numpy(server):
    encoder = make(server, batch_size=np.int64(2), max_retries=np.int64(1))
    assert encoder.encode(["a"]).tolist() == [vector("a")]


def test_wrong_cache(server):
    with pytest.raises(TypeError, match="cache must be None"):
        make(server, cache=3).encode(["a"])
    assert server.seen == []


# Use


def test_aligner_learns_from_an_endpoint(server):
    toy = ToyEncoder()
    server.vector = lambda text, width: toy._vector(text).tolist()
    pairs = list(zip(KOREAN[:80], ENGLISH[:80], strict=True))
    params = {"method": "ridge", "random_state": 0, "corpus": None}
    encoder = make(server, batch_size=50)
    aligner = CrossLingualAligner("ko", encoder=encoder, **params).fit(pairs)
    expected = CrossLingualAligner("ko", encoder=toy, **params).fit(pairs)
    texts = [*KOREAN[90:95], *ENGLISH[95:98]]
    rows = aligner.transform(texts)
    np.testing.assert_allclose(rows, expected.transform(texts), atol=1e-4)
    np.testing.assert_allclose(rows[5:], toy.encode(ENGLISH[95:98]), atol=1e-6)
    assert len(server.texts) == len(set(server.texts)) == 168
    assert max(map(len, server.asked)) == 50
    again = pickle.loads(pickle.dumps(aligner))
    np.testing.assert_array_equal(again.transform(texts), rows)


def test_threads_encode_alike(server):
    encoder = make(server, batch_size=4)
    texts = [f"text {i}" for i in range(20)]

    def encode(start):
        return encoder.encode(texts[start:] + texts[:start]).tolist()

    server.plan = [busy(), None, busy(500)]
    with ThreadPoolExecutor(8) as pool:
        for start, rows in enumerate(pool.map(encode, range(16))):
            assert rows == [vector(t) for t in texts[start:] + texts[:start]]
    assert set(server.texts) == set(texts)
    # The first request finds the width; it met the first failure.
    assert [body["input"] for _, _, body in server.seen].count(["width"]) == 2


def test_threads_of_several_encoders(server):
    def encode(i):
        rows = make(server, name=f"m{i % 4}", dimensions=1 + i % 4, cache=None).encode(["a", "bc"])
        return rows.tolist() == [vector("a", 1 + i % 4), vector("bc", 1 + i % 4)]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(encode, range(24)))


def test_bar_counts_texts_when_verbose(server, capfd):
    make(server).encode(["a", "b"])
    assert capfd.readouterr() == ("", "")
    make(server, verbose=True, batch_size=2).encode(["a", "b", "c", "d", "e"])
    out, err = capfd.readouterr()
    assert out == ""
    assert "m: 100%" in err
    assert "5/5" in err
