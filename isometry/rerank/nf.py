"""Naive fusion, as a case of unified ensemble diffusion (Bai, Tang, Torr and Latecki, CVPR 2019)."""

from collections.abc import Sequence

import torch

from isometry.ops import sparse
from isometry.ops.tensor_diffusion import diffused
from isometry.rerank.ensemble_diffusion import EnsembleDiffusion


class NF(EnsembleDiffusion):
    """Naive fusion: the graphs are averaged, and neighbours are compared in the mean graph.

    A ← a S A S + (1 − a) I, S = mean_v S_v: every β_uv is 1/M².

    >>> NF(sizes=(64, 64))
    NF(sizes=(64, 64))
    """

    def __post_init__(self) -> None:
        self.check()

    def fuse(self, s: Sequence[sparse.CSR], memory: str | int = "512 MB") -> sparse.CSR:
        beta = torch.full((len(s), len(s)), 1 / len(s) ** 2, dtype=torch.float64)
        return diffused(s, beta, mu=self.mu, steps=self.steps, keep=self.keep, memory=memory)
