"""Encoders of the benchmarks, with the rows that they have encoded."""

from langalign_sk import SentenceEncoder

from . import e5_folder
from .paths import CACHE


def encoder(name: str, **settings) -> SentenceEncoder:
    """An encoder that keeps its rows for the next benchmark too: all encode the same texts."""
    return SentenceEncoder(name, cache=CACHE / "rows", verbose=True, **settings)


def e5() -> SentenceEncoder:
    """multilingual-e5-small with 4-bit weights, with the prompt that its makers ask for."""
    return encoder(str(e5_folder.build(CACHE / "multilingual-e5-small-4bit")), prompt="query: ")
