"""The nearest distinct labels of every distinct label: proven, or from an inverted index and audited."""

import importlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from isometry.label_metric import Bound, LabelMetric
from isometry.label_neighbours.distinct import NO
from isometry.label_neighbours.neighbours import Recall
from isometry.ops.neighbours import DENSE, nearest
from isometry.ops.ranking import minus_distance

Found = tuple[Int[Tensor, " b"], Int[Tensor, "b k"], Float32[Tensor, "b k"]]
"""Rows, their lists (NO where a list is not full) and the distances."""
LOW = 2**32 - 1  # the half of a key that holds the index
TRIED = 128  # rows on which a way is tried before all go
AUDITED = 256  # rows searched exhaustively, to know the recall
PROBES = (4, 8, 16, 32, 64)  # cells of the index that a row looks into
LANDMARKS = 64
ROWS, TILE = 512, 8192
NEAR = 1e-5  # more than a float32 distance is off, in parts of it


class Labels(NamedTuple):
    """Distinct labels `[u t]`, their distance, how many neighbours, and the working memory in bytes."""

    y: Float[Tensor, "u t"]
    metric: LabelMetric
    k: int
    memory: int


def proven(of: Labels) -> Iterator[Found]:
    """The nearest, for certain: a shortlist by the bound's vectors, and what it does not prove by all distances.

    A list is proven when its last distance lies below least·‖v − w‖ᵖ of the shortlist's last candidate, which no label left
    out can fall below. A shortlist that proves less than half of a trial is not made.
    """
    left = torch.arange(len(of.y))
    widths = [width for width in (4 * of.k + 4, 32 * of.k + 32) if width * DENSE < len(of.y)]
    bound = of.metric.bound(of.y) if widths else None
    vectors, error = (of.y, 0.0) if bound is None else centred(bound)
    for width in widths:
        if bound is None or bound.least <= 0 or not len(left):
            break
        tried = left[:: max(1, len(left) // TRIED)].contiguous()
        if _shortlisted(of, bound, vectors, error, tried, width)[1].float().mean() < 0.5:
            continue
        missing = []
        for rows in left.split(ROWS * 16):
            (rows, lists, gaps), sure = _shortlisted(of, bound, vectors, error, rows, width)
            yield rows[sure], lists[sure], gaps[sure]
            missing.append(rows[~sure])
        left = torch.cat(missing)
    for rows in left.split(ROWS) if len(left) else ():
        yield exhaustive(of, rows)


def exhaustive(of: Labels, rows: Int[Tensor, " b"]) -> Found:
    """The nearest of these rows, from all distances."""
    best, width = torch.empty(len(rows), 0, dtype=torch.int64), max(TILE, 2 * of.k)
    for start in range(0, len(of.y), width):
        tile = of.y[start : start + width]
        index = torch.arange(start, start + len(tile)).expand(len(rows), -1)
        key = torch.cat([best, _keys(of.metric.gap(of.y[rows], tile), index, rows)], 1)
        best = key.topk(min(of.k, key.shape[1]), dim=1, largest=False).values
    return rows, *_read(best, of.k)


def reranked(of: Labels, rows: Int[Tensor, " b"], candidates: Int[Tensor, "b c"]) -> Found:
    """The nearest of these rows among candidates of their own (NO for none)."""
    gaps = distances(of, rows, candidates)
    key = _keys(gaps.masked_fill(candidates == NO, torch.inf), candidates.clamp_min(0), rows)
    return rows, *_read(key.topk(min(of.k, key.shape[1]), dim=1, largest=False).values, of.k)


def distances(of: Labels, rows: Int[Tensor, " b"], candidates: Int[Tensor, "b c"]) -> Float32[Tensor, "b c"]:
    """From each row to candidates of its own."""
    each = 4 * candidates.shape[1] * (of.y.shape[1] + 8) * of.y.element_size()
    step = max(1, min(ROWS * 4, of.memory // each))
    gaps = [
        of.metric.gap(of.y[part][:, None], of.y[some.clamp_min(0)])[:, 0].float()
        for part, some in zip(rows.split(step), candidates.split(step), strict=True)
    ]
    return torch.cat(gaps)


class Index:
    """Labels in cells around k-means centres of their vectors; a row looks into the cells nearest to it.

    How many cells, and how long the shortlist, is tried out: until `goal` of the true neighbours of some rows is found.
    There are 2√u cells, so that all rows together cost u^1.5 at most.
    """

    def __init__(self, of: Labels, goal: float, seed: int) -> None:
        faiss: Any = importlib.import_module("faiss")
        bound = of.metric.bound(of.y)
        self.of, turn = of, torch.Generator().manual_seed(seed)
        self.vectors = landmarks(of, turn) if bound is None else centred(bound)[0]
        u, d = self.vectors.shape
        cells = max(1, min(int(2 * u**0.5), u // 8))
        self._centres = faiss.IndexFlatL2(d)  # the index does not keep it alive
        self.index = faiss.IndexIVFFlat(self._centres, d, cells)
        training = self.index.cp
        training.seed, training.niter, training.min_points_per_centroid = seed % 2**31, 8, 1
        training.max_points_per_centroid = 64
        self.index.train(self.vectors.numpy())
        self.index.add(self.vectors.numpy())
        some = torch.randperm(u, generator=turn)[: TRIED + AUDITED]
        tried, self.audited = some[: max(1, min(TRIED, u // 2))], some[max(1, min(TRIED, u // 2)) :]
        self.probes, self.width = self._tried_out(tried, goal)

    def lists(self) -> Iterator[Found]:
        """The nearest that the index finds."""
        for rows in torch.arange(len(self.vectors)).split(ROWS * 16):
            yield reranked(self.of, rows, self._candidates(rows, self.probes, self.width))

    def audit(self) -> Recall:
        """What share of their true neighbours rows find that had no part in the choice of probes.

        Found is what lies no farther than the last true neighbour. The interval is Wilson's for as many yes-or-no trials
        as there are rows: wider than need be, since a row's share varies less than a yes or no.
        """
        found = reranked(self.of, self.audited, self._candidates(self.audited, self.probes, self.width))[2]
        return _wilson(float(_hits(found, self._truth(self.audited)).sum(1).mean()), len(self.audited))

    def _tried_out(self, rows: Tensor, goal: float) -> tuple[int, int]:
        truth, longest = self._truth(rows), min(len(self.vectors) - 1, max(64, 32 * self.of.k))
        probes, share = 1, torch.zeros(1)
        for probes in [p for p in PROBES if p < self.index.nlist] or [self.index.nlist]:
            candidates = self._candidates(rows, probes, longest)
            gaps = distances(self.of, rows, candidates).masked_fill(candidates == NO, torch.inf)
            share = _hits(gaps, truth).cumsum(1).mean(0)
            if share[-1] >= goal:
                break
        enough = min(goal, float(share[-1]) - 0.002)
        width = int((share < enough).sum()) + 1
        return probes, min(longest, max(self.of.k, width + width // 4))

    def _truth(self, rows: Tensor) -> Tensor:
        return torch.cat([exhaustive(self.of, part)[2] for part in rows.split(64)])

    def _candidates(self, rows: Tensor, probes: int, width: int) -> Int[Tensor, "b c"]:
        self.index.nprobe = probes
        found = torch.from_numpy(self.index.search(self.vectors[rows].numpy(), width + 1)[1])
        return found.masked_fill(found == rows[:, None], NO)


def landmarks(of: Labels, turn: torch.Generator) -> Float32[Tensor, "u m"]:
    """A label's distances to some labels at random: what is near to another is as far from everything, or nearly."""
    marks = of.y[torch.randperm(len(of.y), generator=turn)[:LANDMARKS]]
    return torch.cat([of.metric.gap(rows, marks).float() for rows in of.y.split(TILE)])


def centred(bound: Bound) -> tuple[Float32[Tensor, "u d"], float]:
    """A bound's vectors around their mean, and how far rounding, here and when they were made, may have moved two apart."""
    given = bound.vectors
    moved = (given - given.mean(0, dtype=torch.float64).to(given.dtype)).float().contiguous()
    made = 2 * torch.finfo(given.dtype).eps * float(torch.linalg.vector_norm(given, dim=1).max())
    return moved, made + float(2.0**-21 * torch.linalg.vector_norm(moved, dim=1).max())


def _shortlisted(
    of: Labels, bound: Bound, vectors: Tensor, error: float, rows: Tensor, width: int
) -> tuple[Found, Tensor]:
    ids = torch.arange(len(vectors))
    near, candidates = nearest(
        vectors[rows], vectors, width, ids_q=rows, ids_g=ids, similarity=minus_distance, memory=of.memory
    )
    found = reranked(of, rows, candidates)
    unseen = bound.least * (-near[:, -1] * (1 - NEAR) - error).clamp_min(0) ** bound.power - bound.error
    return found, found[2][:, -1] * (1 + NEAR) < unseen


def _keys(gaps: Tensor, index: Tensor, rows: Tensor) -> Int[Tensor, "b c"]:
    """Whole numbers in the order of distance, then index; a row itself comes last."""
    gaps = gaps.float().nan_to_num(nan=torch.inf).clamp_min(0) + 0.0  # −0 is 0
    gaps = gaps.masked_fill(index == rows[:, None], torch.inf)
    return gaps.view(torch.int32).long() << 32 | index


def _read(key: Tensor, k: int) -> tuple[Int[Tensor, "b k"], Float32[Tensor, "b k"]]:
    gaps, index = (key >> 32).int().view(torch.float32), key & LOW
    missing = (0, k - key.shape[1])
    gaps = torch.nn.functional.pad(gaps, missing, value=torch.inf)
    index = torch.nn.functional.pad(index, missing, value=NO)
    return index.masked_fill(gaps.isinf(), NO), gaps


def _hits(found: Tensor, truth: Tensor) -> Float[Tensor, "b c"]:
    """For each list found: the share of the true list that each member stands for."""
    inside = truth.isfinite()
    last = truth.masked_fill(~inside, 0).amax(1, keepdim=True)
    return (found <= last * (1 + NEAR)).float() / inside.sum(1, keepdim=True).clamp_min(1)


def _wilson(share: float, n: int) -> Recall:
    z = 1.96
    middle, wide = share + z * z / (2 * n), z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    whole = 1 + z * z / n
    return Recall(share, max(0.0, (middle - wide) / whole), min(1.0, (middle + wide) / whole))
