"""Small parallel data sets that come with the package."""

from ._base import load_service_requests, load_starter_corpus

__all__ = ["load_service_requests", "load_starter_corpus"]
