"""Mean reciprocal rank (Voorhees, TREC-8 question answering track, 1999)."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, SoftRanking, Ties
from isometry.ops.equals import mean_inverse_rank


class MRR(Metric):
    """How far down is the first match? 1 / its rank.

    The rank is exact wherever it lies: where the neighbours that other metrics need hold no match, the items that come
    before the best match are counted over the whole gallery.

    >>> from isometry.metrics.metric import Ranking
    >>> MRR().per_query(Ranking(torch.tensor([[False, True]]), torch.tensor([3]), torch.tensor([2])))
    tensor([0.5000])
    """

    needs_first: ClassVar[bool] = True

    def depth(self, relevant: int) -> int:
        return 32

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        return torch.ones_like(ranking.first, dtype=torch.float32) / ranking.first

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """The mean of 1 / rank over the places of the first match in its group; to about 11 digits."""
        some = (ties.hits > 0).byte().argmax(1, keepdim=True)
        size, hits, start = (x.gather(1, some) for x in (ties.size, ties.hits, ties.start))
        mean = mean_inverse_rank(start[:, 0], size[:, 0], hits[:, 0])
        return mean.masked_fill(hits[:, 0] < 1, torch.nan)

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        return ranking.best(1 / ranking.rank)
