"""A bit a dimension."""

from jaxtyping import Float, UInt8
from torch import Tensor

from isometry.codes.code import Code, packed, unpacked


class Binary(Code):
    """The sign of every dimension, about its median: a 32nd of the bytes.

    b_i = 1[z_i > m_i] with the medians m of what was seen; a decoded item is ±1/√d. Queries in full precision meet it by
    Σ_i z_i (±1); queries that are coded too are compared by Hamming distance, which has the same order as the inner
    product of two decoded items: zᵀz' = 1 − 2 h / d.
    """

    def __post_init__(self) -> None:
        self.register_buffer("middle", None)

    def learn(self, z: Float[Tensor, "n d"]) -> None:
        self.middle = z.median(0).values

    def encode(self, z: Float[Tensor, "n d"]) -> UInt8[Tensor, "n b"]:
        return packed(z > self.reads("middle"))

    def decode(self, code: UInt8[Tensor, "n b"]) -> Float[Tensor, "n e"]:
        d = len(self.reads("middle"))
        return (2 * unpacked(code, d).float() - 1) / d**0.5
