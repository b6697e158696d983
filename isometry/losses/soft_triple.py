"""SoftTriple loss (Qian, Shang, Sun, Hu, Li and Jin, ICCV 2019)."""

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.losses.margin_softmax import MarginSoftmax
from isometry.reference import References
from isometry.references import Proxies, SparseCentres
from isometry.similarities import SoftOverCentres
from isometry.similarity import Similarity


class SoftTriple(MarginSoftmax):
    """Classifies by several centres a class, which share the class's images and merge where one is enough.

    ℓ_i = −log( e^{scale (S_iy − margin)} / (e^{scale (S_iy − margin)} + Σ_{c≠y} e^{scale S_ic}) ) + τ R, with S_ic the
    softly largest cosine to a centre of class c (`SoftOverCentres`) and R the centre regulariser (`SparseCentres`). With
    one centre a class it is CosFace. Defaults are the official code's: scale = λ = 20, margin = δ = 0.01, γ = 0.1, τ = 0.2,
    K = 10; for classes of few images the paper takes K = 2: `SoftTriple(reference=Proxies(centres=2,
    penalty=SparseCentres()))`.
    """

    scale: float = 20.0
    margin: float = 0.01
    similarity: Similarity = fresh(SoftOverCentres)
    reference: References = fresh(Proxies, centres=10, penalty=SparseCentres())

    def harder(self, own: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return own - self.margin
