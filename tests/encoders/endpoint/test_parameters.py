"""Tests of the parameters, clones and pickles of EndpointEncoder."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from langalign_sk.encoders import EndpointEncoder, as_encoder
from langalign_sk.encoders import endpoint as endpoint_module
from tests.encoders.endpoint.server import loaded, make, vector

pytest.importorskip("openai", reason="needs pip install langalign-sk[openai]")


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
