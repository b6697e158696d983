"""Average precision with hard ranks, and the slope of the line between two rankings. Over rows that fit the cache."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.ops.soft_ranks import tie
from isometry.ops.triplets import positives, tiles


def average_precision(
    score: Float[Tensor, "n m"], pos: Tensor, neg: Tensor, lam: float
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n m"]]:
    """AP of each row, and (r(s) − r(s + λ g)) / λ of each of its pairs, with r the ranks and g = −∂AP/∂r.

    Equals share the middle of their ranks. Only positives have a g: each is compared with the row where it is and where
    it would go, O(P·m) a row, and nothing is sorted. No gradient.
    """
    return torch.ops.isometry.average_precision(score, pos, neg, lam)


@torch.library.custom_op("isometry::average_precision", mutates_args=())
def _average_precision(score: Tensor, pos: Tensor, neg: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    value, slope = score.new_zeros(len(score)), torch.empty_like(score)
    for rows in tiles(score):
        value[rows] = _tile(score[rows], pos[rows], neg[rows], lam, slope[rows])
    return value, slope


@_average_precision.register_fake
def _(score: Tensor, pos: Tensor, neg: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    return score.new_empty(len(score)), torch.empty_like(score)


def _above(x: Tensor) -> Tensor:
    """1[x > 0], and ½ for equals."""
    return ((x > tie(x)).to(x.dtype) + (x >= -tie(x))).div_(2)


def _tile(score: Tensor, pos: Tensor, neg: Tensor, lam: float, slope: Tensor) -> Tensor:
    """AP of the rows; writes the slopes."""
    at, real = positives(pos)
    weight, own = pos.gather(1, at).to(score.dtype) * real, score.gather(1, at)
    many = weight.sum(1).clamp_min(1e-30)
    rest = (neg * ~(pos > 0)).to(score.dtype)  # pairs that are not positives
    both = neg.gather(1, at).to(score.dtype) + weight  # positives may be negatives too
    slope.zero_()
    rank, among, moved = torch.ones_like(own), torch.ones_like(own), torch.empty_like(own)
    for p in range(own.shape[1]):
        before = _above(score - own[:, p, None])
        beside = _above(own - own[:, p, None])
        among[:, p] = 0.5 + torch.linalg.vecdot(beside, weight)
        rank[:, p] = 0.5 + torch.linalg.vecdot(before, rest) + torch.linalg.vecdot(beside, both * real)
        moved[:, p] = own[:, p] + lam * among[:, p] / (many * rank[:, p].square())
        slope.addcmul_(_above(score - moved[:, p, None]) - before, weight[:, p, None])
    slope.mul_(rest).div_(lam)
    for p in range(own.shape[1]):
        then = 0.5 + torch.linalg.vecdot(_above(score - moved[:, p, None]), rest)
        then += torch.linalg.vecdot(_above(moved - moved[:, p, None]), both * real)
        slope.scatter_add_(1, at[:, p, None], ((rank[:, p] - then) / lam * both[:, p] * real[:, p])[:, None])
    return (weight * among / rank).sum(1) / many
