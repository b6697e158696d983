"""Vectors behind an index of faiss."""

import functools
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from isometry.index.kinds import file
from isometry.index.kinds.kind import Lists, Searcher, among, padded
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import Compare

if TYPE_CHECKING:
    from isometry.index.kinds.approximate import Approximate

PIECE = 2**17  # vectors added at once
BYTES = 2**25  # of vectors compared again at once
FEW = 20_000  # vectors that are kept, up to which all of them are looked at
WIDER = 16  # times as far that a search goes where few are kept, at most


class Proposed(Searcher):
    """Candidates from an index of faiss, compared again with the vectors."""

    kind: "Approximate"

    def __init__(self, kind: "Approximate", z: Float[Tensor, "n d"], compare: Compare, index: Any) -> None:
        super().__init__(kind, z, compare)
        self.index = index

    def add(self, rows: Int64[Tensor, " m"]) -> None:
        """Puts these rows of `z` into the index, a piece at a time."""
        with in_one_line(repr(self.kind)):
            for piece in rows.split(PIECE):
                self.index.add_with_ids(self.z[piece].numpy(), piece.numpy())

    @functools.cached_property
    def memory(self) -> int:
        size, tables = 0, getattr(faiss().try_extract_index_ivf(self.index), "precomputed_table", None)

        def count(part: bytes) -> int:
            nonlocal size
            size += len(part)
            return len(part)

        faiss().write_index(self.index, faiss().PyCallbackIOWriter(count, 2**20))
        return size + (4 * tables.size() if tables else 0)

    def write(self, path: Path) -> None:
        file.write(path, self.note(), lambda half: faiss().write_index(self.index, half))

    def found(self, q: Float[Tensor, "q d"], k: int, keep: Bool[Tensor, " n"] | None) -> Lists:
        kept, wider, selector = len(self), 1, {}
        if keep is not None:
            kept = int(keep.sum())
            if kept <= max(FEW, 4 * k):
                return among(q, self.z, keep.nonzero().squeeze(1), k, self.compare)
            wider = min(-(-len(self) // kept), WIDER)
            selector = {"sel": faiss().IDSelectorBitmap(np.packbits(keep.numpy(), bitorder="little"))}
        want = min(k if self.kind.code is None else k * self.kind.refine, kept)
        with in_one_line(repr(self.kind)):
            index = self.index.search(q.numpy(), want, params=self.kind.parameters(want, wider, selector))[1]
        index = torch.from_numpy(index)
        sim, index = padded(*self._compared_again(q, index), k)
        short = (index >= 0).sum(1) < min(k, kept)
        if bool(short.any()):
            rows = keep.nonzero().squeeze(1) if keep is not None else None
            exact = nearest(q[short], self.z, k, similarity=self.compare) if rows is None else None
            sim[short], index[short] = exact or among(q[short], self.z, rows, k, self.compare)  # type: ignore[arg-type]
        return sim, index

    def _compared_again(self, q: Tensor, index: Tensor) -> Lists:
        """Exact similarities of the candidates, falling; equal ones in the order of their rows, gaps (−1) last."""
        index = index.sort(dim=1).values
        sim = torch.empty(index.shape)
        step = max(1, BYTES // (index.shape[1] * q.shape[1] * 4))
        for first in range(0, len(q), step):
            rows = index[first : first + step]
            again = self.compare(q[first : first + step, None].double(), self.z[rows.clamp_min(0)].double())
            sim[first : first + step] = again[:, 0].float().masked_fill_(rows < 0, -torch.inf)
        sim, order = sim.sort(dim=1, descending=True, stable=True)
        return sim, index.gather(1, order)


@functools.cache
def faiss() -> Any:
    """The library; it is loaded when it is first needed.

    Raises:
        ImportError: where it is not installed.
    """
    try:
        return importlib.import_module("faiss")
    except ImportError:
        raise ImportError("HNSW and IVF need faiss: pip install faiss-cpu, or take Flat().") from None


@contextmanager
def in_one_line(what: str) -> Iterator[None]:
    """What faiss refuses, as a ValueError of one line."""
    try:
        yield
    except (RuntimeError, AssertionError) as error:
        why = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
        raise ValueError(f"{what} was refused by faiss: {why.strip()[:200]}") from None
