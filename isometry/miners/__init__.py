"""Which pairs of a row take part."""

from .all_pairs import all_pairs
from .distance_weighted import DistanceWeightedMiner
from .multi_similarity import MultiSimilarityMiner
from .rho_switch import RhoSwitch

__all__ = ["DistanceWeightedMiner", "MultiSimilarityMiner", "RhoSwitch", "all_pairs"]
