"""Exact nearest neighbours in chunks, under a memory budget.

A fast search in float32 (faiss, tiles in torch, or half the tiles where everything searches everything) proposes a few more
neighbours than are wanted. Pairs that lie too close together for float32 to tell are compared again in float64, and a query
whose last neighbours cannot be told from what was not proposed is searched again that way. So the answer is that of
`ranking`, whichever search proposed it.
"""

import functools
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.memory import in_bytes
from isometry.ops.ranking import Compare, inner, keys, minus_distance, occurrences, top, unpack
from isometry.ops.self_search import ROOM, by_halves, worth

Propose = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]
UNIT = 2.0**-24  # half the distance from 1 to the next float32
SPARE = 4  # neighbours proposed beyond those wanted
DENSE = 64  # above one neighbour in so many gallery items, proposals do not pay
ROWS = 16384  # queries at once, at most
PAIRS = 1024  # pairs compared again at once
TILE = 8192  # gallery items at once
LIST = 12  # bytes of a proposed neighbour
BUSY = 2**27  # bytes beyond which a larger piece of work is no faster


class Known(NamedTuple):
    """What a fast search needs to know of a gallery: its centre, the longest vector from there, and the rows that are searched.

    Of products the rows are the gallery itself; of distances a copy with a column more.
    """

    centre: Float[Tensor, " d"]
    longest: Float[Tensor, ""]
    searched: Float[Tensor, "m e"]


@torch.no_grad()
def known(g: Float[Tensor, "m d"], similarity: Compare = inner) -> Known:
    """What `nearest` would find out of a gallery at every call; for those who search the same one often."""
    g, norm = g.detach().float(), torch.linalg.vector_norm
    if similarity is inner:
        return Known(torch.zeros_like(g[0]), norm(g, dim=1).max(), g)
    centre = g.mean(0)
    far = norm(g - centre, dim=1, keepdim=True)
    return Known(centre, far.max(), torch.cat([g - centre, -far.square() / 2], 1))


def nearest(
    q: Float[Tensor, "n d"],
    g: Float[Tensor, "m d"],
    k: int,
    *,
    ids_q: Int[Tensor, " n"] | None = None,
    ids_g: Int[Tensor, " m"] | None = None,
    similarity: Compare = inner,
    turn: Int[Tensor, " n"] | None = None,
    memory: str | int = "512 MB",
    propose: Propose | None = None,
    about: Known | None = None,
) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """The k most similar gallery items of each query, most similar first.

    Args:
        ids_q, ids_g: a gallery item with the query's id is the query itself and is left out, wherever it ranks.
        similarity: `inner` and `minus_distance` are fast; any other `(q, g) -> [n m]` is tiled in float64.
        turn: among equals, the first index at or after the query's `turn` comes first, cyclically; 0 unless given.
        memory: working memory beside the inputs and the result.
        propose: `by_faiss` or `by_torch`; by default, on the CPU, half of the products where queries and gallery are the same
            rows (`self_search`), else faiss where it is installed.
        about: `known(g, similarity)`, where the same gallery is searched again and again.

    Returns:
        Similarities (float32) and gallery rows (int64), padded with −inf and −1 where the gallery has fewer than k.
        Similarities are accurate to float32; their order is that of exact values rounded to float32.

    >>> g = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> nearest(g, g, 2, ids_q=torch.arange(3), ids_g=torch.arange(3))[1]
    tensor([[2, 1],
            [0, 2],
            [0, 1]])
    """
    parts = list(
        search(
            q, g, k, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=turn, memory=memory, propose=propose,
            about=about,
        )
    )  # fmt: skip
    if not parts:
        return q.new_empty(0, k, dtype=torch.float32), torch.empty(0, k, dtype=torch.int64, device=q.device)
    return torch.cat([sim for _, sim, _ in parts]), torch.cat([index for _, _, index in parts])


