"""Unified ensemble diffusion (Bai, Tang, Torr and Latecki, "Re-ranking via metric fusion", CVPR 2019)."""

from collections.abc import Sequence

import torch

from isometry.ops import sparse
from isometry.ops.tensor_diffusion import learned
from isometry.rerank.ensemble_diffusion import EnsembleDiffusion


class UnifiedEnsembleDiffusion(EnsembleDiffusion):
    """Unified ensemble diffusion: all pairs of graphs, weighted by how smooth the result is along them.

    min over A and β ∈ simplex(M²) of Σ_uv β_uv H_uv(A) + mu ‖A − I‖² + (spread/2) ‖A‖² ‖β‖², by turns:
    A ← a Σ_uv β_uv S_u A S_v + (1 − a) I, β = Π(−H / (spread ‖A‖²)). Equal β make it `NF`, all on (1, 2) `TPF`, all on
    the diagonal `RED`.

    Args:
        spread: of the weights: large for equal ones, small for all on the smoothest pair of graphs.
        rounds: how often A and β are renewed.

    >>> UnifiedEnsembleDiffusion(sizes=(64, 64))
    UnifiedEnsembleDiffusion(sizes=(64, 64))

    Raises:
        ValueError: for a spread that is not positive.
    """

    spread: float = 0.2
    rounds: int = 3

    def __post_init__(self) -> None:
        self.check()
        if self.spread <= 0:
            raise ValueError(f"{self!r}: spread is positive; a large one makes all weights equal.")

    def fuse(self, s: Sequence[sparse.CSR], memory: str | int = "512 MB") -> sparse.CSR:
        free = torch.ones(len(s), len(s), dtype=torch.bool)
        return learned(
            s, free, spread=self.spread, rounds=self.rounds, mu=self.mu, steps=self.steps, keep=self.keep, memory=memory
        )[0]
