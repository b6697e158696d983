"""The first dimensions of an embedding (Kusupati et al., "Matryoshka representation learning", NeurIPS 2022)."""

from jaxtyping import Float
from torch import Tensor

from isometry.component import Component
from isometry.similarities.cosine import cosine
from isometry.similarity import Similarity


class Truncated(Component):
    """Compares the first `size` dimensions of both sides, as if there were no others.

    s(z, r) = similarity(z_{1:size}, r_{1:size}): proxies and memories are cut with z. A cosine is that of the cut vectors.

    Raises:
        ValueError: for embeddings of fewer dimensions.
    """

    size: int = 64
    similarity: Similarity = cosine

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"Truncated.size is a positive number of dimensions; got {self.size}.")
        self.bounds = self.similarity.bounds
        self.distance = getattr(self.similarity, "distance", self.bounds[1] == 0)
        self.sets = getattr(self.similarity, "sets", False)

    def embed(self, z: Float[Tensor, "n *k d"]) -> Float[Tensor, "n *k e"]:
        """The first `size` dimensions, mapped as the similarity does."""
        if z.shape[-1] < self.size:
            raise ValueError(f"Truncated(size={self.size}) needs as many dimensions; the embedding has {z.shape[-1]}.")
        return self.similarity.embed(z[..., : self.size])

    def compare(self, z: Float[Tensor, "n e"], r: Float[Tensor, "m *k e"]) -> Float[Tensor, "n m"]:
        """As the similarity does."""
        return self.similarity.compare(z, r)

    def forward(self, z: Float[Tensor, "n d"], r: Float[Tensor, "m *k d"]) -> Float[Tensor, "n m"]:
        return self.compare(self.embed(z), self.embed(r))
