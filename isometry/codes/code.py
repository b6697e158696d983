"""What a code is: a short form of an embedding, that a search can do with."""

from abc import abstractmethod

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from isometry.component import Component


class Code(Component):
    """Embeddings as a few bytes each. Subclasses write `learn`, `encode`, `decode` and `bytes_an_item`.

    `learn` reads its constants from embeddings (those of the training part, or of the gallery) before anything is encoded.
    """

    @abstractmethod
    def learn(self, z: Float[Tensor, "n d"]) -> None:
        """Sets the constants of the code."""

    @abstractmethod
    def encode(self, z: Float[Tensor, "n d"]) -> UInt8[Tensor, "n b"]:
        """The bytes of each row."""

    @abstractmethod
    def decode(self, code: UInt8[Tensor, "n b"]) -> Float[Tensor, "n e"]:
        """The embedding that the bytes stand for."""

    def seen(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        """Queries as they meet decoded items: in full precision, unless the code drops dimensions."""
        return z

    def reads(self, name: str) -> Tensor:
        """A constant that `learn` sets.

        Raises:
            ValueError: before it has.
        """
        value = getattr(self, name, None)
        if not isinstance(value, Tensor):
            raise ValueError(f"{self!r} has not seen any embeddings: call learn(z) first.")
        return value


def packed(bits: Tensor) -> UInt8[Tensor, "n b"]:
    """Booleans `[n d]`, eight to a byte, the first in the highest bit."""
    padded = torch.nn.functional.pad(bits.to(torch.uint8), (0, -bits.shape[1] % 8)).view(len(bits), -1, 8)
    weight = torch.tensor([128, 64, 32, 16, 8, 4, 2, 1], dtype=torch.uint8, device=bits.device)
    return (padded * weight).sum(2, dtype=torch.uint8)


def unpacked(code: UInt8[Tensor, "n b"], d: int) -> Tensor:
    """The first d bits of each row, as booleans."""
    shift = torch.arange(7, -1, -1, device=code.device, dtype=torch.uint8)
    return ((code[:, :, None] >> shift) & 1).flatten(1)[:, :d].bool()
