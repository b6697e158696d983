"""What an index is: a gallery's vectors, arranged so that the nearest are found fast."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from isometry.component import Component, fields
from isometry.index.kinds.file import Note
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import Compare, inner, minus_distance

Lists = tuple[Float[Tensor, "q k"], Int64[Tensor, "q k"]]
COMPARED: dict[Compare, str] = {inner: "inner", minus_distance: "minus_distance"}
PIECE = 2**16  # vectors gathered at once


class Searcher(ABC):
    """Vectors that can be searched. It holds on to `z`, and reads it wherever a similarity has to be exact.

    Attributes:
        z: what is searched, float32 as `compare` reads it (rows of length one for a cosine); may be mapped from a file.
        compare: `inner` or `minus_distance` (the exact kind takes any).
    """

    def __init__(self, kind: "Kind", z: Float[Tensor, "n d"], compare: Compare) -> None:
        self.kind, self.z, self.compare = kind, z, compare

    def __len__(self) -> int:
        return len(self.z)

    @property
    @abstractmethod
    def memory(self) -> int:
        """Bytes that the index itself holds, besides `z`."""

    @abstractmethod
    def found(self, q: Float[Tensor, "q d"], k: int, keep: Bool[Tensor, " n"] | None) -> Lists:
        """`search`, its arguments checked."""

    @abstractmethod
    def write(self, path: Path) -> None:
        """Writes a file that the kind's `read` reads, whole or not at all."""

    def search(self, q: Float[Tensor, "q d"], k: int, keep: Bool[Tensor, " n"] | None = None) -> Lists:
        """The k nearest vectors of each query, nearest first.

        Args:
            q: queries as `compare` reads them.
            keep: which vectors may be found; all unless given.

        Returns:
            Similarities (float32) and rows of `z` (int64), padded with −inf and −1 where fewer than k are kept.

        Raises:
            ValueError: for queries of another dimension or that are not finite, k < 1, or a mask of another length.
        """
        q = vectors(q, "Queries")
        if q.shape[1] != self.z.shape[1]:
            raise ValueError(f"The index has {self.z.shape[1]} dimensions; the queries have {q.shape[1]}.")
        if k < 1:
            raise ValueError(f"k is how many neighbours are wanted, 1 or more; got {k}.")
        if keep is not None and (keep.dtype != torch.bool or keep.shape != self.z.shape[:1]):
            given = f"{keep.dtype} {list(keep.shape)}"
            raise ValueError(f"keep is a boolean for each of the {len(self)} vectors; got {given}.")
        if not len(q):
            return q.new_empty(0, k), torch.empty(0, k, dtype=torch.int64)
        return self.found(q, k, None if keep is None or bool(keep.all()) else keep)

    def note(self) -> Note:
        """What the file says of itself."""
        name = COMPARED.get(self.compare, repr(self.compare))
        return Note(kind=self.kind.built(), n=len(self.z), dim=self.z.shape[1], compare=name)


class Kind(Component):
    """A way to arrange vectors. Subclasses write `build` and `read`."""

    exact: ClassVar[bool] = False
    """Whether what it finds are the nearest, always."""
    searched: ClassVar[frozenset[str]] = frozenset()
    """Fields that only a search reads: an index that was built with other values of them can be read."""

    def built(self) -> str:
        """The text of what was built, whatever it is searched with."""
        return repr(type(self)(**{n: getattr(self, n) for n in fields(type(self)).keys() - self.searched}))

    @abstractmethod
    def build(self, z: Float[Tensor, "n d"], *, compare: Compare = inner, seed: int = 0) -> Searcher:
        """Arranges vectors.

        Args:
            z: rows as `compare` reads them (of length one for a cosine); kept by reference, and read at every search.
            compare: `inner` or `minus_distance`, as `protocols.retrieval.geometry` gives it for a similarity.
            seed: of whatever is drawn.
        """

    @abstractmethod
    def read(self, path: Path, z: Float[Tensor, "n d"], *, compare: Compare = inner) -> Searcher:
        """What `Searcher.write` wrote, for the same vectors.

        Raises:
            FileNotFoundError: where there is no such file.
            ValueError: for a file that is damaged, of a newer version, of another kind, or of other vectors.
        """


def vectors(z: Tensor, name: str) -> Float[Tensor, "n d"]:
    """Rows on the CPU, in float32 and in one piece of memory.

    Raises:
        ValueError: for what is no matrix of finite numbers.
    """
    if z.ndim != 2 or not z.is_floating_point():
        raise ValueError(f"{name} are a float matrix [n d]; got {z.dtype} {list(z.shape)}.")
    z = z.detach().float().cpu().contiguous()
    if not bool(z.sum(1).isfinite().all()):
        raise ValueError(f"{name} hold numbers that are not finite: did the training diverge?")
    return z


def among(
    q: Float[Tensor, "q d"], z: Float[Tensor, "n d"], rows: Int64[Tensor, " m"], k: int, compare: Compare
) -> Lists:  # fmt: skip
    """The k nearest of some rows of `z`, exactly; a piece at a time, so that no copy of all of them is made."""
    best, index = q.new_empty(len(q), 0), torch.empty(len(q), 0, dtype=torch.int64)
    for piece in rows.split(PIECE) if len(rows) else ():
        sim, place = nearest(q, z[piece], min(k, len(piece)), similarity=compare)
        best, index = torch.cat([best, sim], 1), torch.cat([index, piece[place]], 1)
        best, order = best.sort(dim=1, descending=True, stable=True)
        best, index = best[:, :k], index.gather(1, order)[:, :k]
    return padded(best, index, k)


def padded(sim: Tensor, index: Tensor, k: int) -> Lists:
    """Exactly k columns."""
    missing = (0, max(0, k - sim.shape[1]))
    pad = torch.nn.functional.pad
    return pad(sim[:, :k], missing, value=-torch.inf), pad(index[:, :k], missing, value=-1)
