"""A byte a dimension."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from isometry.codes.code import Code


class Int8(Code):
    """Every dimension rounded to one of 255 even steps: a quarter of the bytes, for next to no loss.

    c_i = round(127 z_i / s_i), clipped to ±127, where s_i is the largest |z_i| that was seen; z ≈ s c / 127. The rounding
    error is at most s_i / 254 in each dimension, unless a new item lies outside what was seen.
    """

    def __post_init__(self) -> None:
        self.register_buffer("scale", None)

    def learn(self, z: Float[Tensor, "n d"]) -> None:
        self.scale = z.abs().amax(0).clamp_min(torch.finfo(torch.float32).tiny)

    def encode(self, z: Float[Tensor, "n d"]) -> UInt8[Tensor, "n b"]:
        step = (127 * z / self.reads("scale")).round().clamp(-127, 127)
        return (step + 128).to(torch.uint8)

    def decode(self, code: UInt8[Tensor, "n b"]) -> Float[Tensor, "n e"]:
        return (code.float() - 128) * self.reads("scale") / 127
