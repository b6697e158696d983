"""Queries whose matches are listed: the gallery as they see it, and where in it their lists are."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.data import Data
from isometry.ops.neighbours import TILE, rows_in
from isometry.ops.ranking import inner, keys, shuffled, tiles
from isometry.protocols.sides import tensor


class Hunt(NamedTuple):
    """Unit queries and gallery, the gallery in the order of its hashed ids.

    `turn` is where in the gallery each query begins to count among equals; `judged` are the lists of each query, as
    positions in the gallery.
    """

    q: Float[Tensor, "n d"]
    g: Float[Tensor, "m d"]
    turn: Int[Tensor, " n"]
    judged: list[dict[str, Tensor]]


def asked(z: Tensor, data: Data, grades: Collection[str], seed: int) -> Hunt:
    """What is searched, with these lists.

    Raises:
        ValueError: for data without such lists, or embeddings that do not belong to them.
    """
    z = tensor(z, "Embeddings")
    if z.ndim != 2 or len(z) != len(data):
        raise ValueError(f"Embeddings are [n d] with a row for each of {len(data):,} pictures; got {list(z.shape)}.")
    if data.judged is None or data.is_query is None or data.is_gallery is None:
        raise ValueError(f"{data.name} has no lists of matches: give what read('roxford:…') or the like gives.")
    query, gallery = data.is_query.nonzero()[:, 0], data.is_gallery.nonzero()[:, 0]
    lists = [data.judged[i] for i in query.tolist()]
    if not any(grade in own for own in lists for grade in grades):
        have = ", ".join(sorted({grade for own in lists for grade in own})) or "none"
        raise ValueError(f"The lists of {data.name} are called {have}; this needs {', '.join(grades)}.")
    if not len(gallery):
        raise ValueError(f"{data.name} has no gallery: there is nothing to search.")
    gallery = gallery[shuffled(data.ids[gallery], seed).argsort(stable=True)]
    sides = [unit(z[rows]) for rows in (query, gallery)]
    if bad := sum(int((~side.isfinite().all(1)).sum()) for side in sides):
        raise ValueError(f"{bad:,} of {len(z):,} embeddings hold NaN or Inf: training has probably diverged.")
    ids = data.ids[gallery]
    order = ids.argsort()
    judged = [{grade: placed(own.get(grade, ()), order, ids) for grade in grades} for own in lists]
    return Hunt(*sides, turn=(shuffled(data.ids[query], seed + 1) % len(gallery)).to(z.device), judged=judged)


def unit(z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """The rows at length one, float32; zeros stay. `z` is written over where it is float32."""
    z = z.float()
    return z.div_(z.norm(dim=1, keepdim=True).clamp_min_(1e-12))


def placed(ids: Sequence[int], order: Int[Tensor, " m"], ids_g: Int[Tensor, " m"]) -> Int[Tensor, " p"]:
    """Positions of these ids in the gallery, whose `order` sorts its ids; those that are not in it are left out."""
    wanted = torch.tensor(ids, dtype=torch.int64).unique()
    found = order[torch.searchsorted(ids_g[order], wanted).clamp_max(len(ids_g) - 1)]
    return found[ids_g[found] == wanted]


def ranks(hunt: Hunt, memory: str | int) -> Iterator[tuple[slice, Int[Tensor, "c m"]]]:
    """The place of every gallery item for some queries at a time, from 1."""
    m = len(hunt.g)
    for start in range(0, len(hunt.q), step := rows_in(memory, 48 * m)):
        rows = slice(start, min(start + step, len(hunt.q)))
        sim = torch.cat([part for _, part in tiles(hunt.q[rows], hunt.g, inner, TILE)], 1)
        key = keys(sim, torch.arange(m, device=sim.device), hunt.turn[rows], m)
        order = key.argsort(1, descending=True).cpu()
        yield rows, torch.empty_like(order).scatter_(1, order, torch.arange(1, m + 1).expand_as(order))
