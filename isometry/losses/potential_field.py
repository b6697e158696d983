"""Potential field based deep metric learning (Bhatnagar and Ahuja, CVPR 2025)."""

from jaxtyping import Float
from torch import Tensor

from isometry import distributed
from isometry.component import fresh
from isometry.cost import Cost, mean
from isometry.embedded import Embedded
from isometry.loss import Loss
from isometry.ops import potential
from isometry.reference import References
from isometry.references import BatchAndProxies
from isometry.relation import Relation
from isometry.samples import Samples
from isometry.similarities import chord
from isometry.similarity import Similarity, refuse_all_but_distances

NEAREST = 0.05
"""A share of the radius: below it the force between classes grows no further."""


class PotentialField(Loss):
    """Draws every point to those of its class, the near ones most, and pushes it out of a small ball around all others.

    ℓ_i = Σ_{k∈N_i} min(D_ik, δ)^{−α} − Σ_{j∈P_i} max(D_ij, δ)^{−α}, averaged over points: the batch and its proxies alike are
    drawn and pushed by both. D is the Euclidean distance of unit vectors, δ = `delta` and α = `alpha`. The force of a pair is
    α D^{−α−1}: a positive beyond δ pulls the less the farther it is, so that a wrong label or another view of the class is left
    alone, and within δ it does not pull at all; a negative pushes within δ only.

    The paper's energy is the sum over points. α = 3 is best in its ablations, where δ hardly matters between 0.1 and 0.35, and
    where 15 proxies a class do for 100 classes (`reference=BatchAndProxies(per_class=15)`; its M = 0 is `reference=batch`). There
    is no official code: this follows the authors' slides, which draw both potentials and write the energy down. They do not say
    whether proxies are normalised; here they are. Below δ/20 the push grows no further here, where the paper's has no end.

    With `rows=` or `against=` proxies are no queries; nor are what other references hold.

    >>> import isometry, torch
    >>> loss = PotentialField(alpha=1.0, delta=0.5, reference=isometry.references.batch)
    >>> z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> loss(z, torch.tensor([0, 0, 1]))  # the positives are √2 apart, all negatives beyond δ: (2 (2 − 1/√2) + 4) / 3
    tensor(2.1953)

    Raises:
        ValueError: for `alpha` or `delta` that is not above 0, and for a similarity that is not minus a distance.
    """

    alpha: float = 3.0
    delta: float = 0.2
    similarity: Similarity = chord
    reference: References = fresh(BatchAndProxies)

    def __post_init__(self) -> None:
        if not (self.alpha > 0 and self.delta > 0):
            raise ValueError(f"PotentialField wants alpha and delta above 0; got {self.alpha} and {self.delta}.")
        refuse_all_but_distances(self.similarity, "PotentialField")

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        energy = potential.energy(-sim, rel.pos, rel.neg, self.alpha, self.delta, NEAREST * self.delta)
        return Cost(energy=mean(energy, where=rel.known))

    def sides(
        self,
        embedded: Embedded,
        y: Tensor,
        ids: Tensor | None,
        weight: Tensor | None,
        against: tuple[Tensor, ...] | None,
        rows: Tensor | slice | None,
    ) -> tuple[Samples, Samples]:
        asked, references = super().sides(embedded, y, ids, weight, against, rows)
        if against is not None or rows is not None or not getattr(self.reference, "mutual", False):
            return asked, references
        return references.take(slice(distributed.rank(), None, distributed.ranks())), references
