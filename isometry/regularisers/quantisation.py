"""Quantisation of codes (Liu, Wang, Shan and Chen, "Deep supervised hashing for fast image retrieval", CVPR 2016)."""

from isometry.cost import Cost, mean
from isometry.embedded import Embedded
from isometry.term import Regulariser


class Quantisation(Regulariser):
    """Drives every component to 1 or −1, so that little is lost when only its sign is kept.

    (1/n) Σ_i ‖|z_i| − 1‖₁, on embeddings that are not normalised; 0.01 times it is the paper's. With a loss over the
    signal-to-noise distance it makes the hashing form of that work (DSNRH, Yuan et al., CVPR 2019):
    `Triplet(similarity=SNR()) + 0.01 * Quantisation()`; which loss and weight that paper took is not settled, and
    on the embedded letters that weight draws all into one corner, where 0.001 does not. Codes are compared by `hamming`.
    """

    def penalty(self, embedded: Embedded) -> Cost:
        return Cost(distance=mean((embedded.z.abs() - 1).abs().sum(1)))
