"""Sets of points compared by the nearest point of the other set, both ways."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def both_ways(
    apart: Float[Tensor, "*b n s m r"], rows: Bool[Tensor, "*b n s"], cols: Bool[Tensor, "*b m r"]
) -> Float[Tensor, "*b n m"]:
    """Σ over a row's points of the least distance to a point of the column, plus the same the other way round.

    `apart` is the distance of every point to every point, `rows` and `cols` say which points there are. Where one of two
    sets is empty it is 0.

    >>> both_ways(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[True]]), torch.tensor([[True, True]]))
    tensor([[4.]])
    """
    there, here = cols[..., None, None, :, :], rows[..., None, None]
    out = apart.masked_fill(~there, torch.inf).amin(-1).masked_fill(~here[..., 0], 0).sum(-2)
    back = apart.masked_fill(~here, torch.inf).amin(-3).masked_fill(~cols[..., None, :, :], 0).sum(-1)
    total = out + back
    return total.masked_fill(total.isinf(), 0)


def extremes(points: Float[Tensor, "n s d"], known: Bool[Tensor, "n s"]) -> Float[Tensor, "n k"]:
    """The greatest and the least value of each coordinate over a set's points, divided by √2.

    Their Euclidean distance is at most that of `both_ways`: the set with the greater maximum of a coordinate has a point
    there, which lies at least as far in this coordinate from its nearest point of the other set. So a coordinate's
    difference is part of one of the distances summed; squares add up to at most Σ W², and Σ W² ≤ (Σ W)². The minima
    likewise, and the two halves share √2. Means of the points bound nothing: {a, a, b} and {a, b, b} are at distance 0.
    """
    low = points.masked_fill(~known[..., None], torch.inf).amin(1)
    high = points.masked_fill(~known[..., None], -torch.inf).amax(1)
    both = torch.cat([high, low], 1) / 2**0.5
    return both.masked_fill(both.isinf(), 0)
