"""Which kind of index: by what is measured on the vectors themselves."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.codes import PQ, Int8
from isometry.index.kinds import HNSW, IVF, Flat
from isometry.index.kinds.approximate import Approximate
from isometry.index.kinds.kind import COMPARED, Kind, Searcher, vectors
from isometry.index.kinds.proposed import Proposed
from isometry.ops.memory import in_bytes
from isometry.ops.ranking import Compare, inner

BELOW = 50_000  # vectors, up to which all of them are looked at
HELD = 500  # vectors held out as queries
SAMPLE = 50_000  # vectors that all kinds are tried on first
NEAR = 2.0  # times as slow as the fastest: of those the smallest is taken
SINGLE = 20  # queries asked one at a time


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a kind did with vectors that were held out as queries.

    Attributes:
        kind: its text, searching as far as it was measured. n: how many vectors it held.
        recall: share of the k nearest that were found; `error`: its standard error over the queries.
        per_second: queries a second, all asked at once. latency: milliseconds of a query asked alone, median.
        memory: bytes of the index, besides the vectors (4 n d bytes, which it reads too). seconds: to build it.
    """

    kind: str
    n: int
    k: int
    queries: int
    recall: float
    error: float
    per_second: float
    latency: float
    memory: int
    seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Chosen:
    """The kind that was chosen, the index of all vectors, and what was measured: a table, the chosen one last."""

    kind: Kind
    searcher: Searcher
    table: tuple[Measured, ...]
    why: str

    @property
    def measured(self) -> tuple[dict[str, Any], ...]:
        """The table as plain values."""
        return tuple(map(dataclasses.asdict, self.table))

    def __str__(self) -> str:
        head = f"{'kind':<40} {'vectors':>10} {'recall':>7} {'queries/s':>10} {'ms alone':>9} {'memory':>10} {'built in':>9}"
        size = f"memory is that of the index; {self.searcher.z.numel() * 4 / 2**20:,.1f} MB of vectors lie beside it, "
        size += "all read by a query" if self.kind.exact else "read where the index points"
        return "\n".join([head, *map(_line, self.table), size, f"{self.kind!r}: {self.why}"])


def choose(
    z: Float[Tensor, "n d"],
    *,
    compare: Compare = inner,
    recall: float = 0.95,
    memory: str | int | None = None,
    k: int = 10,
    queries: Float[Tensor, "q d"] | None = None,
    below: int = BELOW,
    seed: int = 0,
    show: Callable[[str], None] = lambda line: None,
) -> Chosen:
    """Chooses a kind of index and builds it.

    Up to `below` vectors it is `Flat()`. Above, graphs and lists are tried on a sample, each searching as far as the
    recall needs. Of those that are less than twice as slow as the fastest and fit the memory, the smallest is built of
    all vectors and measured again; if it falls short there, the next one is.

    Args:
        z: rows as `compare` reads them.
        recall: share of the k nearest that must be found, surely: less two standard errors.
        memory: of the index, such as "512 MB"; the vectors' own size unless given.
        queries: what is asked; by default vectors that are held out, and added at the end.
        show: is called with each line of the table as it is measured.

    Raises:
        ValueError: for a recall outside 0 … 1.
    """
    if not 0 < recall <= 1:
        raise ValueError(f"recall is a share above 0, at most 1; got {recall}.")
    z = vectors(z, "The gallery's vectors")
    limit = in_bytes(memory) if memory is not None else z.numel() * 4
    drawn = torch.randperm(len(z), generator=torch.Generator().manual_seed(seed))
    held, rest = (drawn[:0], drawn) if queries is not None else (drawn[:HELD], drawn[HELD:].sort().values)
    q = vectors(queries, "Queries") if queries is not None else z[held]
    exact = Flat().build(z, compare=compare)
    if len(z) <= max(below, HELD) or compare not in COMPARED:
        few = f"up to {below:,} vectors all are looked at" if compare in COMPARED else "only it compares in this way"
        return Chosen(kind=Flat(), searcher=exact, table=(_measured(exact, q, None, k, 0.0),), why=few)
    table: list[Measured] = []

    def tell(one: Measured) -> Measured:
        table.append(one)
        show(_line(one))
        return one

    for kind in _in_order(z[drawn[HELD:][:SAMPLE]], q, len(z), compare, recall, limit, k, seed, tell):
        start = time.perf_counter()
        made = kind.learnt(z, rest, compare=compare, seed=seed)
        made.add(rest)
        found = tell(_far_enough(made, q, _truth(z, rest, q, k, compare), k, recall, time.perf_counter() - start))
        if found.recall - 2 * found.error >= recall and found.memory <= limit:
            made.add(held)
            why = f"recall@{k} {found.recall:.3f} in {found.memory / 2**20:,.0f} MB, {len(z):,} vectors"
            return Chosen(kind=made.kind, searcher=made, table=tuple(table), why=why)
    tell(_measured(exact, q, None, k, 0.0))
    why = f"no other reaches recall@{k} {recall} within {limit / 2**20:,.0f} MB"
    return Chosen(kind=Flat(), searcher=exact, table=tuple(table), why=why)


