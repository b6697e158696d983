"""Re-rankings: neighbours found with more patience than one comparison."""

from .database_augmentation import DatabaseAugmentation
from .k_reciprocal import KReciprocal
from .pairwise_reranker import PairwiseReranker
from .query_expansion import AlphaQE, AverageQE
from .then import Then

__all__ = ["AlphaQE", "AverageQE", "DatabaseAugmentation", "KReciprocal", "PairwiseReranker", "Then"]
