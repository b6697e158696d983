"""What a user ships: a trained model in one file, with its card, evaluation, thresholds and, if wanted, a gallery."""

from isometry.bundle.archive import Refused, is_bundle
from isometry.bundle.bundle import Bundle, read
from isometry.bundle.gallery import Gallery, Match
from isometry.bundle.thresholds import Threshold, Thresholds, calibrate
from isometry.bundle.writing import write

__all__ = [
    "Bundle",
    "Gallery",
    "Match",
    "Refused",
    "Threshold",
    "Thresholds",
    "calibrate",
    "is_bundle",
    "read",
    "write",
]
