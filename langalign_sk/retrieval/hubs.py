"""Alias of retrieval.hubness: pickles of earlier releases hold this address."""

from .hubness import Hubness as Hubs

__all__ = ["Hubs"]
