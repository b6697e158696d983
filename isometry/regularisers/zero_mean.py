"""The zero-mean regulariser of the signal-to-noise distance (Yuan et al., CVPR 2019)."""

from isometry.cost import Cost, mean
from isometry.embedded import Embedded
from isometry.term import Regulariser


class ZeroMean(Regulariser):
    """Keeps the components of each embedding around zero: (1/n) Σ_i |Σ_m z_im|.

    With zero-mean embeddings the SNR distance is ‖r − z‖² / ‖z‖².
    """

    def penalty(self, embedded: Embedded) -> Cost:
        return Cost(offset=mean(embedded.z.sum(1).abs()))
