"""Tests of EndpointEncoder in aligners and threads."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from langalign_sk import CrossLingualAligner
from tests.encoders.endpoint.server import busy, make, vector
from tests.encoders.toy import assert_rows_close
from tests.toy import ENGLISH, KOREAN, PAIRS, ToyEncoder

pytest.importorskip("openai", reason="needs pip install langalign-sk[openai]")


def test_aligner_learns_from_an_endpoint(server):
    toy = ToyEncoder()
    server.vector = lambda text, width: toy.encode([text])[0].tolist()
    params = {"method": "ridge", "random_state": 0, "corpus": None}
    encoder = make(server, batch_size=50)
    aligner = CrossLingualAligner("ko", encoder=encoder, **params).fit(PAIRS[:80])
    expected = CrossLingualAligner("ko", encoder=toy, **params).fit(PAIRS[:80])
    texts = [*KOREAN[90:95], *ENGLISH[95:98]]
    rows = aligner.transform(texts)
    assert_rows_close(rows, expected.transform(texts))
    assert_rows_close(rows[5:], toy.encode(ENGLISH[95:98]))
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
