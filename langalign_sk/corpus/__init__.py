"""Translation pairs: the data that alignment is learned from."""

from ._corpus import ParallelCorpus

__all__ = ["ParallelCorpus"]
