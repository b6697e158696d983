"""Whether an export is the model: embeddings and retrieval of both on the same pictures."""

import itertools
import math
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.data import Data
from isometry.evaluation import Embeddings, measure
from isometry.export.precision import Gate
from isometry.lite import Preparation
from isometry.ops.neighbours import nearest
from isometry.protocols.retrieval import geometry
from isometry.supervision import GRADED_BY, is_continuous, relation

TIE = 1e-5
"""Similarities that differ by less than this share of the largest are taken for equal."""
NEIGHBOURS, SPARE, LEAST = 10, 10, 12


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far an export agrees with its model.

    Attributes:
        pictures: how many were compared.
        embedding: largest ‖z − z'‖ / ‖z‖.
        top1, top10: shares of the nearest neighbour, and of the ten nearest, that are the model's own, ties allowed.
        metrics: of the model and of the export, by the metric's text.
        gate: what had to be reached.
    """

    pictures: int
    embedding: float
    top1: float
    top10: float
    metrics: dict[str, tuple[float, float]] = field(default_factory=dict)
    gate: Gate

    def faults(self) -> list[str]:
        """What was not reached, in words; NaN reaches nothing."""
        gate, found = self.gate, []
        if not self.embedding <= gate.embedding:
            found.append(
                f"embeddings differ by up to {self.embedding:.2g} of their length (allowed {gate.embedding:g})"
            )
        for name, share in (("nearest neighbours", self.top1), ("ten nearest neighbours", self.top10)):
            if not share >= gate.kept:
                found.append(f"{share:.4f} of the {name} are the same (at least {gate.kept:g})")
        for name, (before, after) in self.metrics.items():
            if not abs(before - after) <= gate.metric:
                found.append(f"{name} is {after:.4f} instead of {before:.4f} (may differ by {gate.metric:g})")
        return found

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """What a reader wants to see."""
        gate = self.gate
        rows = [
            f"{self.pictures:,} pictures: embeddings differ by up to {self.embedding:.2g} of their length (allowed "
            f"{gate.embedding:g})",
            f"the same: {self.top1:.4f} of the nearest neighbours, {self.top10:.4f} of the ten nearest (at least "
            f"{gate.kept:g})",
        ]
        rows += [f"{name} {a:.4f} of the model, {b:.4f} of the export" for name, (a, b) in self.metrics.items()]
        return rows


@torch.no_grad()
def compared(before: Embeddings, after: Float[Tensor, "n d"], *, similarity: str, relate: str, gate: Gate) -> Parity:
    """The model's embeddings against those of the export.

    Raises:
        ValueError: for too few pictures.
    """
    enough(before)
    z = before.z.float()
    length = torch.linalg.vector_norm(z, dim=1).clamp_min(torch.finfo(torch.float32).tiny)
    embedding = float((torch.linalg.vector_norm(z - after, dim=1) / length).max())
    metrics = {}
    if math.isfinite(embedding):
        top1, top10 = _kept(before, after, similarity)
        metrics = _metrics(before, after, similarity, relate)
    else:
        top1 = top10 = math.nan
    return Parity(pictures=len(z), embedding=embedding, top1=top1, top10=top10, metrics=metrics, gate=gate)


def enough(found: Embeddings) -> Embeddings:
    """The same, if there are enough of them.

    Raises:
        ValueError: for too few pictures.
    """
    if len(found.z) < LEAST:
        raise ValueError(f"{len(found.z)} pictures are too few to compare neighbours on: name at least {LEAST}.")
    return found


def _kept(before: Embeddings, after: Tensor, similarity: str) -> tuple[float, float]:
    """Shares of the nearest and of the ten nearest that both find."""
    (sim, mine), (_, other) = (_found(z.float(), before, similarity) for z in (before.z, after))
    tie = TIE * float(sim[sim.isfinite()].abs().max())
    shares = []
    for k in (1, NEIGHBOURS):
        there = other[:, :k] >= 0
        allowed = (mine >= 0) & (sim >= sim[:, :k].clamp_min(-1e30).amin(1, keepdim=True) - tie)
        hit = torch.zeros_like(there)
        for j in range(mine.shape[1]):
            hit |= (other[:, :k] == mine[:, j : j + 1]) & allowed[:, j : j + 1]
        shares.append(float((hit & there).sum() / there.sum().clamp_min(1)))
    return shares[0], shares[1]


def _found(z: Tensor, of: Embeddings, similarity: str) -> tuple[Float[Tensor, "q k"], Int[Tensor, "q k"]]:
    embed, compare = geometry(similarity)
    query, gallery = of.roles()
    gallery = query if gallery is None else gallery
    rows, ids = embed(z), of.data.ids
    k = NEIGHBOURS + SPARE
    return nearest(rows[query], rows[gallery], k, ids_q=ids[query], ids_g=ids[gallery], similarity=compare)


def _metrics(before: Embeddings, after: Tensor, similarity: str, relate: str) -> dict[str, tuple[float, float]]:
    """Both measured; nothing where the pictures have no labels."""
    data = before.data
    continuous = is_continuous(data, relation(relate))
    if not continuous and not len(data.present()) and data.multi is None:
        return {}
    names = GRADED_BY if continuous else "Recall(k=1), MAPAtR()"
    how: dict[str, Any] = {"relate": relate or None, "similarity": similarity, "samples": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ties, whose mean is what is compared
        one, other = (measure(Embeddings(z, data), names, **how) for z in (before.z, after))
    return {name: (float(one[name]), float(other[name])) for name in one}


def embedded(run: Callable[[np.ndarray], np.ndarray], prepare: Preparation, data: Data, batch: int = 64) -> Tensor:
    """Embeddings by an export of pictures that can all be read; the first two alone, so that any batch is shown to work."""
    ends = [0, 1, 2, *range(2 + batch, len(data), batch), len(data)]
    parts = []
    for start, end in itertools.pairwise(ends):
        pictures = [data.images[i].permute(1, 2, 0).numpy() for i in range(start, end)]
        parts.append(torch.from_numpy(run(prepare(pictures))).float())
    return torch.cat(parts)
