"""The additive coupling flow (Dinh, Krueger and Bengio, "NICE: Non-linear independent components estimation", 2015)."""

from isometry.heads.bijections import Additive, Diagonal, Step
from isometry.heads.flow import Flow, pairs, subnet_width, woven


class NICE(Flow):
    """Bends the embedding by blocks that shift one half of the dimensions as the other half says, and scales it at the end.

    The shifts keep volume: log |det J| = Σ s of the last scales eˢ alone, the same at every point and without a gradient
    with respect to it. A regulariser of the determinant therefore moves nothing but these scales; one of the volume on
    the sphere still sees the shifts. |log |det J|| ≤ d c, c the clamp.

    Args:
        blocks: couplings. width: of their two hidden layers; 0: dim / 2, and at least 16.

    >>> import torch
    >>> head = NICE(in_features=8, dim=4)
    >>> head.with_log_det(torch.randn(2, 4))[1].tolist()
    [0.0, 0.0]

    Raises:
        ValueError: for a size below 1, fewer than two dimensions, or a clamp that is not positive.
    """

    blocks: int = 4
    width: int = 0

    def steps(self) -> list[Step]:
        wide = subnet_width(self.dim, self.width, self.blocks)
        couplings = [Additive(self.dim, wide, flipped=bool(k % 2)) for k in range(self.blocks)]
        return [*woven(self.dim, pairs(couplings)), Diagonal(self.dim, self.clamp)]
