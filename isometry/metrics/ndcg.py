"""Normalised discounted cumulative gain (Järvelin and Kekäläinen, ACM Transactions on Information Systems 20, 2002)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from isometry.component import fresh
from isometry.metrics.gain import AffinityGain, Gain
from isometry.metrics.metric import Metric, Ranking, SoftRanking, Ties, all_places, at_least_one, places
from isometry.ops import dcg

WHOLE = 2**62  # places, where there is no cut-off


class NDCG(Metric):
    """Do the items that are worth most come first? A metric that knows more and less.

    Σ_{i≤k} g_i / log2(1 + i), over the largest value it could have; without `k` the whole ranking counts. A gain is
    the pair's affinity where that is positive: the share of levels in common for label trees, closeness for continuous
    labels, 1 for classes. `ExponentialGain(grades=L)` and `DistanceGain()` are the other published ones.

    >>> from isometry.metrics.metric import Ranking
    >>> hits = torch.tensor([[False, True, True]])
    >>> NDCG(k=3).per_query(Ranking(hits, torch.tensor([2]), torch.tensor([2])))
    tensor([0.6934])
    """

    k: int | None = None
    """How many neighbours are looked at; all of them where it is None."""
    gain: Gain = fresh(AffinityGain)
    """What an item is worth."""

    def __post_init__(self) -> None:
        at_least_one(self.places, "NDCG")

    @property
    def places(self) -> int:
        """The cut-off."""
        return WHOLE if self.k is None else self.k

    @property
    def graded(self) -> bool:
        return not self.gain.of_gap

    @property
    def needs_gaps(self) -> bool:
        return self.gain.of_gap

    @property
    def needs_ranks(self) -> bool:
        return self.k is None and not self.gain.of_gap

    @property
    def gap_gain(self) -> Gain | None:
        return self.gain if self.gain.of_gap else None

    def depth(self, relevant: int) -> int:
        return 1 if self.needs_ranks else self.places

    def scored(self, ranking: Ranking) -> Bool[Tensor, " n"]:
        if ranking.least_gaps is None or not self.gain.of_gap:
            return ranking.relevant > 0
        return ranking.least_gaps.isfinite().any(1)

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        found, place, best = self._worth(ranking)
        value = (found / torch.log2(1 + place)).sum(1)
        return (value / self._ideal(best, ranking.relevant)).float()

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """Each place counts the mean gain of its group. Of gains of affinities, only for those in proportion to them."""
        if self.gain.of_gap:
            if repr(self.gain) not in ties.gap_gains or ties.least_gaps is None:
                raise ValueError(f"{self!r} reads sums of its gains: give Ties(…, gap_gains=…, least_gaps=…).")
            best = self.gain(ties.least_gaps[:, : self.places].double())
            return self._mean(ties, ties.gap_gains[repr(self.gain)], best)
        if ties.gain is not None and not self.gain.proportional:
            raise ValueError(f"{self!r} has no mean in closed form: the sum of affinities does not tell that of gains.")
        if self.k is None and ties.best is not None and bool((ties.relevant > ties.best.shape[1]).any()):
            raise ValueError(f"{self!r} compares with all gains that there are: give Ties(…, best=…) all of them.")
        return self._mean(ties, ties.hits if ties.gain is None else ties.gain, ties.best)

    def _mean(self, ties: Ties, gain: Tensor, best: Tensor | None) -> Float[Tensor, " n"]:
        """The value where every item has the mean gain of its group."""
        worth = gain.double() / ties.size.clamp_min(1)
        start, end = ties.start.clamp_max(self.places), (ties.start + ties.size).clamp_max(self.places)
        last = int(end.max()) if end.numel() else 0
        discount = 1 / torch.log2(torch.arange(2, last + 2, dtype=torch.float64, device=end.device))
        upto = torch.nn.functional.pad(discount.cumsum(0), (1, 0))
        return (worth * (upto[end] - upto[start])).sum(1) / self._ideal(best, ties.relevant)

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        gain = self.gain(torch.ones_like(ranking.rank) if ranking.gains is None else ranking.gains)
        best = dcg.ideal(gain, ranking.weight, self.places)
        gain = gain if self.k is None else gain * ranking.within(self.k)
        return ranking.total(gain / torch.log2(1 + ranking.rank)) / torch.where(best > 0, best, 1)

    def _worth(self, ranking: Ranking) -> tuple[Tensor, Tensor, Tensor | None]:
        """Gains in float64, at which places, and the largest that there are (None: as many ones as are relevant)."""
        if self.needs_ranks:
            rank, held = all_places(ranking)
            worth = held.double() if ranking.worth is None else self.gain(ranking.worth.double()) * held
            return worth, rank, None if ranking.worth is None else worth
        first, best = (ranking.gaps, ranking.least_gaps) if self.gain.of_gap else (ranking.gains, ranking.best)
        if first is None and not self.gain.of_gap:
            return ranking.hits[:, : self.places].double(), places(ranking)[:, : self.places], None
        if first is None or best is None:
            have = "gaps and least_gaps" if self.gain.of_gap else "best beside gains"
            raise ValueError(f"{self!r} reads more of a ranking: give it {have}.")
        found, best = (self.gain(x[:, : self.places].double()) for x in (first, best))
        return found, places(ranking)[:, : self.places], best

    def _ideal(self, best: Tensor | None, relevant: Tensor) -> Float[Tensor, " n"]:
        """The value of a perfect ranking; 1 where nothing is worth anything."""
        if best is None:
            best, many = (
                torch.ones(len(relevant), 1, dtype=torch.float64, device=relevant.device),
                relevant[:, None].double(),
            )
        else:
            best, many = best.double(), torch.ones_like(best, dtype=torch.float64)
        ideal = dcg.ideal(best, many, self.places)
        return torch.where(ideal > 0, ideal, 1)
