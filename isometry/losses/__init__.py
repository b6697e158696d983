"""Published losses: one file each, an equation on (similarity, relation)."""

from .contrastive import Contrastive
from .log_ratio import LogRatio
from .multi_similarity import MultiSimilarity
from .norm_softmax import NormSoftmax
from .proxy_anchor import ProxyAnchor
from .sup_con import SupCon
from .triplet import AllTriplets, Hardest, SemiHard, Triplet

__all__ = ["AllTriplets", "Contrastive", "Hardest", "LogRatio", "MultiSimilarity", "NormSoftmax", "ProxyAnchor",
           "SemiHard", "SupCon", "Triplet"]  # fmt: skip
