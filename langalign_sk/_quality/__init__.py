"""Quality of rows and of pairs: how much they are like those of a fit, or of sound translations."""

from .pairing import mismatch, misplaced_copies, score_agreement, shift
from .sides import faults_of_sides
from .texts import TextModel, TextQuality
from .vectors import VectorModel, VectorQuality

__all__ = [
    "TextModel",
    "TextQuality",
    "VectorModel",
    "VectorQuality",
    "faults_of_sides",
    "mismatch",
    "misplaced_copies",
    "score_agreement",
    "shift",
]
