"""Dense triplets of continuous labels (Kim, Seo, Laptev, Cho and Kwak, "Deep metric learning beyond binary supervision",
CVPR 2019): the baseline that shares the log-ratio loss's mining.
"""

import math

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, ratio
from isometry.loss import Loss
from isometry.ops import label_order
from isometry.relation import Relate, Relation
from isometry.relations import close_targets
from isometry.similarities import chord
from isometry.similarity import Similarity, refuse_all_but_distances


class DenseTriplet(Loss):
    """Wants whatever is nearer by label to be nearer by embedding, by a margin.

    ℓ(a, i, j) = [D²(a,i) − D²(a,j) + margin]₊, averaged over all triplets with D_y(a,i) < D_y(a,j), those that cost nothing
    among them. D is minus the similarity: the distance on the unit sphere by default, since the paper normalises embeddings
    for its triplets. Equal label distances make no triplet. `relate` gives the label distance (`Relation.gap`).

    It reads the order of label distances alone, and is unchanged by any increasing function of them. All triplets are
    counted without being enumerated: O(m log m) a row.

    >>> import torch
    >>> z = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])
    >>> DenseTriplet()(z, torch.tensor([0.0, 1.0, -2.0]), rows=slice(1))  # .8 − .4 + .03
    tensor(0.4300)

    Raises:
        ValueError: for a negative margin, and for a similarity that is not minus a distance.
    """

    margin: float = 0.03
    """Of squared distances."""
    similarity: Similarity = chord
    relate: Relate = close_targets

    def __post_init__(self) -> None:
        if not 0 <= self.margin < math.inf:
            raise ValueError(f"DenseTriplet.margin is 0 or more; got {self.margin:g}.")
        refuse_all_but_distances(self.similarity, "DenseTriplet")

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        return Cost(hinge=ratio(*label_order.hinge(sim.square(), rel.gap, rel.any, self.margin)))
