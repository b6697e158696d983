"""Triplet loss (Schroff, Kalenichenko and Philbin, CVPR 2015; Hermans, Beyer and Leibe, 2017)."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from isometry.component import Component, fresh
from isometry.cost import Cost, mean, ratio
from isometry.loss import Loss
from isometry.ops import masked, triplets
from isometry.relation import Relation


class Select(Component):
    """Which triplets of a row take part."""

    @abstractmethod
    def cost(self, sim: Float[Tensor, "n m"], rel: Relation, margin: float) -> Cost:
        raise NotImplementedError


class AllTriplets(Select):
    """Every triplet, averaged over those that violate the margin ("batch all")."""

    def cost(self, sim: Float[Tensor, "n m"], rel: Relation, margin: float) -> Cost:
        return Cost(hinge=ratio(*triplets.hinge(sim, rel.pos, rel.neg, margin)))


class Hardest(Select):
    """The least similar positive and the most similar negative of each row ("batch hard", Hermans et al.)."""

    def cost(self, sim: Float[Tensor, "n m"], rel: Relation, margin: float) -> Cost:
        both = masked.some(rel.pos) & masked.some(rel.neg)
        violation = masked.largest(sim, rel.neg) - masked.smallest(sim, rel.pos) + margin
        return Cost(hinge=mean(violation.masked_fill(~both, 0).clamp_min(0), where=both))


class SemiHard(Select):
    """For each positive, the most similar negative that is less similar than it (Schroff et al.).

    Where every negative is at least as similar, the least similar negative. Averaged over positives.
    """

    def cost(self, sim: Float[Tensor, "n m"], rel: Relation, margin: float) -> Cost:
        partner = sim.gather(1, triplets.semi_hard(sim.detach(), rel.pos, rel.neg))
        violation = (partner - sim + margin).clamp_min(0)
        pos = masked.only(rel.pos.to(sim.dtype), masked.some(rel.neg)[:, None].expand_as(sim), fill=0.0)
        return Cost(hinge=ratio((violation * pos).sum(1), pos.sum(1)))


class Triplet(Loss):
    """Wants every positive more similar than every negative, by a margin.

    ℓ(a, p, n) = [s_an − s_ap + margin]₊, averaged as `select` says. On the unit sphere D² = 2 − 2s, so FaceNet's
    [D²_ap − D²_an + 0.2]₊ is exactly twice this loss at its default margin of 0.1. A row needs a positive and a negative.

    All triplets are counted without being enumerated: O(m log P) a row for P positives among m references.

    >>> import torch
    >>> z = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
    >>> Triplet()(z, torch.tensor([0, 0, 1]))
    tensor(0.2600)
    """

    margin: float = 0.1
    select: Select = fresh(AllTriplets)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        return self.select.cost(sim, rel, self.margin)
