"""Which triplets of a row take part, and how those that do are added up: a part of `Triplet`."""

from abc import abstractmethod

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from isometry.component import Component
from isometry.cost import Cost, ratio
from isometry.ops import masked, triplets
from isometry.relation import Relation
from isometry.similarity import Similarity


class Select(Component):
    """Which triplets of a row take part."""

    @abstractmethod
    def cost(self, sim: Float[Tensor, "n m"], rel: Relation, margin: float) -> Cost:
        """[s_n − s_p + margin]₊ of the triplets."""

    @abstractmethod
    def soft(self, sim: Float[Tensor, "n m"], rel: Relation, scale: float) -> Cost:
        """log(1 + e^{scale (s_n − s_p)}) of the triplets."""

    def check(self, similarity: Similarity) -> None:
        """Refuses a similarity that it cannot read."""


class Chosen(Select):
    """At most one triplet for each pair of a row, written down."""

    @abstractmethod
    def gaps(self, sim: Float[Tensor, "n m"], rel: Relation) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
        """s_n − s_p of the chosen triplets, and how often each counts."""

    def cost(self, sim: Float[Tensor, "n m"], rel: Relation, margin: float) -> Cost:
        gap, weight = self.gaps(sim, rel)
        return Cost(hinge=ratio(masked.total((gap + margin).clamp_min(0), weight), weight.sum(1)))

    def soft(self, sim: Float[Tensor, "n m"], rel: Relation, scale: float) -> Cost:
        gap, weight = self.gaps(sim, rel)
        return Cost(soft=ratio(masked.total(F.softplus(scale * gap, threshold=50), weight), weight.sum(1)))


class AllTriplets(Select):
    """Every triplet, averaged over those that violate the margin ("batch all")."""

    def cost(self, sim: Float[Tensor, "n m"], rel: Relation, margin: float) -> Cost:
        return Cost(hinge=ratio(*triplets.hinge(sim, rel.pos, rel.neg, margin)))

    def soft(self, sim: Float[Tensor, "n m"], rel: Relation, scale: float) -> Cost:
        return Cost(soft=ratio(*triplets.soft(sim, rel.pos, rel.neg, scale)))


class Hardest(Chosen):
    """The least similar positive and the most similar negative of each row ("batch hard", Hermans et al.)."""

    def gaps(self, sim: Float[Tensor, "n m"], rel: Relation) -> tuple[Float[Tensor, "n 1"], Float[Tensor, "n 1"]]:
        both = (masked.some(rel.pos) & masked.some(rel.neg))[:, None]
        gap = (masked.largest(sim, rel.neg) - masked.smallest(sim, rel.pos))[:, None]
        return gap.masked_fill(~both, 0), both.to(sim.dtype)


class SemiHard(Chosen):
    """For each positive, the most similar negative that is less similar than it (Schroff et al.).

    Where every negative is at least as similar, the least similar negative. Averaged over positives.
    """

    def gaps(self, sim: Float[Tensor, "n m"], rel: Relation) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n m"]]:
        partner = sim.gather(1, triplets.semi_hard(sim.detach(), rel.pos, rel.neg))
        return partner - sim, rel.pos.to(sim.dtype) * masked.some(rel.neg)[:, None]
