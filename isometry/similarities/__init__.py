"""Geometries. Larger is closer."""

from .chord import chord
from .cosine import cosine
from .dot import dot
from .euclidean import euclidean, squared_euclidean
from .hamming import hamming
from .over_centres import MaxOverCentres, SoftOverCentres
from .snr import SNR
from .truncated import Truncated

__all__ = ["SNR", "MaxOverCentres", "SoftOverCentres", "Truncated", "chord", "cosine", "dot", "euclidean", "hamming",
           "squared_euclidean"]  # fmt: skip
