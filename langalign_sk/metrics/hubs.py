"""An address that stands in saved models; the classes are in metrics.hubness."""

from .hubness import hubness_score, k_occurrence, reciprocity_score

__all__ = ["hubness_score", "k_occurrence", "reciprocity_score"]
