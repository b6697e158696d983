"""Metrics: what a search in the embedding space is worth, as values that parse."""

from .asi import ASI
from .cmc import CMC
from .gain import AffinityGain, DistanceGain, ExponentialGain
from .hierarchical_ap import HierarchicalAP
from .hit_rate import HitRate
from .label_distance import LabelDistance
from .map import MAP
from .map_at_r import MAPAtR
from .minp import MINP
from .mrr import MRR
from .ndcg import NDCG
from .precision import Precision
from .r_precision import RPrecision
from .recall import Recall
from .share_found import ShareFound
from .triplet_accuracy import TripletAccuracy

__all__ = [
    "ASI",
    "CMC",
    "MAP",
    "MINP",
    "MRR",
    "NDCG",
    "AffinityGain",
    "DistanceGain",
    "ExponentialGain",
    "HierarchicalAP",
    "HitRate",
    "LabelDistance",
    "MAPAtR",
    "Precision",
    "RPrecision",
    "Recall",
    "ShareFound",
    "TripletAccuracy",
]
