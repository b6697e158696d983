"""Metrics: what a search in the embedding space is worth, as values that parse."""

from .map import MAP
from .map_at_r import MAPAtR
from .mrr import MRR
from .ndcg import NDCG
from .precision import Precision
from .r_precision import RPrecision
from .recall import Recall

__all__ = ["MAP", "MRR", "NDCG", "MAPAtR", "Precision", "RPrecision", "Recall"]
