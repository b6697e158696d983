"""Two bytes a dimension."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from isometry.codes.code import Code


class Float16(Code):
    """Every dimension in half precision: half the bytes, and a relative error of 2⁻¹¹ at most.

    Dimensions beyond ±65504 are cut to it; those of rows of length one are within it by far.
    """

    def learn(self, z: Float[Tensor, "n d"]) -> None:
        """There is nothing to learn."""

    def encode(self, z: Float[Tensor, "n d"]) -> UInt8[Tensor, "n b"]:
        return z.clamp(-65504, 65504).half().contiguous().view(torch.uint8)

    def decode(self, code: UInt8[Tensor, "n b"]) -> Float[Tensor, "n e"]:
        return code.contiguous().view(torch.float16).float()
