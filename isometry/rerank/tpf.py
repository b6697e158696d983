"""Tensor product fusion, as a case of unified ensemble diffusion (Bai, Tang, Torr and Latecki, CVPR 2019)."""

from collections.abc import Sequence

import torch

from isometry.ops import sparse
from isometry.ops.tensor_diffusion import diffused
from isometry.rerank.ensemble_diffusion import EnsembleDiffusion


class TPF(EnsembleDiffusion):
    """Tensor product fusion of two embeddings: a query's neighbours in the first, the gallery's in the second.

    A ← a S₁ A S₂ + (1 − a) I: β is 1 at (1, 2).

    >>> TPF(sizes=(64, 64), mu=0.2)
    TPF(sizes=(64, 64), mu=0.2)

    Raises:
        ValueError: for other than two sizes.
    """

    def __post_init__(self) -> None:
        self.check()

    def fuse(self, s: Sequence[sparse.CSR], memory: str | int = "512 MB") -> sparse.CSR:
        if len(s) != 2:
            raise ValueError(f"{self!r} fuses two embeddings: give two sizes.")
        beta = torch.tensor([[0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
        return diffused(s, beta, mu=self.mu, steps=self.steps, keep=self.keep, memory=memory)
