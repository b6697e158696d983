"""Softmax over classes that is harder on the own class: what CosFace, ArcFace, SphereFace and SoftTriple have in common."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import own
from isometry.reference import References
from isometry.references import Proxies
from isometry.relation import Relation


class MarginSoftmax(Loss):
    """Base of the softmax losses with a margin: says how similar the own class counts as.

    −log( e^{scale h_y} / (e^{scale h_y} + Σ_{c≠y} e^{scale s_c}) ), h_y what s_y counts as, written as
    log(1 + Σ_{c≠y} e^{scale (s_c − h_y)}): then no digits are lost where the scale is large or the own class far ahead. Of
    several positives the mean similarity counts.
    """

    scale: float = 64.0
    reference: References = fresh(Proxies)

    @abstractmethod
    def harder(self, own: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """What a similarity to the own class counts as: less than it is."""

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        least = self.harder(own.positive(sim, rel))
        cost = own.negatives(sim, rel, plus_one=True, over=least, scale=self.scale)
        return Cost(softmax=mean(cost, where=own.labelled(rel)))
