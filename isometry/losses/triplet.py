"""Triplet loss (Schroff, Kalenichenko and Philbin, CVPR 2015; Hermans, Beyer and Leibe, 2017)."""

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost
from isometry.loss import Loss
from isometry.losses.select import AllTriplets, Select
from isometry.relation import Relation


class Triplet(Loss):
    """Wants every positive more similar than every negative, by a margin.

    ℓ(a, p, n) = [s_an − s_ap + margin]₊, averaged as `select` says. On the unit sphere D² = 2 − 2s, so FaceNet's
    [D²_ap − D²_an + 0.2]₊ is exactly twice this loss at its default margin of 0.1. A row needs a positive and a negative.

    All triplets are counted without being enumerated: O(m log P) a row for P positives among m references.

    >>> import torch
    >>> z = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
    >>> Triplet()(z, torch.tensor([0, 0, 1]))
    tensor(0.2600)

    Raises:
        ValueError: for a similarity that `select` cannot read.
    """

    margin: float = 0.1
    select: Select = fresh(AllTriplets)

    def __post_init__(self) -> None:
        self.select.check(self.similarity)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        return self.select.cost(sim, rel, self.margin)
