"""Metrics: what a search in the embedding space is worth, as values that parse."""

from .map_at_r import MAPAtR
from .mrr import MRR
from .precision import Precision
from .r_precision import RPrecision
from .recall import Recall

__all__ = ["MRR", "MAPAtR", "Precision", "RPrecision", "Recall"]
