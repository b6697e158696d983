"""Normalised discounted cumulative gain (Järvelin and Kekäläinen, ACM Transactions on Information Systems 20, 2002)."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, SoftRanking, at_least_one, places
from isometry.ops import dcg

WHOLE = 2**62  # places, where there is no cut-off


class NDCG(Metric):
    """Do the items that are worth most come first? The only metric here that knows more and less.

    Σ_{i≤k} gain_i / log2(1 + i), over the largest value it could have; without `k` the whole ranking counts. On a similarity
    matrix, `NDCG()(sim, rel)`, a gain is the pair's affinity where that is positive: the share of levels in common for
    label trees, closeness for continuous labels. `isometry.evaluate` knows matches only, which are worth 1 each.

    >>> from isometry.metrics.metric import Ranking
    >>> hits = torch.tensor([[False, True, True]])
    >>> NDCG().per_query(Ranking(hits, torch.tensor([2]), torch.tensor([2])))
    tensor([0.6934])
    """

    k: int | None = None
    """How many neighbours are looked at; all of them where it is None."""
    graded: ClassVar[bool] = True

    def __post_init__(self) -> None:
        at_least_one(self.places, "NDCG")

    @property
    def places(self) -> int:
        """The cut-off."""
        return WHOLE if self.k is None else self.k

    def depth(self, relevant: int) -> int:
        return self.places

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        found = ranking.hits.float() if ranking.gains is None else ranking.gains.float()
        place = places(ranking)
        value = (found / torch.log2(1 + place) * (place <= self.places)).sum(1)
        if ranking.gains is not None:
            best = dcg.ideal(found, torch.ones_like(found), self.places)
        else:
            best = dcg.ideal(torch.ones_like(value)[:, None], ranking.relevant[:, None].float(), self.places)
        return value / torch.where(best > 0, best, 1)

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        gain = torch.ones_like(ranking.rank) if ranking.gains is None else ranking.gains
        best = dcg.ideal(gain, ranking.weight, self.places)
        gain = gain if self.k is None else gain * ranking.within(self.k)
        return ranking.total(gain / torch.log2(1 + ranking.rank)) / torch.where(best > 0, best, 1)
