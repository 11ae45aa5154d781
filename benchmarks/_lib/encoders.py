"""Encoders of the benchmarks, with the rows that they have encoded."""

from langalign_sk import SentenceEncoder

from .paths import CACHE


def encoder(name: str, **settings) -> SentenceEncoder:
    """An encoder that keeps its rows for the next benchmark too: all encode the same texts."""
    return SentenceEncoder(name, cache=CACHE / "rows", verbose=True, **settings)


def e5() -> SentenceEncoder:
    """multilingual-e5-small with the weights of the extra e5, and the prompt of its makers."""
    return encoder("multilingual-e5-small")
