"""The linear flow: a square matrix kept invertible by its LU factors (as in Kingma and Dhariwal, NeurIPS 2018)."""

from isometry.heads.bijections import Step, Triangular
from isometry.heads.flow import Flow


class LU(Flow):
    """Turns, shears and scales the embedding by one more linear map whose determinant is known: z = L U (W h + b).

    L is lower triangular with ones on its diagonal, U upper triangular with eˢ on it. log |det J| = Σ s, the same at every
    point and at most d c. It can represent nothing that `Linear` cannot: it is the control of the flows that bend.

    >>> import torch
    >>> head = LU(in_features=8, dim=4)
    >>> head.pulled_back(torch.tensor([[0.0, 3.0, 4.0, 0.0]]))[2].tolist()
    [[0.0, 0.6000000238418579, 0.800000011920929, 0.0]]

    Raises:
        ValueError: for a size below 1, fewer than two dimensions, or a clamp that is not positive.
    """

    def steps(self) -> list[Step]:
        return [Triangular(self.dim, self.clamp)]
