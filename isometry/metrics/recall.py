"""Recall@k as metric learning means it (Jégou, Douze and Schmid, TPAMI 2011; Oh Song et al., CVPR 2016)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, SoftRanking, Ties, at_least_one
from isometry.ops.equals import no_hit


class Recall(Metric):
    """Is any of the k nearest neighbours of the query's class? Its mean is the share of queries for which one is.

    1 if some of the first k items is relevant, else 0. Information retrieval calls this the hit rate (`HitRate`), and
    re-identification CMC (`CMC`): one number under three names. There, recall is the share of relevant items that were
    found (`ShareFound`). It never falls as k grows.

    >>> import isometry, torch
    >>> z = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.8, 0.2]])
    >>> float(isometry.evaluate(z, torch.tensor([0, 1, 1, 0]), "Recall(k=2)")["Recall(k=2)"])
    0.75
    """

    k: int
    """How many neighbours are looked at."""

    def __post_init__(self) -> None:
        at_least_one(self.k, type(self).__name__)

    def depth(self, relevant: int) -> int:
        return self.k

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        return ranking.hits[:, : self.k].any(1).float()

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """1 if a group that is shown whole holds a hit, else 1 − C(g − h, d) / C(g, d): d of a group's g items are shown."""
        shown = ties.within(self.k)
        whole = shown == ties.size
        last = (~whole).byte().argmax(1, keepdim=True)  # the group that is cut, if any is
        size, hits, drawn = (x.gather(1, last) for x in (ties.size, ties.hits, shown))
        return torch.where((whole & (ties.hits > 0)).any(1), 1, 1 - no_hit(size, hits, drawn)[:, 0])

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        return ranking.best(ranking.within(self.k))
