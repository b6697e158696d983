"""Mean label distance of what is found (Kim et al., "Deep metric learning beyond binary supervision", CVPR 2019)."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, Ties, at_least_one


class LabelDistance(Metric):
    """How far are the labels of the k nearest neighbours from the query's own? Lower is better.

    (1/k) Σ_{i≤k} D(y, y_i), with the relation's label distance D in its own unit: pixels between poses for `Joints`,
    1 − affinity where labels have no distance of their own. Items of unknown label among the first k are left out, and
    the mean is over the others: a query is scored where there are any, also without a match, and not where all k are
    unknown.

    >>> from isometry.metrics.metric import Ranking
    >>> hits, gaps = torch.tensor([[True, True, False]]), torch.tensor([[1.0, 0.0, 3.0]])
    >>> LabelDistance(k=2).per_query(Ranking(hits, torch.tensor([2]), torch.tensor([1]), gaps=gaps))
    tensor([0.5000])
    """

    k: int
    """How many neighbours are looked at."""
    needs_gaps: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = False

    def __post_init__(self) -> None:
        at_least_one(self.k, "LabelDistance")

    def depth(self, relevant: int) -> int:
        return self.k

    def scored(self, ranking: Ranking) -> Bool[Tensor, " n"]:
        return _gaps(ranking)[:, : self.k].isfinite().any(1)

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        gaps = _gaps(ranking)[:, : self.k]
        known = gaps.isfinite()
        return (torch.where(known, gaps, 0).sum(1, dtype=torch.float64) / known.sum(1)).float()

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """Each item shown counts the mean distance of its group. Only where all labels in the groups are known."""
        if ties.gap is None:
            raise ValueError(f"{self!r} reads label distances: give Ties(…, gap=…).")
        shown = ties.within(self.k).double()
        mean = torch.where(shown > 0, ties.gap / ties.size.clamp_min(1), 0)
        value = (shown * mean).sum(1) / shown.sum(1)
        return value.masked_fill(~value.isfinite(), torch.nan)


def _gaps(ranking: Ranking) -> Tensor:
    if ranking.gaps is None:
        raise ValueError("LabelDistance reads label distances: give Ranking(…, gaps=…).")
    return ranking.gaps
