"""Which items of a space a statistic looks at, as the evaluation's similarity sees them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.metrics.statistic import Estimate, Space
from isometry.ops.bootstrap import group_bootstrap
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import inner, minus_distance, shuffled

SHARED = 32  # neighbours that are searched at least, so that statistics which need fewer share one search


@dataclass(frozen=True)
class Classes:
    """Items of known class, class by class.

    Attributes:
        rows: their positions in `space.z`.
        y: 0 … C − 1, rising.
        size: how many items each class has.
    """

    rows: Int[Tensor, " n"]
    y: Int[Tensor, " n"]
    size: Int[Tensor, " c"]


def items(space: Space) -> Int[Tensor, " n"]:
    """Positions of the items: an item that occurs twice, as a query and in the gallery, counts once."""

    def first() -> Tensor:
        order = space.ids.argsort(stable=True)
        new = torch.ones_like(order, dtype=torch.bool)
        new[1:] = space.ids[order].diff() != 0
        return order[new].sort().values

    return space.once("items", first)


def classes(space: Space, name: str, least: int = 1) -> Classes:
    """Items of known class, class by class.

    Paths of a label tree `[n levels]` are classes, known where the last level is.

    Raises:
        ValueError: for other labels, and where there are fewer than `least` classes.
    """
    y = space.y
    if y.is_floating_point() or y.dtype == torch.bool:
        raise ValueError(
            f"{name} is about classes, int64 [n]; label sets and continuous labels are none (got {str(y.dtype)[6:]} "
            f"{list(y.shape)})."
        )

    def sort() -> Classes:
        rows = items(space)
        rows = rows[(y if y.ndim == 1 else y[:, -1])[rows] != -1]
        paths = dict(dim=0) if y.ndim > 1 else {}
        code, order = torch.unique(y[rows], return_inverse=True, **paths)[1].sort(stable=True)
        return Classes(rows[order], code, torch.bincount(code))

    found = space.once("classes", sort)
    if len(found.size) < least:
        raise ValueError(f"{name} needs {least} or more classes with known labels, and there are {len(found.size)}.")
    return found


def mean_by_class(space: Space, values: Float[Tensor, " n"], y: Int[Tensor, " n"] | None = None) -> Estimate:
    """The mean of the values, with its interval from drawing classes; each value is a class of its own unless `y` says."""
    values, y = values.cpu(), torch.arange(len(values)) if y is None else y.cpu()
    low, high = group_bootstrap(values[:, None], y, samples=space.samples, confidence=space.confidence, seed=space.seed)
    return Estimate(float(values.mean()), float(low), float(high))


def mapped(space: Space) -> Float[Tensor, "n e"]:
    """All rows as the similarity sees them: at length one for the cosine, as they are for distances."""
    return space.once("mapped", lambda: space.embed(space.z.float()).contiguous())


def found(space: Space, k: int) -> Int[Tensor, "q k"]:
    """The k gallery items (places in `space.gallery`) that each query finds first; −1 beyond the end of the gallery."""
    deep = max(k, SHARED)

    def search() -> Tensor:
        x, m = mapped(space), len(space.gallery)
        q = x if space.searches_itself and len(space.query) == len(x) else x[space.query]
        g = q if space.searches_itself else x[space.gallery]
        ids, ids_g = space.ids[space.query], space.ids[space.gallery]
        turn = shuffled(torch.arange(len(q), device=x.device), space.seed + 1) % m
        return nearest(q, g, deep, ids_q=ids, ids_g=ids_g, similarity=space.compare, turn=turn, memory=space.memory)[1]

    return space.once(("found", deep), search)[:, :k]


def distances(space: Space, k: int) -> Float[Tensor, "n k"]:
    """Euclidean distances of each item to its k nearest others, rising, float64, of rows as the similarity sees them.

    Raises:
        ValueError: where there are no k others.
    """
    rows = items(space)
    if len(rows) <= k:
        raise ValueError(f"{k} neighbours were asked for, and each of {len(rows):,} items has {len(rows) - 1:,}.")

    def measure() -> Tensor:
        x = mapped(space)
        x = x if len(rows) == len(x) else x[rows]
        if space.searches_itself and len(rows) == len(space.ids) and _ranks_by_distance(space, x):
            index = found(space, k)
        else:
            ids = torch.arange(len(x), device=x.device)
            index = nearest(x, x, k, ids_q=ids, ids_g=ids, similarity=minus_distance, memory=space.memory)[1]
        step = max(1, 2**19 // (k * x.shape[1]))
        parts = (
            torch.linalg.vector_norm(x[near].double() - x[own].double()[:, None], dim=2)
            for own, near in zip(torch.arange(len(x), device=x.device).split(step), index.split(step), strict=True)
        )
        return torch.cat(list(parts)).sort(1).values

    return space.once(("distances", k), measure)


def _ranks_by_distance(space: Space, x: Tensor) -> bool:
    """Whether the search of the space finds what is nearest by Euclidean distance."""
    if space.compare is minus_distance:
        return True
    unit = torch.linalg.vector_norm(x, dim=1)
    return space.compare is inner and bool(((unit - 1).abs() < 1e-5).all())
