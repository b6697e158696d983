"""Numbers hashed from numbers, in wrapping 64-bit arithmetic."""

from jaxtyping import Float, Int
from torch import Tensor


def hashed(x: Int[Tensor, "*s"]) -> Int[Tensor, "*s"]:
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014)."""
    x = x + -7046029254386353131
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -4658895280553007687
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -7723592293110705685
    return x ^ ((x >> 31) & 0x1FFFFFFFF)


def uniform(x: Int[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """A number in (0, 1) for each, float32, by its hash."""
    return ((hashed(x) >> 40) & 0x7FFFFF).float().add_(0.5) / 2**23
