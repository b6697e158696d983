"""Instance loss (Zheng, Zheng, Garrett, Yang, Xu and Shen, "Dual-path convolutional image-text embeddings", TOMM 2020)."""

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost
from isometry.loss import Loss
from isometry.losses.nca import among_all
from isometry.reference import References
from isometry.references import Proxies
from isometry.relation import Relation


class Instance(Loss):
    """Takes every instance (an image with its sentences, say) for a class of its own, and classifies.

    ℓ_i = −log( e^{γ s_iy} / Σ_c e^{γ s_ic} ), the labels being the instances' numbers. The classifier is shared by all
    modalities, which draws them into one space: `loss(torch.cat([image, text]), torch.cat([y, y]))`. Nothing relates a
    label to a position in the batch, and the order of rows does not matter.

    The paper's classifier is a linear layer on unscaled features; cosines are the author's later code, γ = 64 as peers
    have it, which makes it `NormSoftmax` at T = 1/64. `Instance(reference=batch)` keeps no classifier: it recognises an
    instance among the batch by its other views, −log( Σ_P e^{γs} / Σ e^{γs} ).
    """

    gamma: float = 64.0
    reference: References = fresh(Proxies)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        return Cost(instance=among_all(self.gamma * sim, rel))
