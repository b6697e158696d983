"""The largest discounted cumulative gain that a row can have."""

import torch
from jaxtyping import Float
from torch import Tensor


def ideal(gain: Float[Tensor, "n p"], weight: Float[Tensor, "n p"], k: int) -> Float[Tensor, " n"]:
    """Σ_{i≤k} gain_i / log2(1 + i) with the gains in falling order; one of weight w takes w places. No gradient."""
    return torch.ops.isometry.ideal_dcg(gain, weight, k)


@torch.library.custom_op("isometry::ideal_dcg", mutates_args=())
def _ideal(gain: Tensor, weight: Tensor, k: int) -> Tensor:
    gain, order = gain.masked_fill(weight <= 0, 0).sort(1, descending=True)
    weight = weight.gather(1, order)
    ends = weight.cumsum(1)
    last = int(ends.max().ceil().clamp_max(k)) if ends.numel() else 0
    discount = 1 / torch.log2(torch.arange(2, last + 3, device=gain.device, dtype=gain.dtype))
    upto = torch.nn.functional.pad(discount.cumsum(0), (1, 0))  # of the first 0, 1, 2, … places

    def filled(places: Tensor) -> Tensor:
        whole = places.clamp(0, last).long()
        return upto[whole] + (places.clamp(0, last) - whole) * discount[whole]

    return (gain * (filled(ends) - filled(ends - weight))).sum(1)


@_ideal.register_fake
def _(gain: Tensor, weight: Tensor, k: int) -> Tensor:
    return gain.new_empty(len(gain))
