"""Which pairs of a row take part."""

from .all_pairs import all_pairs
from .multi_similarity import MultiSimilarityMiner

__all__ = ["MultiSimilarityMiner", "all_pairs"]
