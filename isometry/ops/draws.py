"""A negative for each positive of a row, drawn by lot and by weight."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.hashing import uniform
from isometry.ops.triplets import positives, tiles


def drawn(
    pos: Tensor, weight: Float[Tensor, "n m"], rows: Int[Tensor, " n"], cols: Int[Tensor, " m"]
) -> Int[Tensor, "n m"]:
    """For each positive of a row, a column of that row drawn in proportion to `weight`, by the pair's number.

    That is `hashing.uniform(rows + cols)`: `Noise.keys` gives both. A row's columns are passed through in the order of `cols`,
    so that their order in the batch does not matter and a weight is a multiplicity. 0 where there is no positive or no weight.
    """
    return torch.ops.isometry.drawn(pos, weight, rows, cols)


def often(
    pos: Tensor, weight: Float[Tensor, "n m"], rows: Int[Tensor, " n"], cols: Int[Tensor, " m"]
) -> Float[Tensor, "n m"]:
    """How often each column is drawn by its row's positives, each of which counts as often as `pos` says."""
    return torch.ops.isometry.often(pos, weight, rows, cols)


def at_shares(
    weight: Float[Tensor, "n m"], share: Float[Tensor, "n p"], order: Int[Tensor, " m"]
) -> Int[Tensor, "n p"]:
    """The columns at these shares of a row's weight, passed through in this order.

    >>> at_shares(torch.tensor([[1.0, 2.0, 1.0]]), torch.tensor([[0.1, 0.3, 0.7, 0.9]]), torch.tensor([2, 1, 0]))
    tensor([[2, 1, 1, 0]])
    """
    passed = weight[:, order].cumsum(1, dtype=torch.float64)
    place = torch.searchsorted(passed, share * passed[:, -1:], right=True)
    return order[place.clamp_max(len(order) - 1)]


def _tiles(pos: Tensor, weight: Tensor, rows: Tensor, cols: Tensor):  # type: ignore[no-untyped-def]
    order = cols.argsort(stable=True)
    for some in tiles(weight) if weight.shape[1] else ():
        at, real = positives(pos[some])
        if at.shape[1]:
            share = uniform(rows[some][:, None] + cols[at])
            yield some, at, real, at_shares(weight[some], share, order)


@torch.library.custom_op("isometry::drawn", mutates_args=())
def _drawn(pos: Tensor, weight: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    chosen = torch.zeros(weight.shape, dtype=torch.int64, device=weight.device)
    for some, at, real, partner in _tiles(pos, weight, rows, cols):
        row, slot = real.nonzero(as_tuple=True)
        chosen[some][row, at[row, slot]] = partner[row, slot]
    return chosen


@_drawn.register_fake
def _(pos: Tensor, weight: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    return torch.empty(weight.shape, dtype=torch.int64, device=weight.device)


@torch.library.custom_op("isometry::often", mutates_args=())
def _often(pos: Tensor, weight: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    many = torch.zeros_like(weight, memory_format=torch.contiguous_format)
    for some, at, real, partner in _tiles(pos, weight, rows, cols):
        any_weight = weight[some].amax(1, keepdim=True) > 0
        many[some].scatter_add_(1, partner, pos[some].gather(1, at).to(weight.dtype) * (real & any_weight))
    return many


@_often.register_fake
def _(pos: Tensor, weight: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    return torch.empty_like(weight, memory_format=torch.contiguous_format)
