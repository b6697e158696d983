"""Margin loss (Wu, Manmatha, Smola and Krähenbühl, "Sampling matters in deep embedding learning", ICCV 2017)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isometry.component import fresh, from_data
from isometry.cost import Cost, ratio
from isometry.loss import Loss
from isometry.miner import Miners
from isometry.miners import DistanceWeightedMiner
from isometry.ops import masked
from isometry.relation import Relation
from isometry.similarities import chord
from isometry.similarity import Similarity


class Margin(Loss):
    """Wants positives nearer than β − margin and negatives farther than β + margin, and learns the boundary β.

    [margin + D_ap − β]₊ over positives, [margin + β − D_an]₊ over negatives, together averaged over the pairs that cost
    something. The miner draws one negative for each positive, evenly over distances. `beta` is where the boundary starts;
    `per_class` learns one for each class of the query (the paper also has one for each image). `nu` times the mean β of the
    costly pairs is added: the paper's penalty, 0 in the official code. Defaults are the official code's.

    `lr_multiple` is β's: the official code has a rate of its own for it, Roth et al. (ICML 2020) 50 times the network's.

    >>> import torch
    >>> y = torch.tensor([0, 0, 1])
    >>> z = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> round(Margin(dim=2, margin=0.4)(z, y).item(), 4)
    0.3855

    Raises:
        ValueError: for labels outside 0 … C − 1 where each class has its boundary.
    """

    margin: float = 0.2
    beta: float = 1.2
    per_class: bool = False
    nu: float = 0.0
    lr_multiple: float = 50.0  # type: ignore[misc]
    similarity: Similarity = chord
    miner: Miners = fresh(DistanceWeightedMiner)
    num_classes: int = from_data(1)

    def __post_init__(self) -> None:
        self.boundary = nn.Parameter(torch.full((self.num_classes if self.per_class else 1,), self.beta))

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        beta = self.boundary.to(sim.dtype)[:, None]
        if self.per_class:
            beta = beta[self._known(rel.rows).clamp_min(0)]  # type: ignore[arg-type]
        pulled, pulls = masked.hinge(self.margin - sim - beta, rel.pos)
        pushed, pushes = masked.hinge(self.margin + beta + sim, rel.neg)
        costly = pulls + pushes
        total = pulled + pushed
        return Cost(margin=ratio(total + self.nu * beta[:, 0] * costly, costly))

    def _known(self, y: Tensor) -> Tensor:
        if (
            not torch.compiler.is_compiling()
            and y.numel()
            and y.device.type == "cpu"
            and int(y.max()) >= self.num_classes
        ):
            raise ValueError(f"Label {int(y.max())} has no boundary: labels are 0 … {self.num_classes - 1}.")
        return y
