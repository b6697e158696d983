"""Sub-centre ArcFace (Deng, Guo, Liu, Gong and Zafeiriou, ECCV 2020)."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from isometry.component import fresh
from isometry.losses.arc_face import turned
from isometry.losses.margin_softmax import MarginSoftmax
from isometry.ops.safe import normalize
from isometry.reference import References
from isometry.references import Proxies
from isometry.similarities import MaxOverCentres
from isometry.similarity import Similarity


class SubCenterArcFace(MarginSoftmax):
    """Is ArcFace on the nearest of several centres of each class, so that wrong labels need not move the right ones.

    ℓ_i = −log( e^{scale cos(θ + margin)} / (e^{scale cos(θ + margin)} + Σ_{c≠y} e^{scale S_ic}) ), S_ic the cosine to the
    nearest centre of class c, θ the angle to the own class's. Defaults are the paper's: three centres a class, 0.5 radians,
    scale = 64. The paper then throws away what `clean` does not keep, and trains again with one centre a class.
    """

    margin: float = 0.5
    easy_margin: bool = False
    similarity: Similarity = fresh(MaxOverCentres)
    reference: References = fresh(Proxies, centres=3)

    def harder(self, own: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return turned(own, self.margin, self.easy_margin)

    @torch.no_grad()
    def clean(self, z: Float[Tensor, "n d"], y: Int[Tensor, " n"], degrees: float = 75.0) -> Bool[Tensor, " n"]:
        """Which images lie within `degrees` of their class's dominant centre: the one most of its images are nearest to.

        z are the embeddings of the whole training set, y their classes (0 … C − 1).
        """
        centres = normalize(self.reference.weight)  # type: ignore[union-attr]
        classes, k = centres.shape[:2]
        cosine = torch.linalg.vecdot(normalize(z).to(centres)[:, None], centres[y])
        crowd = torch.bincount(y * k + cosine.argmax(1), minlength=classes * k).view(classes, k)
        dominant = crowd.argmax(1)[y]
        return cosine.gather(1, dominant[:, None])[:, 0] >= math.cos(math.radians(degrees))
