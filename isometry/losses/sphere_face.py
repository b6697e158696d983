"""SphereFace (Liu, Wen, Yu, Li, Raj and Song, CVPR 2017), with embeddings of equal length (Liu et al., TPAMI 2022)."""

import math

from jaxtyping import Float
from torch import Tensor

from isometry.losses.margin_softmax import MarginSoftmax
from isometry.ops.angles import angle
from isometry.ops.stop import stop


class SphereFace(MarginSoftmax):
    """Classifies by the angle to one proxy a class, and wants the own class nearer than all others by a factor.

    ℓ_i = −log( e^{scale ψ(θ)} / (e^{scale ψ(θ)} + Σ_{c≠y} e^{scale s_ic}) ), s_ic the cosine to the proxy of class c, θ the
    angle to the own one, and ψ(θ) = (−1)^k cos(margin·θ) − 2k with k = ⌊margin·θ/π⌋: cos(margin·θ), continued so that it
    falls with θ all the way to π.

    The paper has the length of each embedding as its scale, margin = 4, and a slow blend from plain softmax that eases this
    margin in. Here every embedding has the length `scale`, as in the authors' later code, whose defaults these are (scale =
    30, margin = 1.5). That code also keeps the margin's shift of the logit out of the gradient; here gradients are those of
    the formula. At θ = 0 and θ = π, where the angle has no derivative, the own class exerts no force.
    """

    scale: float = 30.0
    margin: float = 1.5

    def harder(self, own: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        many = self.margin * angle(own)
        k = stop(many / math.pi).floor()
        return (1 - 2 * k.remainder(2)) * many.cos() - 2 * k
