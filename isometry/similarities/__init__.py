"""Geometries. Larger is closer."""

from .cosine import cosine
from .euclidean import euclidean, squared_euclidean
from .snr import SNR

__all__ = ["SNR", "cosine", "euclidean", "squared_euclidean"]
