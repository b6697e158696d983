"""Precision at a cut-off."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, SoftRanking, Ties, at_least_one


class Precision(Metric):
    """Which share of the k nearest neighbours is of the query's class?

    (1/k) Σ_{i≤k} rel(i), also where the gallery holds fewer than k items. A query with fewer than k matches cannot
    reach 1; `RPrecision` can be reached by every query.

    >>> import isometry, torch
    >>> z = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.8, 0.2]])
    >>> isometry.evaluate(z, torch.tensor([0, 0, 1, 0]), Precision(k=2))["Precision(k=2)"].per_query
    tensor([1., 1., nan, 1.])
    """

    k: int
    """How many neighbours are looked at."""

    def __post_init__(self) -> None:
        at_least_one(self.k, "Precision")

    def depth(self, relevant: int) -> int:
        return self.k

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        return ranking.hits[:, : self.k].sum(1, dtype=torch.float32) / self.k

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """A hit is as likely in every place of its group: (1/k) Σ over groups of d h / g, d of g items being shown."""
        return ties.hits_within(self.k) / self.k

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        return ranking.total(ranking.within(self.k)) / self.k
