"""Similarity to several centres (SoftTriple, Qian et al., ICCV 2019; sub-centre ArcFace, Deng et al., ECCV 2020)."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from isometry.component import Component
from isometry.ops.safe import normalize, softly_largest


class SoftOverCentres(Component):
    """Compares an embedding with all centres of a class by cosine, and the nearer a centre the more it counts.

    S = Σ_k q_k s_k, with q_k = e^{s_k/γ} / Σ_l e^{s_l/γ} and s_k the cosine to centre k. γ → 0 is `MaxOverCentres`, γ → ∞
    the mean over centres. S is γ log Σ_k e^{s_k/γ} less γ times the entropy of q. For references `[m k d]`, such as
    `Proxies(centres=10)`; of references `[m d]` it is the cosine. γ = 0.1 is the paper's.

    >>> import torch
    >>> SoftOverCentres()(torch.eye(2)[:1], torch.eye(2)[None]) < MaxOverCentres()(torch.eye(2)[:1], torch.eye(2)[None])
    tensor([[True]])
    """

    gamma: float = 0.1
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    sets: ClassVar[bool] = True

    def embed(self, z: Float[Tensor, "n *k d"]) -> Float[Tensor, "n *k d"]:
        """Unit vectors."""
        return normalize(z)

    def compare(self, z: Float[Tensor, "n d"], r: Float[Tensor, "m *k d"]) -> Float[Tensor, "n m"]:
        """Σ_k q_k s_k of unit vectors."""
        return self.gamma * softly_largest(to_centres(z / self.gamma, r))

    def forward(self, z: Float[Tensor, "n d"], r: Float[Tensor, "m *k d"]) -> Float[Tensor, "n m"]:
        return self.compare(self.embed(z), self.embed(r))


class MaxOverCentres(Component):
    """Compares an embedding with the nearest centre of a class, by cosine.

    S = max_k s_k. Only the nearest centre learns from an embedding, so that the others are free for images unlike it: wrong
    labels tend to gather at one of their own. For references `[m k d]`, such as `Proxies(centres=3)`; of references `[m d]`
    it is the cosine.
    """

    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    sets: ClassVar[bool] = True

    def embed(self, z: Float[Tensor, "n *k d"]) -> Float[Tensor, "n *k d"]:
        """Unit vectors."""
        return normalize(z)

    def compare(self, z: Float[Tensor, "n d"], r: Float[Tensor, "m *k d"]) -> Float[Tensor, "n m"]:
        """max_k s_k of unit vectors."""
        return to_centres(z, r).amax(1)

    def forward(self, z: Float[Tensor, "n d"], r: Float[Tensor, "m *k d"]) -> Float[Tensor, "n m"]:
        return self.compare(self.embed(z), self.embed(r))


def to_centres(z: Float[Tensor, "n d"], r: Float[Tensor, "m *k d"]) -> Float[Tensor, "n k m"]:
    """Products with every centre, from one matrix product."""
    centres = r.movedim(1, 0).flatten(0, 1) if r.ndim == 3 else r
    return (z @ centres.T).unflatten(1, (-1, len(r))) if len(r) else z.new_zeros(len(z), 1, 0)
