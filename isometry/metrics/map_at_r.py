"""Mean average precision at R (Musgrave, Belongie and Lim, "A metric learning reality check", ECCV 2020)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, SoftRanking, Ties, places
from isometry.ops.equals import precision_at_hits


class MAPAtR(Metric):
    """R-precision that also asks for the right order: errors at the top cost most.

    (1/R) Σ_{i≤R} P(i) rel(i), where R counts the query's matches in the gallery, itself left out, and P(i) is the share
    of matches among the first i. Hits 1, 0, 1 with R = 3 give (1 + 2/3) / 3 = 0.5556. It is divided by R, not by the
    number of hits: what was not found counts as a loss. Never above R-precision; more telling than
    Recall(k=1), which is near 1 for spaces of very different order.

    >>> from isometry.metrics.metric import Ranking
    >>> hits = torch.tensor([[True, False, True]])
    >>> MAPAtR().per_query(Ranking(hits, torch.tensor([3]), torch.tensor([1])))
    tensor([0.5556])
    """

    def depth(self, relevant: int) -> int:
        return relevant

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        place = places(ranking)
        counted = ranking.hits & (place <= ranking.relevant[:, None])
        precision = counted.cumsum(1, dtype=torch.float32) / place
        return (precision * counted).sum(1) / ranking.relevant

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """A sum over groups in closed form, the last one cut at R (`isometry.ops.equals.precision_at_hits`)."""
        shown = ties.within(ties.relevant[:, None])
        return precision_at_hits(ties.start, ties.found, ties.size, ties.hits, shown).sum(1) / ties.relevant

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        return (
            ranking.total(ranking.within(ranking.relevant[:, None]) * ranking.among / ranking.rank) / ranking.relevant
        )
