"""The flow of invertible linear maps and couplings (Kingma and Dhariwal, "Glow", NeurIPS 2018), without places."""

from isometry.heads.bijections import Affine, Step, Triangular
from isometry.heads.flow import Flow, subnet_width, woven


class Glow(Flow):
    """Bends the embedding by blocks of a learned linear map x → L U x and two affine couplings, one for each half.

    L is lower triangular with ones on its diagonal, U upper triangular with eˢ on it, s clamped. So
    |log |det J|| ≤ 2 T d c for T blocks and clamp c. A block has twice the couplings of one of `RealNVP`, and costs a little
    more than twice as much.

    The paper's 1×1 convolution is the linear map, one picture having one place. Its permutation is fixed, as there, and
    undone at the end; its ActNorm, which sets scales from the first batch, is left out: F starts as the identity.

    Args:
        blocks: T. width: of the two hidden layers of a coupling; 0: dim / 2, and at least 16.

    >>> import torch
    >>> head = Glow(in_features=8, dim=4)
    >>> x = torch.randn(2, 4)
    >>> torch.allclose(head.inverse(head.flow(x)), x)
    True

    Raises:
        ValueError: for a size below 1, fewer than two dimensions, or a clamp that is not positive.
    """

    blocks: int = 4
    width: int = 0

    def steps(self) -> list[Step]:
        wide = subnet_width(self.dim, self.width, self.blocks)
        return woven(
            self.dim,
            [
                [
                    Triangular(self.dim, self.clamp),
                    Affine(self.dim, wide, self.clamp),
                    Affine(self.dim, wide, self.clamp, flipped=True),
                ]
                for _ in range(self.blocks)
            ],
        )
