"""The soft margin (Hermans, Beyer and Leibe, "In defense of the triplet loss for person re-identification", 2017)."""

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost
from isometry.losses.select import AllTriplets, Select
from isometry.relation import Relation
from isometry.similarity import Similarity


class SoftMargin(Select):
    """Puts log(1 + e^{scale (s_n − s_p)}) in place of the hinge: no triplet is ever quite content, hard ones weigh more.

    Averaged over the triplets of `select`; the loss's `margin` is not read. `Triplet(similarity=euclidean,
    select=SoftMargin(select=Hardest()))` is the paper's batch-hard soft-margin loss, whose scale is 1 and whose distances are
    not normalised. Cosines differ by at most 2, so that with them a scale near 1 weighs all triplets nearly alike.

    All triplets cost O(m P) a row for P positives among m references, and no memory beyond the pair matrix.
    """

    select: Select = fresh(AllTriplets)
    scale: float = 1.0

    def cost(self, sim: Float[Tensor, "n m"], rel: Relation, margin: float) -> Cost:
        return self.select.soft(sim, rel, self.scale)

    def soft(self, sim: Float[Tensor, "n m"], rel: Relation, scale: float) -> Cost:
        return self.select.soft(sim, rel, self.scale * scale)

    def check(self, similarity: Similarity) -> None:
        self.select.check(similarity)
