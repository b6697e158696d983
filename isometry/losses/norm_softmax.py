"""Normalised softmax (Zhai and Wu, "Classification is a strong baseline for deep metric learning", BMVC 2019)."""

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import own
from isometry.reference import References
from isometry.references import Proxies
from isometry.relation import Relation


class NormSoftmax(Loss):
    """Classifies by the cosine to one proxy a class.

    ℓ_i = −log( e^{s_iy/T} / Σ_c e^{s_ic/T} ). The paper normalises the head's input by a layer norm without parameters
    (`layer_norm` of the model). T = 0.05 is the paper's. Plain batches will do.
    """

    temperature: float = 0.05
    reference: References = fresh(Proxies)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        return Cost(softmax=mean(-own.log_likelihood(sim / self.temperature, rel), where=own.labelled(rel)))
