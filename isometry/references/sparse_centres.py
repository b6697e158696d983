"""The regulariser of SoftTriple's centres (Qian, Shang, Sun, Hu, Li and Jin, ICCV 2019)."""

from jaxtyping import Float
from torch import Tensor

from isometry.ops.safe import normalize, sqrt
from isometry.references.penalty import Penalty


class SparseCentres(Penalty):
    """Draws the centres of each class together, so that a class keeps as many distinct ones as it needs.

    1/(C K (K−1)) Σ_c Σ_{s<t} ‖w_cs − w_ct‖, of unit vectors: half the mean distance of two centres of a class (the paper's
    divisor). The distance is not squared, so its pull does not fade as two centres come near each other, and they merge.
    Where they coincide there is no force; the official code adds 1e-5 below the root instead. One centre a class costs
    nothing.

    Only centres of the same class are compared: O(C K² d), where the official code makes a matrix of all C·K by C·K
    centres. `weight` is the paper's τ.

    >>> import torch
    >>> SparseCentres(weight=1.0)(torch.eye(2)[None])  # one class, two orthogonal centres: √2/2
    tensor(0.7071)
    """

    weight: float = 0.2

    def cost(self, proxies: Float[Tensor, "c k d"]) -> Float[Tensor, ""]:
        many, k = proxies.shape[:2]
        unit = normalize(proxies)
        apart = sqrt(2 - 2 * (unit @ unit.mT)).triu(1)
        return apart.sum() / max(1, many * k * (k - 1))
