"""CosFace, the large margin cosine loss (Wang et al., CVPR 2018)."""

from jaxtyping import Float
from torch import Tensor

from isometry.losses.margin_softmax import MarginSoftmax


class CosFace(MarginSoftmax):
    """Classifies by the cosine to one proxy a class, and wants the own class ahead of all others by a margin.

    ℓ_i = −log( e^{scale (s_iy − margin)} / (e^{scale (s_iy − margin)} + Σ_{c≠y} e^{scale s_ic}) ). Defaults are the
    paper's: margin = 0.35 and scale = 64, for faces. With margin 0 it is `NormSoftmax(temperature=1/scale)`.
    """

    margin: float = 0.35

    def harder(self, own: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return own - self.margin
