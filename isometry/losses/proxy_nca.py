"""Proxy-NCA (Movshovitz-Attias, Toshev, Leung, Ioffe and Singh, "No fuss distance metric learning using proxies", ICCV 2017)."""

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import own
from isometry.reference import References
from isometry.references import Proxies
from isometry.relation import Relation


class ProxyNCA(Loss):
    """Pulls an embedding to its own class's proxy and pushes it from the others, the nearest most.

    ℓ_i = −log( e^{−D_iy} / Σ_{c≠y} e^{−D_ic} ), D = ‖scale z − scale p‖² = 2 scale² (1 − s) for unit vectors z and p with
    cosine s. The own proxy is not in the sum, as in the paper: the cost can be negative, and the pull never fades. Much
    code adds it to the sum, which makes the loss `ProxyNCAPlusPlus`. scale = 3 is that of the classic form in Proxy-NCA++'s
    code.
    """

    scale: float = 3.0
    reference: References = fresh(Proxies)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        nearness = 2 * self.scale**2 * sim
        cost = own.negatives(nearness, rel) - own.positive(nearness, rel)
        return Cost(nca=mean(cost, where=own.there(rel)))
