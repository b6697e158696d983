"""P2SGrad (Zhang et al., "P2SGrad: refined gradients for optimizing deep face models", CVPR 2019)."""

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.reference import References
from isometry.references import Proxies
from isometry.relation import Relation


class P2SGrad(Loss):
    """Turns an embedding to its own class's proxy and square to all others, by forces that have no knobs.

    ℓ_i = ½ Σ_c (s_ic − [c = y])², s the cosine. The paper states the force alone: the softmax's gradient with respect to
    s_ic, with s_ic − [c = y] in place of p_ic − [c = y], so that it neither saturates nor needs a scale or a margin. This
    is the value whose gradient that is, summed over classes (not averaged: then the force would fade as classes are added).
    """

    reference: References = fresh(Proxies)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        squared = (sim - (rel.pos > 0).to(sim.dtype)).square()
        return Cost(angles=mean(masked.total(squared, rel.any) / 2, where=rel.known))
