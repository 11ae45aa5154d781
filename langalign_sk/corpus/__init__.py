"""Parallel corpora: sentences and their English translations."""

from ._corpus import ParallelCorpus

__all__ = ["ParallelCorpus"]
