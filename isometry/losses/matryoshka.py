"""Nested embeddings (Kusupati et al., "Matryoshka representation learning", NeurIPS 2022)."""

import copy
from typing import Any

import torch
from torch import Tensor

from isometry.around import Around
from isometry.component import fresh, from_data
from isometry.embedded import Embedded, wrap
from isometry.loss import Loss
from isometry.losses.multi_similarity import MultiSimilarity
from isometry.similarities import Truncated


class Matryoshka(Around):
    """Makes the first dimensions of an embedding an embedding by themselves: it can be cut short after training.

    ℓ = Σ_k ℓ_loss(z_{1:k}) over the sizes k in `dims`, each of weight 1 as in the paper. Any loss: proxies and memories are cut
    with z, and shared by all sizes (the paper's tied weights); what proxies cost by themselves is added once a size. Without
    `dims` the sizes are the paper's: d, d/2, d/4, … down to 8.

    Raises:
        ValueError: for sizes that the embedding does not have.

    >>> Matryoshka(loss=MultiSimilarity(alpha=1), dims=(8, 64), dim=128)
    Matryoshka(loss=MultiSimilarity(alpha=1.0), dims=(8, 64))
    """

    loss: Loss = fresh(MultiSimilarity)
    dims: tuple[int, ...] = ()
    dim: int = from_data()

    def __post_init__(self) -> None:
        sizes = self.dims or halves(self.dim)
        wrong = [k for k in sizes if not isinstance(k, int) or not 0 < k <= self.dim]
        if wrong:
            raise ValueError(f"Matryoshka.dims are sizes from 1 to the embedding's {self.dim}; got {wrong[0]!r}.")
        self.cuts = [cut(self.loss, size) for size in sizes]  # not sub-modules of their own: all share the loss's

    @property
    def stats(self) -> dict[str, float]:
        """The loss's, of the first of the sizes."""
        return self.cuts[0].stats

    def forward(self, embedded: Embedded | Tensor, y: Tensor, **roles: Any) -> Tensor:
        z = wrap(embedded).z
        wide = torch.float64 if z.dtype == torch.float64 else torch.float32
        return sum((loss(embedded, y, **roles) for loss in self.cuts), start=z.new_zeros((), dtype=wide))


def cut(loss: Loss, size: int) -> Loss:
    """The loss on the first `size` dimensions: the same parts but for the similarity."""
    shell = copy.copy(loss)
    shell._modules = dict(loss._modules)
    shell.similarity = Truncated(size=size, similarity=loss.similarity)
    return shell


def halves(dim: int) -> tuple[int, ...]:
    """dim, dim // 2, … down to 8; at least `dim`."""
    return (dim, *halves(dim // 2)) if dim >= 16 else (dim,)
