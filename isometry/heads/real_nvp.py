"""The affine coupling flow (Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP", ICLR 2017)."""

from isometry.heads.bijections import Affine, Step
from isometry.heads.flow import Flow, pairs, subnet_width, woven


class RealNVP(Flow):
    """Bends the embedding by blocks that scale and shift one half of the dimensions as the other half says.

    A block keeps a and makes b into b eˢ + t, where (ŝ, t) = W₃ SiLU(W₂ SiLU(W₁ a)) with biases and s = c tanh(ŝ/c).
    Blocks take the two halves in turn, and every second time a new half, drawn at random once and for all. W₃ starts at
    zero, so that F starts as the identity, and log |det J| at 0.

    log |det J| is the sum of all s. The clamp c bounds it, by T (d/2) c for T blocks: it cannot run away, but neither
    can it say more than that; the Lipschitz constant is bounded by neither.

    Differs from the paper, whose networks and batch norm are for pictures, and whose s is tanh times a learned scale.

    Args:
        blocks: T. width: of the two hidden layers; 0: dim / 2, and at least 16.

    >>> import torch
    >>> head = RealNVP(in_features=8, dim=4)
    >>> z, log_det = head.with_log_det(head.start(torch.randn(2, 8)))
    >>> z.shape, log_det.tolist()
    (torch.Size([2, 4]), [0.0, 0.0])

    Raises:
        ValueError: for a size below 1, fewer than two dimensions, or a clamp that is not positive.
    """

    blocks: int = 4
    width: int = 0

    def steps(self) -> list[Step]:
        wide = subnet_width(self.dim, self.width, self.blocks)
        couplings = [Affine(self.dim, wide, self.clamp, flipped=bool(k % 2)) for k in range(self.blocks)]
        return woven(self.dim, pairs(couplings))
