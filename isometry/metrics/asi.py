"""Average set intersection (Sun et al., "Dynamic metric learning", CVPR 2021; as in the released code of HAPPIER, ECCV 2022)."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, all_places, at_least_one
from isometry.ops.equals import harmonic


class ASI(Metric):
    """At every depth, how much do the first items have in common with what a perfect ranking shows first?

    (1/K) Σ_{i≤K} SI_i / i, with SI_i = Σ_l min(a_l, b_l), where a_l of the first i items share exactly l levels with the
    query, and b_l of the first i items of a perfect ranking, which has all items of the most levels first. Items that
    share none never count. K is the number R of items that share a level, or min(k, R). With class labels it is the mean
    of precision@1 … precision@R. Under ties its mean has no closed form here: equals come in one order, which knows
    nothing of labels.

    The ranking 1, 2, 0, 1 of shared levels, against the perfect 2, 1, 1: SI = 0, 2, 2, and (0 + 2/2 + 2/3) / 3 = 0.5556.

    >>> from isometry.metrics.metric import Ranking
    >>> hits, worth = torch.tensor([[True, True, False, True]]), torch.tensor([[0.5, 1.0, 0.5]])
    >>> places = torch.tensor([[1, 2, 4]])
    >>> ASI().per_query(Ranking(hits, torch.tensor([3]), torch.tensor([1]), ranks=places, worth=worth))
    tensor([0.5556])
    """

    k: int | None = None
    """How deep is looked; as deep as there are relevant items where it is None."""
    needs_ranks: ClassVar[bool] = True
    graded: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.k is not None:
            at_least_one(self.k, "ASI")

    def depth(self, relevant: int) -> int:
        return 1

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        rank, held = all_places(ranking)
        level = held.float() if ranking.worth is None else torch.where(held, ranking.worth, -torch.inf)
        order = level.argsort(dim=1, descending=True, stable=True)  # the j-th of a level is met by the perfect j-th
        ideal = torch.arange(1, rank.shape[1] + 1, device=rank.device)
        both = torch.maximum(rank.gather(1, order), ideal)  # from this depth on the item counts: in each SI_i / i
        last = ranking.relevant if self.k is None else ranking.relevant.clamp_max(self.k)
        counts = held.gather(1, order) & (both <= last[:, None])
        depth = torch.where(counts, both, 1)
        return ((harmonic(depth - 1, last[:, None]) * counts).sum(1) / last).float()
