"""Mean average precision (Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, SoftRanking, Ties, all_places, at_least_one, places
from isometry.ops.equals import precision_at_hits


class MAP(Metric):
    """How pure is the ranking wherever a match comes?

    (1/R) Σ_i i / r_i over all R matches in the gallery, itself left out: the share of matches among the first r_i items,
    where r_i is the place of the i-th match, however deep it lies. Matches at the places 1, 3 and 6 give
    (1 + 2/3 + 3/6) / 3 = 0.7222. All matches are placed, so it costs a comparison of each with the whole gallery;
    `MAPAtR()`, which stops after R places, is cheaper.

    With `k`, (1 / min(k, R)) Σ_{i≤k} P(i) rel(i): AP@k, which is 1 whenever the first k places are as good as they can
    be. Published code that divides by the number of hits among the k calls a query perfect that found one match of many
    in first place; code that divides by R, or by the size of the class with the query in it, gives a perfect ranking
    less than 1.

    >>> from isometry.metrics.metric import Ranking
    >>> hits = torch.tensor([[True, False, True]])
    >>> ranking = Ranking(hits, torch.tensor([3]), torch.tensor([1]), ranks=torch.tensor([[1, 3, 6]]))
    >>> MAP().per_query(ranking), MAP(k=2).per_query(ranking)
    (tensor([0.7222]), tensor([0.5000]))
    """

    k: int | None = None
    """How many neighbours are looked at; all of them where it is None."""

    def __post_init__(self) -> None:
        if self.k is not None:
            at_least_one(self.k, "MAP")

    @property
    def needs_ranks(self) -> bool:
        return self.k is None

    def depth(self, relevant: int) -> int:
        return 1 if self.k is None else self.k

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        if self.k is not None:
            hits = ranking.hits[:, : self.k]
            precision = hits.cumsum(1, dtype=torch.float32) / places(ranking)[:, : self.k]
            return (precision * hits).sum(1) / ranking.relevant.clamp_max(self.k)
        rank, held = all_places(ranking)
        precision = held.cumsum(1, dtype=torch.float64) / rank
        return ((precision * held).sum(1) / ranking.relevant).float()

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """A sum over groups in closed form, the last one cut at k (`isometry.ops.equals.precision_at_hits`)."""
        shown, most = ties.size, ties.relevant
        if self.k is not None:
            shown, most = ties.within(self.k), most.clamp_max(self.k)
        return precision_at_hits(ties.start, ties.found, ties.size, ties.hits, shown).sum(1) / most

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        precision = ranking.among / ranking.rank
        if self.k is not None:
            return ranking.total(ranking.within(self.k) * precision) / ranking.relevant.clamp_max(self.k)
        return ranking.total(precision) / ranking.relevant
