"""A flat map of the embeddings: t-SNE (van der Maaten & Hinton, JMLR 2008) of a sample of whole classes."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .record import Items, Record

POINTS = 2000
NEIGHBOURS = 6


class Point(NamedTuple):
    """Where an item comes from: row `i` of the queries, or of the gallery."""

    items: Items
    i: int
    gallery: bool


class Map(NamedTuple):
    """Points with their place `xy [p 2]` in [0, 1] and nearest other points `near [p k]`, in the full space:
    by cosine, or by distance where the report compares by that."""

    points: list[Point]
    xy: Float[Tensor, "p 2"]
    near: Int[Tensor, "p k"]
    method: str
    total: int


def project(record: Record, points: int = POINTS) -> Map:
    """Lays a sample of the test items out in the plane; items that are both query and gallery are drawn once."""
    everything, labels = _distinct(record)
    chosen = sample(labels, points)
    shown = [everything(int(k)) for k in chosen]
    by_length = record.graded is not None and record.graded.by_length
    z = torch.cat([_row(point, by_length) for point in shown])
    xy, method = layout(z, "as they are" if by_length else "at unit length")
    return Map(shown, fit(xy), _nearest(z, by_length), method, len(labels))


def _row(point: Point, by_length: bool) -> Float[Tensor, "1 d"]:
    row = slice(point.i, point.i + 1)
    return point.items.z[row].detach().float().cpu() if by_length else point.items.unit(row)


def sample(labels: Int[Tensor, " n"], points: int) -> Int[Tensor, " p"]:
    """At most `points` positions, ascending: everything if it fits, otherwise whole classes drawn at random.

    A class contributes at most `max(12, points / classes)` items, so that no class crowds out the others.

    >>> sample(torch.tensor([0, 1, 1]), 5)
    tensor([0, 1, 2])
    """
    n = len(labels)
    if n <= points:
        return torch.arange(n)
    noise = torch.Generator().manual_seed(0)
    shuffled = torch.randperm(n, generator=noise)
    _, dense = labels.unique(return_inverse=True)
    classes = int(dense.max()) + 1
    turn = torch.randperm(classes, generator=noise)[dense[shuffled]]
    order = turn.argsort(stable=True)
    size = torch.bincount(turn, minlength=classes)
    within = torch.arange(n) - (size.cumsum(0) - size)[turn[order]]
    kept = order[within < max(12, -(-points // classes))][:points]
    return shuffled[kept].sort().values


def _distinct(record: Record):
    queries, gallery = record.queries, record.gallery
    if gallery is None:
        return (lambda k: Point(queries, k, False)), queries.labels
    own, others = record.identities()
    fresh = (~torch.isin(others, own)).nonzero().flatten()
    n = len(queries)

    def point(k: int) -> Point:
        return Point(queries, k, False) if k < n else Point(gallery, int(fresh[k - n]), True)

    return point, torch.cat([queries.labels, gallery.labels[fresh]])


def layout(z: Float[Tensor, "p d"], how: str) -> tuple[Float[Tensor, "p 2"], str]:
    """Lays these out in the plane, in the unit of the method; `how` they are given goes into the words that it returns."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    p, d = z.shape
    if p < 3 or float(z.std(0).max()) < 1e-6:
        return torch.stack([torch.linspace(0, 1, p), torch.zeros(p)], 1), "all points fall together: drawn in a row"
    if p < 12 or d < 3:
        flat = PCA(min(2, d)).fit_transform(z.numpy())
        return torch.nn.functional.pad(torch.from_numpy(flat), (0, 2 - flat.shape[1])), "principal components (PCA)"
    perplexity = min(25.0, (p - 1) / 3)
    model = TSNE(init="pca", perplexity=perplexity, max_iter=400, random_state=0)
    with threadpool_limits(1):  # more threads spin where cores are shared: 46 s instead of 4 s of one core
        xy = model.fit_transform(z.numpy())
    return torch.from_numpy(xy), (
        f"t-SNE of the embeddings {how}, perplexity {perplexity:.0f}, started from their principal components"
    )


def fit(xy: Float[Tensor, "p 2"]) -> Float[Tensor, "p 2"]:
    """Moves the points into the unit square, one scale for both axes."""
    low, high = xy.min(0).values, xy.max(0).values
    scale = (high - low).max().clamp(min=1e-9)
    return 0.5 + (xy - (low + high) / 2) / scale


def _nearest(z: Float[Tensor, "p d"], by_length: bool) -> Int[Tensor, "p k"]:
    sim = -torch.cdist(z, z) if by_length else z @ z.T
    sim.fill_diagonal_(-torch.inf)
    return sim.topk(min(NEIGHBOURS, len(z) - 1), dim=1).indices
