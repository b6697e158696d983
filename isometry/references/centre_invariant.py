"""Centre-invariant regularisation (Wu, Liu, Li and Fu, "Deep face recognition with center invariant loss", 2017)."""

from jaxtyping import Float
from torch import Tensor

from isometry.references.penalty import Penalty


class CentreInvariant(Penalty):
    """Makes all proxies equally long, so that no class is favoured for having many images.

    (1/C) Σ_c ¼ (‖w_c‖² − mean_k ‖w_k‖²)². For similarities that see lengths, such as `squared_euclidean`; the cosine does
    not, and there the proxies' lengths only set how fast they turn.

    >>> import torch
    >>> CentreInvariant()(torch.tensor([[1.0, 0.0], [0.0, 3.0]]))  # ¼ (1 − 5)² and ¼ (9 − 5)²
    tensor(4.)
    """

    def cost(self, proxies: Float[Tensor, "c k d"]) -> Float[Tensor, ""]:
        squared = proxies.flatten(0, 1).square().sum(1)
        return (squared - squared.mean()).square().mean() / 4
