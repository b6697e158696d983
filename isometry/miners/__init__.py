"""Which pairs of a row take part."""

from .all_pairs import all_pairs
from .distance_weighted import DistanceWeightedMiner
from .multi_similarity import MultiSimilarityMiner
from .nearest_labels import NearestLabels
from .rho_switch import RhoSwitch

__all__ = ["DistanceWeightedMiner", "MultiSimilarityMiner", "NearestLabels", "RhoSwitch", "all_pairs"]
