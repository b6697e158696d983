"""Regularised ensemble diffusion (Bai, Zhou, Wang, Bai, Latecki and Tian, "Ensemble diffusion for retrieval", ICCV 2017)."""

from collections.abc import Sequence

import torch

from isometry.ops import sparse
from isometry.ops.tensor_diffusion import learned
from isometry.rerank.ensemble_diffusion import EnsembleDiffusion


class RED(EnsembleDiffusion):
    """Regularised ensemble diffusion: each graph by itself, weighted by how smooth the result is along it.

    A ← a Σ_v β_v S_v A S_v + (1 − a) I, β = argmin over the simplex of Σ_v β_v H_v / ‖A‖² + (spread/2) ‖β‖², by turns.

    Args:
        spread: of the weights: large for equal ones, small for all on the smoothest graph. H is divided by ‖A‖² here, so
            that it means the same for any number of items.
        rounds: how often A and β are renewed.

    >>> RED(sizes=(64, 64, 32), spread=0.5)
    RED(sizes=(64, 64, 32), spread=0.5)

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
        free = torch.eye(len(s), dtype=torch.bool)
        return learned(
            s, free, spread=self.spread, rounds=self.rounds, mu=self.mu, steps=self.steps, keep=self.keep, memory=memory
        )[0]
