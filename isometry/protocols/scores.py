"""The values of all queries as they come in: with what ties decide, over ranks, and kept on disk where asked."""

import hashlib
import os
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isometry import distributed
from isometry.component import Component
from isometry.label_metric import text_of
from isometry.metrics.metric import Metric, Ties
from isometry.protocols.rankings import Asked, Chunk, Contest, Whole, ties

OFTEN = 20.0  # seconds between writes of what is done
MATTERS = 5e-4  # a difference by ties that is worth a warning: the third digit


class Scores:
    """Values `[n s]` of the metrics, NaN where not scored; `least` and `most` where equals come in other orders."""

    def __init__(self, metrics: list[Metric], n: int):
        self.metrics = metrics
        graded = [m for m in metrics if m.graded]
        self.plain = Asked.by([m for m in metrics if not m.graded])
        self.graded = Asked.by(graded) if graded else None
        self.value, self.least, self.most = torch.full((3, n, len(metrics)), torch.nan)
        self.relevant = torch.zeros(n, dtype=torch.int64)
        self.file: Path | None = None
        self.name = ""
        self.written = time.monotonic()

    def add(self, c: Contest, chunk: Chunk) -> None:
        """The values of a chunk of queries."""
        at = c.order[chunk.rows].cpu()
        columns = []
        for metric in self.metrics:
            ranking = chunk.graded if metric.graded else chunk.plain
            columns.append(metric.per_query(ranking).float().masked_fill(~metric.scored(ranking), torch.nan))
        found = torch.stack(columns, 1).cpu()
        self.value[at], self.least[at], self.most[at] = found, found, found
        self.relevant[at] = torch.maximum(chunk.plain.relevant, chunk.graded.relevant).cpu()

    def settle(self, c: Contest, chunk: Chunk, table: Whole) -> None:
        """Means over the orders of equals, for queries in doubt."""
        rows = chunk.doubt.nonzero().squeeze(1)
        if not len(rows):
            return
        some = Whole(*(None if x is None else x[rows] for x in table))  # type: ignore[arg-type]
        at = c.order[chunk.rows[rows]].cpu()
        kinds: dict[tuple[bool, ...], list[Metric]] = {}
        for metric in self.metrics:
            kinds.setdefault((metric.graded, metric.needs_ranks, metric.needs_gaps), []).append(metric)
        made = {kind: ties(c, some, metrics) for kind, metrics in kinds.items()}
        for j, metric in enumerate(self.metrics):
            found = expected(metric, made[metric.graded, metric.needs_ranks, metric.needs_gaps])
            if found is not None:
                scored = ~self.value[at, j].isnan()
                for column, values in zip((self.value, self.least, self.most), found, strict=True):
                    known = scored & ~values.cpu().isnan()
                    column[at[known], j] = values.float().cpu()[known]

    @property
    def found(self) -> Tensor:
        """How many matches each query has; 1 for one that is scored without a match."""
        return torch.maximum(self.relevant, (~self.value.isnan()).any(1).long())

    def say_what_ties_decide(self, names: list[str]) -> None:
        """Warns of metrics whose value depends on the order of equals."""
        value, least, most = (x.double().nanmean(0) for x in (self.value, self.least, self.most))
        matters = ((most - least).abs() > MATTERS).nonzero().squeeze(1).tolist()
        if matters:
            told = "; ".join(
                f"{names[j]} lies between {least[j]:.4f} and {most[j]:.4f}, mean {value[j]:.4f}" for j in matters
            )
            warnings.warn(
                f"Some similarities are equal, and their order decides: {told}. The mean over all orders is given.",
                stacklevel=3,
            )

    def take_up(self, file: str | Path, c: Contest, share: slice) -> int:
        """Reads what an interrupted call left in `file`; the query to go on with. Another call's file is refused, and so is
        a call that nothing tells from others."""
        suffix = f".{distributed.rank()}" if share.start or share.stop < len(c.q.z) else ""
        self.file, self.name = Path(f"{file}{suffix}"), _name(c, self.metrics, share)
        if not self.file.parent.is_dir():
            raise FileNotFoundError(f"There is no folder {self.file.parent} to keep {self.file.name} in.")
        if not self.file.exists():
            return share.start
        try:
            with np.load(self.file, allow_pickle=False) as kept:
                name, tables, upto = str(kept["name"]), kept["tables"], int(kept["upto"])
                counts = kept["relevant"]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            raise ValueError(f"{self.file} is no interrupted evaluation: name another file, or remove it.") from None
        if name != self.name:
            raise ValueError(
                f"{self.file} is of another evaluation (other embeddings, labels, metrics or settings): name another file, "
                "or remove it."
            )
        self.value, self.least, self.most = torch.from_numpy(tables)
        self.relevant = torch.from_numpy(counts)
        return upto

    def keep(self, chunk: Chunk, start: int) -> None:
        """Writes what is done, now and then."""
        if self.file is None or time.monotonic() - self.written < OFTEN:
            return
        tables = torch.stack([self.value, self.least, self.most]).numpy()
        upto = start + int(chunk.rows.max()) + 1
        beside = self.file.with_name(f"{self.file.name}.{os.getpid()}.part")
        with open(beside, "wb") as out:
            np.savez(out, name=np.array(self.name), tables=tables, upto=upto, relevant=self.relevant.numpy())
        os.replace(beside, self.file)
        self.written = time.monotonic()

    def gather(self, mine: Tensor) -> None:
        """All ranks' values; `mine` are the queries that this one scored."""
        device = mine.device
        every = distributed.gather_rows(mine).cpu()
        for table in (self.value, self.least, self.most, self.relevant):
            table[every] = distributed.gather_rows(table[mine.cpu()].to(device)).cpu()

    def done(self) -> None:
        """Nothing is left to take up."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)


def expected(metric: Metric, found: Ties) -> tuple[Tensor, Tensor, Tensor] | None:
    """The mean, the least and the most over the orders of equals; None for metrics without a closed form."""
    if type(metric).expected is Metric.expected:
        return None
    try:
        mean = metric.expected(found)
    except ValueError:  # no closed form for these gains
        return None
    if found.gain is not None or found.gap is not None:
        return mean, mean, mean
    depth = min(metric.depth(int(found.relevant.max())), int(found.size.sum(1).max()))
    worst, best = (
        metric.per_query(found.ranking(max(1, depth), best=best, ranks=metric.needs_ranks)) for best in (False, True)
    )
    return mean, worst, best


def _name(c: Contest, metrics: list[Metric], share: slice) -> str:
    """A hash of everything that the values depend on.

    Raises:
        ValueError: where what compares, or relates labels, is told from others by nothing that outlasts the process.
    """
    told = [_mark(x) for x in (c.compare, c.relate)]
    if None in told:
        which = (c.compare, c.relate)[told.index(None)]
        raise ValueError(
            f"An evaluation with {which!r} cannot be told from others with functions of yours: leave out resume=…."
        )
    digest = hashlib.sha256(f"{metrics} {share} {told} {c.lists is not None}".encode())
    for side in (c.q,) if c.g is c.q else (c.q, c.g):
        for x in (*side, c.turn, *(c.lists or ())):
            if x is not None:
                digest.update(f"{x.dtype} {tuple(x.shape)}".encode())
                digest.update(np.ascontiguousarray(x.cpu().numpy()).tobytes())
    return digest.hexdigest()


def _mark(x: Any) -> str | None:
    """What tells a relation, or a comparison, from all others in any process; None where nothing does."""
    if x is None or hasattr(x, "mark"):
        return "" if x is None else x.mark()
    if isinstance(owner := getattr(x, "__self__", x), Component):
        return None if (said := text_of(owner)) is None else f"{said} {getattr(x, '__name__', '')}"
    home, name = getattr(x, "__module__", ""), getattr(x, "__qualname__", "<none>")
    return f"{home}.{name}" if home.startswith("isometry.") and "<" not in name else None
