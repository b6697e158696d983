"""Dynamic soft margin (Zhang and Rusinkiewicz, "Learning local descriptors with a CDF-based dynamic soft margin", ICCV 2019)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from isometry import engine
from isometry.cost import Cost, ratio
from isometry.embedded import Embedded, wrap
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation
from isometry.similarities import chord
from isometry.similarity import Similarity


class DynamicSoftMargin(Loss):
    """Weighs each triplet by the share of triplets that were easier of late: no margin and no temperature to set.

    w (D_ap − D_an), w = F(D_ap − D_an) held constant, averaged over positives, each with the most similar negative of its
    row. F is the running distribution of D_ap − D_an in `bins` bins: `loss.observe(z, y, ids)`, once a step and before
    `forward`, moves it towards this batch's by `momentum` (all the way the first time); until then it is even. It is saved.

    Defaults are the official code's, whose batches are matching pairs, and whose negative is the more similar of those of
    both ends; here each end of a pair is a row of its own.

    Raises:
        ValueError: for a similarity without bounds.
    """

    bins: int = 512
    momentum: float = 0.01
    similarity: Similarity = chord

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.similarity.bounds)):
            raise ValueError(f"DynamicSoftMargin counts differences in bins; {self.similarity!r} has no bounds.")
        self.histogram: Tensor
        self.observed: Tensor
        self.register_buffer("histogram", torch.full((self.bins,), 1 / self.bins))
        self.register_buffer("observed", torch.zeros((), dtype=torch.int64))

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        gap, weight = hardest_gaps(sim, rel)
        easier = self.histogram.cumsum(0).to(sim.dtype)[place(gap.detach(), self).long()]
        return Cost(soft=ratio(masked.total(easier * gap, weight), weight.sum(1)))

    @torch.no_grad()
    def observe(self, embedded: Embedded | Tensor, y: Tensor, ids: Tensor | None = None) -> None:
        super().observe(embedded, y, ids)
        shared = {name: getattr(self, name) for name in ("similarity", "reference", "miner", "relate")}
        counting = _Counting(of=self, **shared)
        sides = counting.sides(wrap(embedded), y, ids, None, None, None)
        found = engine.means(engine.cost(counting, *sides), None)["histogram"].to(self.histogram)
        some = found.sum() > 0
        self.histogram.lerp_(found, torch.where(self.observed > 0, self.momentum, 1.0).to(found) * some)
        self.observed += some


class _Counting(Loss):
    """The distribution of the differences of a batch."""

    of: DynamicSoftMargin

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        gap, weight = hardest_gaps(sim, rel)
        at = place(gap, self.of)
        lower, beyond = at.long(), at - at.floor()
        upper = (lower + 1).clamp_max(self.of.bins - 1)
        histogram = sim.new_zeros(len(sim), self.of.bins)
        histogram = histogram.scatter_add(1, lower, weight * (1 - beyond)).scatter_add(1, upper, weight * beyond)
        return Cost(histogram=ratio(histogram, weight.sum(1)))


def hardest_gaps(sim: Float[Tensor, "n m"], rel: Relation) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n m"]]:
    """s_n − s_p of each positive with the row's most similar negative, and how often it counts."""
    there = masked.some(rel.neg)[:, None]
    hardest = torch.where(there, masked.largest(sim, rel.neg)[:, None], 0)
    return hardest - sim, rel.pos.to(sim.dtype) * there


def place(gap: Float[Tensor, "n m"], loss: DynamicSoftMargin) -> Float[Tensor, "n m"]:
    """Where between the first bin and the last a difference falls, 0 … bins − 1."""
    low, high = loss.similarity.bounds
    return ((gap / (high - low) + 1) / 2 * (loss.bins - 1)).clamp(0, loss.bins - 1)
