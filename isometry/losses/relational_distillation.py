"""Relational knowledge distillation, the distance-wise form (Park, Kim, Lu and Cho, CVPR 2019)."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from isometry import distributed, engine
from isometry.cost import Cost, RowSum, divide, ratio
from isometry.embedded import Embedded, wrap
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relate, Relation
from isometry.relations import close_targets
from isometry.similarities import euclidean
from isometry.similarity import Similarity
from isometry.term import Term


class RelationalDistillation(Term):
    """Makes distances between embeddings those between a teacher's embeddings, each in units of its own mean.

    ℓ = mean_ij h( ‖z_i − z_j‖ / μ − ‖t_i − t_j‖ / ν ) over pairs of different items, with μ and ν the mean distances in the batch
    (of all ranks; μ with gradient), h(x) = x²/2 up to |x| = 1 and |x| − 1/2 beyond. Labels are the teacher's embeddings
    `[n t]`, in any number of dimensions and at any scale; a row with NaN is unknown. Neither side is normalised here: the
    paper normalises the teacher's embeddings and not the student's.

    The official code averages over all n² pairs, an item with itself included, and leaves exact duplicates out of the means. The
    angle-wise form needs the angles of all triplets and is not here.
    """

    relate: ClassVar[Relate] = staticmethod(close_targets)
    label_free: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.distances, self.huber = _Distances(), _Huber()

    def forward(self, embedded: Embedded | Tensor, y: Tensor, **roles: Any) -> Tensor:
        roles = {"ids": None, "weight": None, "against": None, "rows": None, **roles}
        z = wrap(embedded).z
        z = z if z.dtype == torch.float64 else z.float()
        queries, references = self.distances.sides(Embedded(z), y, **roles)
        terms = engine.cost(self.distances, queries, references)
        ours, theirs = (whole_mean(terms[side], queries.weight) for side in ("ours", "theirs"))
        scaled = (side._replace(z=side.z / ours, y=side.y / theirs) for side in (queries, references))
        huber, _ = engine.mean_cost(self.huber, *scaled)["huber"]
        return huber


class _Distances(Loss):
    """Distances of pairs, ours and the teacher's."""

    similarity: Similarity = euclidean
    relate: Relate = close_targets

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        pairs = masked.count(rel.any)
        gap = rel.gap.to(sim.dtype)
        return Cost(ours=ratio(-masked.total(sim, rel.any), pairs), theirs=ratio(masked.total(gap, rel.any), pairs))


class _Huber(Loss):
    """The difference of distances that were brought to one unit."""

    similarity: Similarity = euclidean
    relate: Relate = close_targets

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        apart = F.smooth_l1_loss(-sim, rel.gap.to(sim.dtype), reduction="none")
        return Cost(huber=ratio(masked.total(apart, rel.any), masked.count(rel.any)))


def whole_mean(term: RowSum, weight: Tensor | None) -> Float[Tensor, ""]:
    """The mean of a term over all ranks, for use in every row; 1 where it is 0."""
    total, count = term if weight is None else (term.total * weight, term.count * weight)
    both = distributed.joined(torch.stack([total.sum(), count.sum()])[None]).sum(0)
    found = divide(both[0], both[1].detach())
    return torch.where(found > 0, found, 1)
