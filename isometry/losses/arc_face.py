"""ArcFace, the additive angular margin loss (Deng, Guo, Xue and Zafeiriou, CVPR 2019)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.losses.margin_softmax import MarginSoftmax
from isometry.ops.angles import sine


class ArcFace(MarginSoftmax):
    """Classifies by the angle to one proxy a class, and wants the own class nearer than all others by an angle.

    ℓ_i = −log( e^{scale cos(θ + margin)} / (e^{scale cos(θ + margin)} + Σ_{c≠y} e^{scale s_ic}) ), s_ic the cosine to the
    proxy of
    class c and θ the angle to the own one. Defaults are the paper's: a margin of 0.5 radians and scale = 64, for faces.

    Where θ + margin passes π the cosine would rise again: there it is cos θ − margin · sin(margin), as in the official
    code, so that the cost only grows with the angle. `easy_margin`, also the code's, has a margin only where cos θ > 0; the
    cost then drops a step as θ passes 90°. Gradients are those of the formula; later official code treats the margin as a
    constant shift of the logit. At θ = 0 and θ = π, where the angle has no derivative, the margin adds no force.
    """

    margin: float = 0.5
    easy_margin: bool = False

    def harder(self, own: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return turned(own, self.margin, self.easy_margin)


def turned(cosine: Float[Tensor, " n"], margin: float, easy_margin: bool) -> Float[Tensor, " n"]:
    """cos(θ + margin), continued so that it falls with θ all the way to π."""
    farther = cosine * math.cos(margin) - sine(cosine) * math.sin(margin)
    if easy_margin:
        return torch.where(cosine > 0, farther, cosine)
    return torch.where(cosine > -math.cos(margin), farther, cosine - margin * math.sin(margin))
