"""Recall as information retrieval means it (Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, SoftRanking, Ties, at_least_one


class ShareFound(Metric):
    """Which share of all that is relevant is among the k nearest neighbours?

    (1/R) Σ_{i≤k} rel(i), where R counts the query's matches in the gallery, itself left out. Hits 1, 0, 1 with R = 4 give
    1/2. Information retrieval calls this recall; `Recall(k)` is what metric learning calls so. A query with more than k
    matches cannot reach 1.

    >>> import torch
    >>> from isometry.metrics.metric import Ranking
    >>> hits = torch.tensor([[True, False, True]])
    >>> ShareFound(k=3).per_query(Ranking(hits, torch.tensor([4]), torch.tensor([1])))
    tensor([0.5000])
    """

    k: int
    """How many neighbours are looked at."""

    def __post_init__(self) -> None:
        at_least_one(self.k, "ShareFound")

    def depth(self, relevant: int) -> int:
        return self.k

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        return ranking.hits[:, : self.k].sum(1, dtype=torch.float32) / ranking.relevant

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """A hit is as likely in every place of its group: (1/R) Σ over groups of d h / g, d of g items being shown."""
        return ties.hits_within(self.k) / ties.relevant

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        return ranking.total(ranking.within(self.k)) / ranking.relevant
