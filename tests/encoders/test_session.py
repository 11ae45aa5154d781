"""Tests of EncodingSession."""

import numpy as np
import pytest

from langalign_sk.encoders import EncodingSession, SentenceEncoder, as_encoder
from langalign_sk.encoders.models import registry
from langalign_sk.encoders.models.model import Model
from langalign_sk.encoders.session import check_varies
from tests.encoders.toy import Counting


def test_session_encodes_every_text_once():
    session, encoder = EncodingSession(), Counting()
    handle = as_encoder(encoder)
    first = session.encode(handle, ["aa", "b", "aa"])
    second = session.encode(handle, ["b", "ccc"])
    assert session.encode(handle, ("ccc", "aa")).tolist() == [[3, 99, 1], [2, 97, 1]]
    assert encoder.calls == [["aa", "b"], ["ccc"]]
    assert first.tolist() == [[2, 97, 1], [1, 98, 1], [2, 97, 1]]
    assert second.tolist() == [[1, 98, 1], [3, 99, 1]]
    assert first.dtype == np.float32


def test_wrappers_of_one_object_share_rows():
    session, encoder = EncodingSession(), Counting()
    assert as_encoder(encoder) == as_encoder(encoder)
    session.encode(as_encoder(encoder), ["a", "b"])
    session.encode(as_encoder(encoder), ["b", "a"])
    assert encoder.calls == [["a", "b"]]


def test_wrappers_of_equal_objects_do_not_share_rows():
    session, narrow, wide = EncodingSession(), Counting(2), Counting(3)
    assert as_encoder(narrow) != as_encoder(wide)
    assert session.encode(as_encoder(narrow), ["a"]).shape == (1, 2)
    assert session.encode(as_encoder(wide), ["a"]).shape == (1, 3)


def test_handles_of_one_name_share_rows(no_models, monkeypatch):
    encoder, session = Counting(), EncodingSession()
    monkeypatch.setattr(
        registry,
        "load_use",
        lambda spec: Model(lambda texts, *_: encoder.encode(texts), 3, "counting"),
    )
    session.encode(SentenceEncoder(), ["a"])
    session.encode(as_encoder("use-multilingual"), ["a"])
    assert encoder.calls == [["a"]]


def test_rows_of_a_session_may_be_changed():
    session, handle = EncodingSession(), as_encoder(Counting())
    session.encode(handle, ["a"])[:] = 0
    assert session.encode(handle, ["a"]).tolist() == [[1, 97, 1]]


def test_rows_that_are_all_the_same_are_refused():
    texts = ["one", "two", "three"]
    row = np.array([0.1, -30.0, 5.0], dtype=np.float32)
    rounded = np.tile(row, (3, 1)) * (1 + 1e-7 * np.arange(3, dtype=np.float32)[:, None])
    encoder = as_encoder(Counting())
    with pytest.raises(ValueError, match=r"same row for all 3 texts.*Use an encoder whose rows"):
        check_varies(rounded, texts, encoder)
    check_varies(rounded, ["one"] * 3, encoder)  # equal texts have equal rows
    check_varies(rounded, ["one two", "One  two", "ONE TWO"], encoder)
    check_varies(rounded + np.float32(0.1) * np.eye(3, dtype=np.float32), texts, encoder)
    check_varies(rounded[:1], texts[:1], encoder)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"max_length": 4}, {"max_length=4"}),
        ({"layer": 0}, {"layer= or pooling="}),
        ({"pooling": "cls", "max_length": 4}, {"max_length=4", "layer= or pooling="}),
        ({"prompt": "query: ", "normalize": True}, set()),
    ],
)
def test_rows_that_are_all_the_same_name_the_settings_that_may_be_the_cause(settings, named):
    with pytest.raises(ValueError, match="same row for all 2 texts") as caught:
        check_varies(np.ones((2, 3)), ["one", "two"], SentenceEncoder("a", **settings))
    remedies = {"max_length=4", "layer= or pooling=", "Use an encoder whose rows depend"}
    assert {one for one in remedies if one in str(caught.value)} == (
        named or {"Use an encoder whose rows depend"}
    )
