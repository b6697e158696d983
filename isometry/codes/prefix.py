"""The first dimensions alone."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from isometry.codes.code import Code


class Prefix(Code):
    """The first `dim` dimensions in full precision, at length one again: for embeddings trained with `Matryoshka`.

    Dimensions of other embeddings are in no order; there it shows what any `dim` of them are worth.
    """

    dim: int
    """How many dimensions are kept."""

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError(f"Prefix(dim={self.dim}) keeps nothing: dim is 1 or more.")

    def learn(self, z: Float[Tensor, "n d"]) -> None:
        if z.shape[1] < self.dim:
            raise ValueError(f"{self!r} keeps more dimensions than the {z.shape[1]} that there are.")

    def seen(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        return torch.nn.functional.normalize(z[:, : self.dim], dim=1)

    def encode(self, z: Float[Tensor, "n d"]) -> UInt8[Tensor, "n b"]:
        return self.seen(z).float().contiguous().view(torch.uint8)

    def decode(self, code: UInt8[Tensor, "n b"]) -> Float[Tensor, "n e"]:
        return code.contiguous().view(torch.float32)
