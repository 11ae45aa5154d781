"""Tests of EndpointEncoder with servers that are busy, refuse or answer wrongly."""

import base64
import json
import threading
import time

import numpy as np
import pytest

from langalign_sk.encoders import EndpointEncoder
from tests.encoders.endpoint.server import Server, answer, busy, loaded, make, vector

pytest.importorskip("openai", reason="needs pip install langalign-sk[openai]")


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
def test_server_says_how_long_to_wait(server, monkeypatch, headers):
    encoder, pauses = loaded(server), []
    server.plan = [busy(**headers)]
    monkeypatch.setattr(time, "sleep", pauses.append)
    encoder.encode(["a"])
    assert pauses == [pytest.approx(0.3)]
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


def test_unreachable_port():
    with Server() as server:
        url = server.url  # of nothing, once the server is closed
    encoder = EndpointEncoder("m", base_url=url, max_retries=3)
    with pytest.raises(ConnectionError, match="could not be reached for model 'm'") as raised:
        encoder.encode(["a"])
    assert url in str(raised.value)
    assert "refused" in str(raised.value)


@pytest.fixture
def hang():
    """An answer that comes when the test is over."""
    over = threading.Event()

    def wait(body):
        over.wait(60)
        return answer([0])

    yield wait
    over.set()


@pytest.mark.slow
def test_answer_that_does_not_come(server, hang):
    encoder = loaded(server, timeout=1, max_retries=1)
    server.always = hang
    with pytest.raises(ConnectionError, match=f"{server.url}.*timed out"):
        encoder.encode(["a"])
    assert len(server.seen) == 2


@pytest.mark.slow
def test_slow_answer_is_asked_for_again(server, hang):
    encoder = loaded(server, timeout=1)
    server.plan = [hang]
    assert encoder.encode(["a"]).tolist() == [vector("a")]
    assert server.asked[:2] == [["a"], ["a"]]  # and more on a machine that is late again


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
        answer([1, 2, 3, 4], [1, 2, 3]),
        answer([1, 2, 3, 4], None),
    ],
    ids=["half", "html", "no data", "error", "ragged", "null"],
)
def test_answer_without_embeddings(server, wrong):
    encoder = loaded(server)
    server.plan = [wrong]
    with pytest.raises(ValueError, match="endpoint") as raised:
        encoder.encode(["a", "b"])
    assert server.url in str(raised.value)
    assert "model 'm'" in str(raised.value)


def test_rows_without_numbers_are_in_the_order_of_the_texts(server):
    encoder = loaded(server)
    server.plan = [items([1, 2, 3, 4], [5, 6, 7, 8])]
    assert encoder.encode(["a", "b"]).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


@pytest.mark.parametrize("index", [[2, 0, 1], ["2", "0", "1"]], ids=["numbers", "text"])
def test_rows_in_another_order_follow_their_numbers(server, index):
    encoder = loaded(server)
    server.plan = [answer([1, 2, 3, 4], [5, 6, 7, 8], [0, 0, 0, 1], index=index)]
    assert encoder.encode(["a", "b", "c"]).tolist() == [[5, 6, 7, 8], [0, 0, 0, 1], [1, 2, 3, 4]]


@pytest.mark.parametrize("value", [[1, 2, 3, 4], [1.5, -0.25, 0, 8]])
def test_base64_is_read_where_a_server_sends_nothing_else(server, value):
    encoder = loaded(server)
    sent = base64.b64encode(np.array(value, dtype="<f4").tobytes()).decode()
    server.plan = [answer(sent)]
    assert encoder.encode(["a"]).tolist() == [value]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "no embedding (null)"),
        ([], "something other than a list of numbers"),
        ("AAAA", "something other than a list of numbers"),
        ("not base64", "something other than a list of numbers"),
        (["one", "two"], "something other than a list of numbers"),
        ([[1, 2, 3, 4]], "something other than a list of numbers"),
        ({"float": [1, 2, 3, 4]}, "something other than a list of numbers"),
        ([1, 2, 3], "a row of width 3 for"),
        ([1, 2, float("inf"), 4], "NaN or infinity for"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_wrong_row_is_named_by_its_place_in_the_whole_input(server, value, message):
    encoder = loaded(server, batch_size=2)
    texts = ["a", "a", "b", "c", "the wrong one", "d"]
    server.plan = [None, answer([1, 2, 3, 4], value)]
    with pytest.raises(ValueError, match="endpoint") as raised:
        encoder.encode(texts)
    for part in (message, server.url, "model 'm'", "text 4 of the call, 'the wrong one'"):
        assert part in str(raised.value)


def test_prompt_is_not_in_the_name_of_a_row(server):
    encoder = loaded(server, prompt="query: ")
    server.plan = [answer([1, 2, 3, 4], None)]
    with pytest.raises(ValueError, match=r"text 1 of the call, 'b'"):
        encoder.encode(["a", "b"])


def test_model_without_embeddings_is_told_by_its_first_request(server):
    server.always = answer(None)
    with pytest.raises(
        ValueError, match=r"no embedding \(null\) for 'width', the text of the first"
    ):
        make(server).encode(["a", "b"])


@pytest.mark.parametrize(
    ("index", "numbered"),
    [([1, 1], "1, 1"), ([1, 2], "1, 2"), ([0, None], "0, None"), ([0, 0], "0, 0")],
    ids=["twice", "from one", "one without", "all zero"],
)
def test_wrong_numbers_are_shown(server, index, numbered):
    encoder = loaded(server)
    server.plan = [answer([1, 2, 3, 4], [1, 2, 3, 4], index=index)]
    with pytest.raises(
        ValueError, match=f"2 rows for 2 texts .*numbered {numbered}: there is none"
    ):
        encoder.encode(["a", "b"])


@pytest.mark.parametrize(
    ("said", "texts", "row"),
    [
        ("Invalid 'input[2]': too long", ["a", "b", "c"], "text 2 of the call, 'c'"),
        ("no empty strings", ["a", " ", "c"], "text 1 of the call, ' ' is blank"),
        ("at most 4 tokens", ["a", "bb", "c"], "text 1 of the call, 'bb', the longest"),
        ("at most 4 tokens", ["a"], "text 0 of the call, 'a'"),
    ],
    ids=["numbered by the server", "blank", "long", "alone"],
)
def test_refused_text_is_named(server, said, texts, row):
    encoder = loaded(server)
    server.plan = [busy(400, said)]
    with pytest.raises(ValueError, match="answered 400") as raised:
        encoder.encode(texts)
    for part in (said, row, server.url, "model 'm'"):
        assert part in str(raised.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "out of credit"}}, "out of credit"),
        ({"error": "model not loaded"}, "model not loaded"),
        ({"detail": "Not authenticated"}, "Not authenticated"),
        ({"embeddings": [[1, 2]]}, "embeddings"),
    ],
    ids=["error object", "error text", "detail", "another format"],
)
def test_error_in_a_good_answer_is_told(server, body, said):
    encoder = loaded(server)
    server.plan = [(200, {}, json.dumps(body))]
    with pytest.raises(ValueError, match=said) as raised:
        encoder.encode(["a", "b"])
    assert server.url in str(raised.value)


def items(*vectors):
    """An answer whose rows have no numbers."""
    data = [{"object": "embedding", "embedding": vector} for vector in vectors]
    return 200, {}, json.dumps({"object": "list", "data": data, "model": "m"})
