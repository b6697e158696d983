"""Re-rankings: neighbours found with more patience than one comparison."""

from .database_augmentation import DatabaseAugmentation
from .diffusion import Diffusion
from .k_reciprocal import KReciprocal
from .nf import NF
from .pairwise_reranker import PairwiseReranker
from .query_expansion import AlphaQE, AverageQE
from .red import RED
from .then import Then
from .tpf import TPF
from .unified_ensemble_diffusion import UnifiedEnsembleDiffusion

__all__ = [
    "NF", "RED", "TPF", "AlphaQE", "AverageQE", "DatabaseAugmentation", "Diffusion", "KReciprocal",
    "PairwiseReranker", "Then", "UnifiedEnsembleDiffusion",
]  # fmt: skip
