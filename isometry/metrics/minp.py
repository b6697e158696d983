"""Mean inverse negative penalty (Ye et al., "Deep learning for person re-identification", TPAMI 44, 2022)."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, SoftRanking, Ties, all_places
from isometry.ops.equals import mean_inverse_rank


class MINP(Metric):
    """How far must one read until the last match? R / its rank.

    R counts the query's matches in the gallery, those that the protocol leaves out not among them. Matches at the places
    1, 3 and 6 give 3/6. It is 1 exactly when all matches come before everything else, and one match that lies deep costs
    nearly everything: it tells what finding all of them would take.

    >>> from isometry.metrics.metric import Ranking
    >>> hits = torch.tensor([[True, False, True]])
    >>> MINP().per_query(Ranking(hits, torch.tensor([3]), torch.tensor([1]), ranks=torch.tensor([[1, 3, 6]])))
    tensor([0.5000])
    """

    needs_ranks: ClassVar[bool] = True

    def depth(self, relevant: int) -> int:
        return 1

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        rank, _ = all_places(ranking)
        last = (
            rank.gather(1, (ranking.relevant[:, None] - 1).clamp_min(0)) if rank.shape[1] else ranking.relevant[:, None]
        )
        return (ranking.relevant.double() / last[:, 0]).float()

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """The mean of R / rank over the places of the last match in its group, seen from the group's end; to about 11 digits."""
        slot = torch.arange(ties.hits.shape[1], device=ties.hits.device)
        last = ((ties.hits > 0) * slot).amax(1, keepdim=True)
        size, hits, start = (x.gather(1, last) for x in (ties.size, ties.hits, ties.start))
        mean = mean_inverse_rank(start[:, 0], size[:, 0], hits[:, 0], last=True)
        return (mean * ties.relevant).masked_fill(ties.hits.sum(1) < ties.relevant, torch.nan)

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        last = ranking.best(ranking.rank)
        return ranking.relevant / torch.where(last > 0, last, 1)
