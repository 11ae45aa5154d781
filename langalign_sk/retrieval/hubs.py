"""An address that stands in saved models; the classes are in retrieval.hubness."""

from .hubness import Hubs

__all__ = ["Hubs"]
