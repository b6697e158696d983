"""k-reciprocal neighbours (Zhong et al., "Re-ranking person re-identification with k-reciprocal encoding", CVPR 2017)."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from isometry.ops.neighbours import rows_in


def mutual(rank: Int[Tensor, "N k"], rows: Int[Tensor, " c"], depth: int) -> Bool[Tensor, "c t"]:
    """Whether each of the first `depth` items of a list has the list's owner among its own first `depth`."""
    return (rank[rank[rows, :depth], :depth] == rows[:, None, None]).any(2)


def reciprocal_sets(rank: Int[Tensor, "N k"], memory: str | int = "512 MB") -> Iterator[tuple[slice, Tensor]]:
    """The k-reciprocal neighbours of each item, with those of its neighbours that fit in: rows and members `[c s]`.

    R(i, k) = {j ∈ first k of i : i ∈ first k of j}. The set of a member j, with half of the k, is added where more than
    two thirds of it lie in R(i, k). Lists are given in full (k = all columns) and begin with their owner; half of k₁ is
    rounded to even as numpy rounds (5 → 2, 7 → 4). Members rise, and are padded with −1.
    """
    n, k = rank.shape
    half = round((k - 1) / 2) + 1
    step = rows_in(memory, 32 * k * (k + half))
    chunks = torch.arange(n, device=rank.device).split(step)
    inner_sets = torch.cat([_known(rank[rows, :half], mutual(rank, rows, half)) for rows in chunks])
    for rows in chunks:
        first = rank[rows]
        own = _known(first, mutual(rank, rows, k))
        offered = inner_sets[first]  # [c k half]
        there = offered >= 0
        shared = _among(offered.flatten(1), own).view_as(offered) & there
        taken = (own >= 0) & (3 * shared.sum(2) > 2 * there.sum(2))
        offered = torch.where(taken[:, :, None], offered, -1)
        together = torch.cat([own, offered.flatten(1)], 1).sort(1).values
        together[:, 1:][together[:, 1:] == together[:, :-1]] = -1
        yield slice(int(rows[0]), int(rows[-1]) + 1), together


def _known(index: Tensor, where: Tensor) -> Tensor:
    return torch.where(where, index, -1)


def _among(x: Int[Tensor, "c s"], members: Int[Tensor, "c k"]) -> Bool[Tensor, "c s"]:
    """Whether each x is one of its row's members."""
    ordered = members.sort(1).values
    at = torch.searchsorted(ordered, x).clamp_max(members.shape[1] - 1)
    return ordered.gather(1, at) == x
