"""Hierarchical average precision (Ramzi, Audebert, Thome, Rambour and Bitot, "HAPPIER", ECCV 2022)."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, all_places

LEVELS = 64  # more grades than that are no tree


class HierarchicalAP(Metric):
    """Average precision that knows mild mistakes from severe ones: the right genus is better than the wrong order.

    Σ_k (h_k / r_k) / Σ_k w_k over all items k that share a level with the query, where r_k is the rank of k, and
    h_k = w_k + Σ_j min(w_j, w_k) over the items j before k. An item that shares l of L levels is worth
    w = (l/L)^α / n_l, where n_l items of the gallery share exactly l. With class labels there is one level, and it is
    `MAP()`. The released evaluation code adds a level's items twice where two levels happen to be worth the same; here
    they count once. Under ties its mean has no closed form here: equals come in one order, which knows nothing of labels.

    `HAPPIER` is the loss that goes with it.

    >>> from isometry.metrics.metric import Ranking
    >>> hits = torch.tensor([[True, True, True]])  # genus, species, then another of the genus: w = 1/4, 1, 1/4
    >>> places, worth = torch.tensor([[1, 2, 3]]), torch.tensor([[0.5, 1.0, 0.5]])
    >>> HierarchicalAP().per_query(Ranking(hits, torch.tensor([3]), torch.tensor([1]), ranks=places, worth=worth))
    tensor([0.7500])
    """

    alpha: float = 1.0
    """How much more fine levels are worth than coarse ones."""
    needs_ranks: ClassVar[bool] = True
    graded: ClassVar[bool] = True

    def depth(self, relevant: int) -> int:
        return 1

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        rank, held = all_places(ranking)
        level = (held if ranking.worth is None else ranking.worth * held).double()
        grades = level.unique()
        grades = grades[grades > 0]
        if len(grades) > LEVELS:
            raise ValueError(
                f"HierarchicalAP() is for label trees, and affinities here have {len(grades):,} different values; "
                "for continuous labels take NDCG()."
            )
        at = [(level == grade) for grade in grades]
        share = [
            grade**self.alpha / here.sum(1, keepdim=True).clamp_min(1) for grade, here in zip(grades, at, strict=True)
        ]
        worth, gained = torch.zeros_like(level), torch.zeros_like(level)
        for one, here in zip(share, at, strict=True):
            worth += one * here
        for one, here in zip(share, at, strict=True):
            gained += torch.minimum(worth, one) * here.cumsum(1)
        return ((gained / rank * held).sum(1) / worth.sum(1)).float()
