"""Proxy-NCA++ (Teh, DeVries and Taylor, ECCV 2020)."""

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import own
from isometry.reference import References
from isometry.references import Proxies
from isometry.relation import Relation


class ProxyNCAPlusPlus(Loss):
    """Makes an embedding's own proxy likely among all proxies, by their squared distances.

    ℓ_i = −log( e^{−D_iy/T} / Σ_c e^{−D_ic/T} ), D = ‖z − p‖² = 2 (1 − s) for unit vectors z and p with cosine s. The sum
    has the own proxy, which `ProxyNCA` leaves out: a probability, whose force ends when it is 1. T = 1/9 is the paper's. As
    D is 2 − 2s it is `NormSoftmax(temperature=T/2)`. The rest of the paper is no part of a loss: global max pooling, a
    layer norm without parameters before the last layer, fast proxies (`lr_multiple`), batches balanced over classes.
    """

    temperature: float = 1 / 9
    reference: References = fresh(Proxies)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        cost = own.negatives(sim, rel, plus_one=True, over=own.positive(sim, rel), scale=2 / self.temperature)
        return Cost(softmax=mean(cost, where=own.labelled(rel)))
