"""The upper bound on the triplet loss (Do, Tran, Reid, Kumar, Hoang and Carneiro, "A theoretically sound upper bound on the
triplet loss for improving the efficiency of deep distance metric learning", CVPR 2019)."""

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.reference import References
from isometry.references import Simplex
from isometry.relation import Relation
from isometry.similarities import chord
from isometry.similarity import Similarity


class Discriminative(Loss):
    """Pulls each embedding to its class's fixed centroid and pushes it, a third as much, from the mean of the others.

    ‖z − c_y‖ − (1 / 3(C − 1)) Σ_{m ≠ y} ‖z − c_m‖, averaged over labelled rows. With classes of equal size and all triplets,
    3 (C − 1) (N/C − 1) (N/C) times its sum is an upper bound on Σ ‖z_a − z_p‖ − ‖z_a − z_n‖ (no hinge), by the triangle
    inequality; it costs batch × classes, and needs no pairs.

    Centroids do not move. The default is the paper's first kind, equally far from each other; its second are the means of
    clusters of pretrained features: `Discriminative(reference=Fixed(embeddings=c, labels=y))`. Unnormalised embeddings would
    have no lowest cost, so that `similarity` normalises; what the paper does is not known.
    """

    similarity: Similarity = chord
    reference: References = fresh(Simplex)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        pull, push = -masked.average(sim, rel.pos), masked.average(sim, rel.neg) / 3
        return Cost(pull=mean(pull, where=rel.known), push=mean(push, where=rel.known))
