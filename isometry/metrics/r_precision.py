"""R-precision (Buckley and Voorhees, TREC; for metric learning: Musgrave, Belongie and Lim, ECCV 2020)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, SoftRanking, Ties, places


class RPrecision(Metric):
    """Of as many neighbours as the query has matches, which share is right?

    (1/R) Σ_{i≤R} rel(i), where R counts the query's matches in the gallery, itself left out. Hits 1, 0, 1 with R = 3
    give 2/3. It is 1 exactly when all matches come before everything else.

    >>> from isometry.metrics.metric import Ranking
    >>> hits = torch.tensor([[True, False, True]])
    >>> RPrecision().per_query(Ranking(hits, torch.tensor([3]), torch.tensor([1])))
    tensor([0.6667])
    """

    def depth(self, relevant: int) -> int:
        return relevant

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        counted = ranking.hits & (places(ranking) <= ranking.relevant[:, None])
        return counted.sum(1, dtype=torch.float32) / ranking.relevant

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """A hit is as likely in every place of its group: (1/R) Σ over groups of d h / g, d of g items being shown."""
        return ties.hits_within(ties.relevant[:, None]) / ties.relevant

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        return ranking.total(ranking.within(ranking.relevant[:, None])) / ranking.relevant
