"""Which pictures find a picture of their own class first: what the explorer calls right, and error."""

import torch
from jaxtyping import Int8, Int64
from torch import Tensor

from isometry.explore.shown import Items, Mates
from isometry.ops.neighbours import search
from isometry.ops.ranking import Compare

PAIRS = 2 * 10**10  # comparisons for all verdicts together: minutes of two cores


def verdicts(z: Tensor, items: Items, compare: Compare, *, pairs: int = PAIRS) -> Int8[Tensor, " n"]:
    """1 where the most similar other picture of the same part has the same class, 0 where another, −1 where unknown.

    Unknown are pictures without a class or whose nearest has none, those that are no queries where the data name queries
    and gallery, those whose class is nowhere else to be found, and, of more pictures than `pairs` comparisons allow, all but
    a share at random.

    >>> from isometry.explore.shown import Part
    >>> items = Items(
    ...     ids=torch.arange(4), labels=torch.tensor([0, 0, 1, 0]), classes=("a", "b"), parts=(Part("all", 0, 4),),
    ...     picture=lambda row: None,
    ... )
    >>> verdicts(torch.tensor([[1.0, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]]), items, lambda q, g: q @ g.T)
    tensor([ 1,  1, -1,  0], dtype=torch.int8)
    """
    found = torch.full((len(items),), -1, dtype=torch.int8)
    noise = torch.Generator().manual_seed(0)
    allowed = pairs // max(1, sum((part.stop - part.start) ** 2 for part in items.parts) // max(1, len(items)))
    for part, roles in zip(items.parts, items.roles or (None,) * len(items.parts), strict=True):
        every = torch.arange(part.start, part.stop)
        query, gallery = roles or Mates(every, every)
        query = query[items.labels[query] >= 0]
        least = 2 if roles is None else 1
        counts = torch.bincount(items.labels[gallery] + 1, minlength=len(items.classes) + 1)
        query = query[counts[items.labels[query] + 1] >= least]
        share = max(1, allowed * (part.stop - part.start) // max(1, len(items)))
        if len(query) > share:
            query = query[torch.randperm(len(query), generator=noise)[:share].sort().values]
        if len(query):
            found[query] = _right(z, items, compare, query, gallery)
    return found


def _right(
    z: Tensor, items: Items, compare: Compare, query: Int64[Tensor, " q"], gallery: Int64[Tensor, " g"]
) -> Int8[Tensor, " q"]:
    first, last = int(gallery[0]), int(gallery[-1])
    against = z[first : last + 1] if len(gallery) == last - first + 1 else z[gallery]
    shots = None if items.sequence is None else _shots(items.labels, items.sequence)
    apart = [] if shots is None else [(shots[query], shots[gallery])]
    verdict = torch.full((len(query),), -1, dtype=torch.int8)
    for rows, _, found in search(
        z[query], against, 1, ids_q=query, ids_g=gallery, similarity=compare, apart=apart
    ):  # fmt: skip
        nearest = found[:, 0]
        label = torch.where(nearest < 0, -1, items.labels[gallery[nearest.clamp_min(0)]])
        verdict[rows] = torch.where(label < 0, -1, (label == items.labels[query[rows]]).long()).to(torch.int8)
    return verdict


def _shots(labels: Int64[Tensor, " n"], sequence: Int64[Tensor, " n"]) -> Int64[Tensor, " n"]:
    """A number for class and camera together; one of its own where either is unknown."""
    code = labels * (int(sequence.max()) + 2) + sequence
    return torch.where((sequence < 0) | (labels < 0), -1 - torch.arange(len(labels)), code)