def candidates(dim: int) -> tuple[Approximate, ...]:
    """What is tried: graphs and lists, in full and by codes."""
    parts = next(p for p in range(max(1, dim // 4), 0, -1) if dim % p == 0)
    return (
        HNSW(ef=16), HNSW(ef=16, code=Int8(), refine=2), IVF(probes=1, code=Int8(), refine=2),
        IVF(probes=1, code=PQ(parts=parts), refine=10),
    )  # fmt: skip


def _in_order(
    z: Tensor, q: Tensor, n: int, compare: Compare, recall: float, limit: int, k: int, seed: int,
    tell: Callable[[Measured], Measured],
) -> Iterator[Approximate]:  # fmt: skip
    """Kinds that reach the recall on a sample and will fit the memory: the near-fastest first, by size; then the others."""
    truth = _truth(z, torch.arange(len(z)), q, k, compare)
    tried = []
    for kind in candidates(z.shape[1]):
        start = time.perf_counter()
        made = kind.build(z, compare=compare, seed=seed)
        found = tell(_far_enough(made, q, truth, k, recall, time.perf_counter() - start))
        if found.recall - 2 * found.error >= recall and found.memory * n / len(z) <= limit:
            tried.append((found, made.kind))
    fastest = max((found.per_second for found, _ in tried), default=0.0)
    yield from (
        kind for _, kind in sorted(tried, key=lambda t: (t[0].per_second * NEAR < fastest, t[0].memory))
    )  # fmt: skip


def _truth(z: Tensor, rows: Int64[Tensor, " m"], q: Tensor, k: int, compare: Compare) -> Float[Tensor, " q"]:
    """The similarity of the k-th nearest of these rows."""
    keep = torch.zeros(len(z), dtype=torch.bool).index_fill_(0, rows, True)
    return Flat().build(z, compare=compare).search(q, k, keep)[0][:, -1]


def _far_enough(made: Proposed, q: Tensor, truth: Tensor, k: int, recall: float, seconds: float) -> Measured:
    """Searches further until the recall is reached, or there is nothing further."""
    while True:
        found = _measured(made, q, truth, k, seconds)
        further = made.kind.further(len(made))
        if found.recall - 2 * found.error >= recall or further is None:
            return found
        made.kind = further


def _measured(searcher: Searcher, q: Tensor, truth: Tensor | None, k: int, seconds: float) -> Measured:
    start = time.perf_counter()
    sim, _ = searcher.search(q, k)
    took, alone = time.perf_counter() - start, []
    for one in q[:SINGLE].split(1):
        start = time.perf_counter()
        searcher.search(one, k)
        alone.append(time.perf_counter() - start)
    level = sim[:, -1:] if truth is None else truth[:, None]
    share = (sim >= level - 1e-6 * level.abs()).float().mean(1)
    return Measured(
        kind=repr(searcher.kind), n=len(searcher), k=k, queries=len(q), recall=float(share.mean()),
        error=float(share.std()) / len(q) ** 0.5 if len(q) > 1 else 0.0, per_second=len(q) / took,
        latency=1000 * statistics.median(alone), memory=searcher.memory, seconds=seconds,
    )  # fmt: skip


def _line(one: Measured) -> str:
    return (
        f"{one.kind:<40} {one.n:>10,} {one.recall:>7.4f} {one.per_second:>10,.0f} {one.latency:>9.1f} "
        f"{one.memory / 2**20:>7,.1f} MB {one.seconds:>7.1f} s"
    )
