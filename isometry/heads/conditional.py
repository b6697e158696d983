"""A flow for each condition: z = τ(x | c), made of the couplings that heads are made of (Kingma and Dhariwal, "Glow", NeurIPS
2018, by way of Ardizzone et al., "Guided image generation with conditional invertible neural networks", 2019).

It is a flow of the pair (x, c) that keeps c, so that its determinant is that of ∂z/∂x.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isometry.heads.bijections import Affine, Chain, Permutation, Step, Subnet
from isometry.heads.flow import SEED


class ConditionalAffine(Affine):
    """Affine coupling of the first columns, which reads `given` further ones beside its half; these stay."""

    def __init__(self, dim: int, given: int, width: int, clamp: float, *, flipped: bool = False) -> None:
        super().__init__(dim, width, clamp, flipped=flipped)
        stays, moves = reversed(self.sizes) if flipped else self.sizes
        self.given, self.subnet = given, Subnet(stays + given, width, 2 * moves)

    def halves(self, x: Float[Tensor, "n p"]) -> tuple[Tensor, Tensor]:
        first, last, given = x.split([*self.sizes, self.given], 1)
        stays, moves = (last, first) if self.flipped else (first, last)
        return torch.cat([stays, given], 1), moves

    def joined(self, a: Tensor, b: Tensor) -> Float[Tensor, "n p"]:
        stays, given = a.tensor_split([a.shape[1] - self.given], 1)
        return torch.cat([b, stays, given] if self.flipped else [stays, b, given], 1)


class ConditionalGlow(nn.Module):
    """Maps x, under a condition c, to z: blocks of a fixed random permutation and two affine couplings, one for each half.

    Every coupling reads c. At its start the flow permutes, whatever c.
    """

    def __init__(self, dim: int, given: int, *, blocks: int, width: int, clamp: float) -> None:
        super().__init__()
        self.dim, generator = dim, torch.Generator().manual_seed(SEED)
        steps: list[Step] = []
        for _ in range(blocks):
            order = torch.cat([torch.randperm(dim, generator=generator), torch.arange(dim, dim + given)])
            both = (ConditionalAffine(dim, given, width, clamp, flipped=flipped) for flipped in (False, True))
            steps += [Permutation(order), *both]
        self.chain = Chain(dim + given, steps)

    def forward(
        self, x: Float[Tensor, "n d"], c: Float[Tensor, "n p"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, " n"]]:
        """z, and log |det ∂z/∂x| of each row, exactly."""
        z, log_det = self.chain.with_log_det(torch.cat([x, c], 1))
        return z[:, : self.dim], log_det

    def inverse(self, z: Float[Tensor, "n d"], c: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """x."""
        return self.chain.inverse(torch.cat([z, c], 1))[:, : self.dim]
