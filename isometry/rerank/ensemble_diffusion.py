"""Several embeddings fused by diffusion (Bai, Tang, Torr and Latecki, "Re-ranking via metric fusion", CVPR 2019)."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops import sparse
from isometry.ops.geometry import squared_distance
from isometry.ops.knn_graph import all_items, around
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import Compare, inner
from isometry.rerank.reranking import Reranking, followed_by


class EnsembleDiffusion(Reranking):
    """Base of the fusions: several embeddings of each item, side by side in one row, each with a graph of its own.

    Args:
        sizes: dimensions of the embeddings that make up a row, in order; one embedding where none are given. Under the
            cosine each is brought to length one.
        k: neighbours in each graph. W_ij = e^{−d²/σ_iσ_j}, σ_i the distance to the k-th; S = D^{-1/2} W D^{-1/2}.
        mu: how strongly A is held to I; a walk goes on with probability 1/(1 + mu).
        steps: rounds of A ← a Σ β_uv S_u A S_v + (1 − a) I.
        keep: entries of a row of A that are kept in each round. What is cut is lost: from `keep` as large as the number
            of items on, A is exact.
    """

    sizes: tuple[int, ...] = ()
    k: int = 20
    mu: float = 0.1
    steps: int = 20
    keep: int = 200

    def check(self) -> None:
        """Refuses knobs that mean nothing."""
        if min(self.k, self.steps, self.keep, *self.sizes, 1) < 1 or self.mu <= 0:
            raise ValueError(f"{self!r}: counts are 1 or more and mu is positive.")

    @abstractmethod
    def fuse(self, s: Sequence[sparse.CSR], memory: str | int = "512 MB") -> sparse.CSR:
        """A `[N N]`, `keep` entries a row, from the graphs."""

    @torch.no_grad()
    def neighbours(
        self,
        q: Float[Tensor, "n d"],
        g: Float[Tensor, "m d"],
        k: int,
        *,
        ids_q: Int[Tensor, " n"] | None = None,
        ids_g: Int[Tensor, " m"] | None = None,
        similarity: Compare = inner,
        turn: Int[Tensor, " n"] | None = None,
        memory: str | int = "512 MB",
    ) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
        q, g = self._together(q, similarity), self._together(g, similarity)
        plain = nearest(q, g, k, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=turn, memory=memory)
        if not len(q) or not len(g):
            return plain
        items = all_items(q, g, ids_q, ids_g)
        graphs = [graph(x, self.k, similarity, memory) for x in self._parts(items.x, similarity)]
        a = self.fuse(graphs, memory)[items.of_q.cpu().numpy()][:, : len(g)].tocsr()
        if ids_q is not None and ids_g is not None:
            row = sparse.row_of_entries(a)
            a.data[(ids_g.cpu().numpy()[a.indices] == ids_q.cpu().numpy()[row])] = 0
            a.eliminate_zeros()
        sim, index = sparse.lists(a, k)
        return followed_by((sim.to(q.device), index.to(q.device)), plain)

    def _parts(self, x: Float[Tensor, "n d"], similarity: Compare) -> list[Float[Tensor, "n _"]]:
        if self.sizes and sum(self.sizes) != x.shape[1]:
            raise ValueError(
                f"{self!r}: sizes add up to {sum(self.sizes)}, and the embeddings have {x.shape[1]} dimensions."
            )
        parts = x.float().split(self.sizes, 1) if self.sizes else (x.float(),)
        return [torch.nn.functional.normalize(p, dim=1) for p in parts] if similarity is inner else list(parts)

    def _together(self, x: Float[Tensor, "n d"], similarity: Compare) -> Float[Tensor, "n d"]:
        parts = self._parts(x, similarity)
        return torch.cat(parts, 1) / (len(parts) ** 0.5 if similarity is inner else 1)


def graph(x: Float[Tensor, "n d"], k: int, similarity: Compare, memory: str | int = "512 MB") -> sparse.CSR:
    """S of one embedding: every item with itself, its k nearest, and those whose k nearest it is among."""
    sim, index = around(x, k, similarity=similarity, memory=memory)
    squared = squared_distance(sim.double(), similarity)
    scale = squared[:, -1].sqrt() if index.shape[1] else squared.new_ones(len(x))
    width = (scale[:, None] * scale[index]).clamp_min(torch.finfo(torch.float64).tiny)
    own = torch.arange(len(x), device=x.device)[:, None]
    weight = torch.cat([torch.ones_like(scale)[:, None], torch.exp(-squared / width)], 1)
    w = sparse.from_lists(torch.cat([own, index], 1), weight, len(x))
    return sparse.normalised(w.maximum(w.T.tocsr()).tocsr())