@torch.no_grad()
def search(
    q: Float[Tensor, "n d"],
    g: Float[Tensor, "m d"],
    k: int,
    *,
    ids_q: Int[Tensor, " n"] | None = None,
    ids_g: Int[Tensor, " m"] | None = None,
    similarity: Compare = inner,
    turn: Int[Tensor, " n"] | None = None,
    memory: str | int = "512 MB",
    propose: Propose | None = None,
    apart: Sequence[tuple[Tensor, Tensor]] = (),
    about: Known | None = None,
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """`nearest`, a chunk of queries at a time: yields their rows, similarities and gallery indices.

    `apart` holds further codes of queries and gallery items, as ids are: items with a query's code are left out for it.
    """
    q, g = _inputs(q, g, k, ids_q, ids_g)
    own = [*([] if ids_q is None or ids_g is None else [(ids_q, ids_g)]), *apart]
    turn = torch.zeros(len(q), dtype=torch.int64, device=q.device) if turn is None else turn
    want = min(k + sum(_copies(*codes) for codes in own), len(g))
    width = max(TILE, 2 * want)
    tile = 40 * min(width + want, len(g))  # bytes a query takes where it meets a whole tile
    fast = similarity in (inner, minus_distance) and want * DENSE < len(g)
    most = want + SPARE
    mirrored = fast and similarity is inner and propose is None and worth(q, g, most)
    mirrored = mirrored and 2 * LIST * most * len(q) + ROOM <= in_bytes(memory)
    propose = propose or (by_faiss if _has_faiss() and q.device.type == "cpu" else by_torch)
    step = rows_in(memory, 200 * want + (0 if fast and propose is by_faiss else tile))
    settled = _settled(g, similarity, propose, about or known(g, similarity)) if fast else None
    proposed = by_halves(q, most) if mirrored else None
    for start in range(0, len(q), step):
        rows = slice(start, min(start + step, len(q)))
        chunk, starts = q[rows], turn[rows]
        if settled is None:
            sim, index = top(chunk, g, want, compare=similarity, turn=starts, width=width)
        else:
            own_part = None if proposed is None else (proposed[0][rows], proposed[1][rows])
            sim, index, sure = settled(chunk, want, starts, own_part)
            for part in pieces((~sure).nonzero().squeeze(1), rows_in(memory, tile)):
                exact = top(chunk[part], g, want, compare=similarity, turn=starts[part], width=width)
                sim[part], index[part] = exact
        if own:
            sim, index = _without_own(sim, index, [(code_q[rows], code_g) for code_q, code_g in own])
        yield rows, *_padded(sim, index, k)


def by_faiss(q: Float[Tensor, "n d"], g: Float[Tensor, "m d"], k: int) -> tuple[Tensor, Tensor]:
    """The k largest float32 inner products of each query, as faiss finds them."""
    faiss = importlib.import_module("faiss")
    metric = faiss.METRIC_INNER_PRODUCT
    scores, index = faiss.knn(q.contiguous().numpy(), g.contiguous().numpy(), k, metric=metric)
    return torch.from_numpy(scores), torch.from_numpy(index)


def by_torch(q: Float[Tensor, "n d"], g: Float[Tensor, "m d"], k: int) -> tuple[Tensor, Tensor]:
    """The k largest float32 inner products of each query, a tile of the gallery at a time."""
    best, index = q.new_empty(len(q), 0), torch.empty(len(q), 0, dtype=torch.int64, device=q.device)
    width = max(TILE, 2 * k)
    with _full_precision(q.device.type):
        for start in range(0, len(g), width):
            score = q @ g[start : start + width].T
            score, found = score.topk(min(k, score.shape[1]), dim=1)
            best, index = torch.cat([best, score], 1), torch.cat([index, found + start], 1)
            best, order = best.topk(min(k, best.shape[1]), dim=1)
            index = index.gather(1, order)
    return best, index


def rows_in(memory: str | int, bytes_per_row: int) -> int:
    """How many queries are worked on at once: as the budget allows, and no more than keep the processor busy."""
    return max(1, min(ROWS, min(in_bytes(memory), BUSY) // max(1, bytes_per_row)))


def pieces(rows: Tensor, size: int) -> list[Tensor]:
    """Rows in pieces of `size`; none where there are none."""
    return list(rows.split(size)) if len(rows) else []


def _settled(
    g: Tensor, similarity: Compare, propose: Propose, about: Known
) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """A search whose answer is exact for the queries it calls sure.

    A float32 product of d terms is within `slack · ‖q‖‖g‖` of the truth: rounding errors add up like a random walk, √d
    long, and the factor leaves room (the largest seen, on vectors of equal components,
    is a third of it). Distances are searched as
    products too: ‖q − g‖² = ‖q‖² − 2 ([q, 1]ᵀ[g, −‖g‖²/2]), all centred on the gallery's mean.
    """
    slack = (8 + 4 * g.shape[1] ** 0.5) * UNIT
    product, norm = similarity is inner, torch.linalg.vector_norm
    centre, longest, searched = about

    def find(
        chunk: Tensor, want: int, turn: Tensor, proposed: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        moved = chunk if product else torch.cat([chunk - centre, torch.ones_like(chunk[:, :1])], 1)
        score, index = proposed or propose(moved, searched, min(want + SPARE, len(g)))
        length = norm(chunk if product else moved[:, :-1].double(), dim=1, keepdim=True).double()
        error = slack * (length * longest + (0 if product else longest**2 / 2))
        low, sim, high = (_value(score + e, length, product) for e in (-error, 0, error))
        pad = 2 * UNIT * sim.abs()
        linked = low[:, :-1] - pad[:, :-1] <= high[:, 1:] + pad[:, 1:]
        sure = (~linked[:, want - 1 :]).any(1) if want < score.shape[1] else torch.ones_like(linked[:, 0])
        doubt = torch.zeros_like(sim, dtype=torch.bool) if product else high - low > 1e-3 * sim.abs()
        doubt[:, 1:] |= linked
        doubt[:, :-1] |= linked
        sim = _compared_again(sim.float(), index, doubt, chunk, g, similarity)
        some = doubt.any(1)
        ordered = keys(sim[some], index[some], turn[some], len(g)).sort(dim=1, descending=True).values
        sim[some], index[some] = unpack(ordered, turn[some], len(g))
        return sim[:, :want], index[:, :want], sure & score.isfinite().all(1)

    return find


def _value(score: Tensor, length: Tensor, product: bool) -> Tensor:
    """The similarity that a score stands for, in float64."""
    return score.double() if product else -(length.square() - 2 * score).clamp_min(0).sqrt()


def _compared_again(sim: Tensor, index: Tensor, doubt: Tensor, q: Tensor, g: Tensor, similarity: Compare) -> Tensor:
    """Similarities with those in doubt replaced by exact ones."""
    for part in pieces(doubt.nonzero(), PAIRS):
        row, col = part.unbind(1)
        one, other = q[row].double(), g[index[row, col]].double()
        if similarity is inner:
            sim[row, col] = torch.linalg.vecdot(one, other).float()
        else:
            sim[row, col] = similarity(one[:, None], other[:, None]).flatten().float()
    return sim


def _without_own(sim: Tensor, index: Tensor, codes: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The gallery items that share a code with the query moved to the end, and blanked."""
    own = torch.zeros_like(index, dtype=torch.bool)
    for code_q, code_g in codes:
        own |= code_g[index] == code_q[:, None]
    order = own.to(torch.uint8).argsort(dim=1, stable=True)
    return sim.masked_fill(own, -torch.inf).gather(1, order), index.masked_fill(own, -1).gather(1, order)


def _padded(sim: Tensor, index: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Exactly k columns."""
    missing = (0, max(0, k - sim.shape[1]))
    pad = torch.nn.functional.pad
    return pad(sim[:, :k], missing, value=-torch.inf), pad(index[:, :k], missing, value=-1)


def _copies(code_q: Tensor, code_g: Tensor) -> int:
    """The largest number of gallery items that share their code with one query."""
    return int(occurrences(code_q, code_g).max()) if len(code_q) and len(code_g) else 0


def _inputs(q: Tensor, g: Tensor, k: int, ids_q: Tensor | None, ids_g: Tensor | None) -> tuple[Tensor, Tensor]:
    if q.ndim != 2 or g.ndim != 2 or q.shape[1] != g.shape[1]:
        raise ValueError(f"Queries and gallery are [n d] and [m d]; got {list(q.shape)} and {list(g.shape)}.")
    if k < 1:
        raise ValueError(f"At least one neighbour is asked for; got k={k}.")
    if (ids_q is None) != (ids_g is None):
        raise ValueError("Ids of queries and of gallery items are given together: one without the other names no self.")
    if ids_q is not None and ids_g is not None and (ids_q.shape != q.shape[:1] or ids_g.shape != g.shape[:1]):
        raise ValueError(f"{len(q)} queries and {len(g)} gallery items have {len(ids_q)} and {len(ids_g)} ids.")
    return q.detach().float(), g.detach().float()


@contextmanager
def _full_precision(device: str) -> Iterator[None]:
    """float32 means float32: no TF32, no autocast."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@functools.cache
def _has_faiss() -> bool:
    return importlib.util.find_spec("faiss") is not None
