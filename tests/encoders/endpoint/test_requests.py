"""Tests of the requests and rows of EndpointEncoder."""

import numpy as np
import pytest
from sklearn.base import clone

from tests.encoders.endpoint.server import answer, loaded, make, vector

pytest.importorskip("openai", reason="needs pip install langalign-sk[openai]")


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


def test_no_request_holds_an_empty_text(server):
    make(server, cache=None).encode(["one", "", "\u3164"])
    assert server.texts == ["one", " "]
    make(server, cache=None, prompt="query: ").encode([""])
    assert server.texts[-1] == "query: "


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
