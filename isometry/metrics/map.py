"""Mean average precision over the whole ranking (Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, SoftRanking, places


class MAP(Metric):
    """How pure is the ranking wherever a match comes?

    (1/R) Σ_i P(i) rel(i) over the whole gallery, where R counts the query's matches in it, itself left out, and P(i) is
    the share of matches among the first i. Hits 1, 0, 1 and R = 3, with the third match at place 6, give
    (1 + 2/3 + 3/6) / 3 = 0.7222. Every match counts however deep it lies, so the whole gallery is ranked for each query:
    on large galleries `MAPAtR()`, which stops after R places, is cheaper.

    >>> from isometry.metrics.metric import Ranking
    >>> hits = torch.tensor([[True, False, True, False, False, True]])
    >>> MAP().per_query(Ranking(hits, torch.tensor([3]), torch.tensor([1])))
    tensor([0.7222])
    """

    def depth(self, relevant: int) -> int:
        return 2**62  # all there are

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        precision = ranking.hits.cumsum(1, dtype=torch.float32) / places(ranking)
        return (precision * ranking.hits).sum(1) / ranking.relevant

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        return ranking.total(ranking.among / ranking.rank) / ranking.relevant
