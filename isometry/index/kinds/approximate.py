"""What the kinds share that do not look at every vector: an index of faiss proposes, and the vectors themselves decide."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.codes import PQ, Float16, Int8
from isometry.codes.code import Code
from isometry.component import fields
from isometry.index.kinds import file
from isometry.index.kinds.kind import COMPARED, Kind, vectors
from isometry.index.kinds.proposed import Proposed, faiss, in_one_line
from isometry.ops.ranking import Compare, inner

CENTRES = 256  # of a slice of a product quantiser


class Approximate(Kind):
    """Finds most of the nearest without looking at all vectors. Subclasses write `empty` and `parameters`.

    Candidates are found by what the index holds of each vector (a code of it, if there is one); k times `refine` of them
    are compared again with the vectors themselves, so the similarities that come out are exact, and equal ones are in the
    order of their rows. A query that finds fewer than k (lists that are short, a mask that few pass) is searched exactly.
    """

    code: Code | None = None
    """What the index holds of a vector: `Float16()`, `Int8()`, `PQ(parts=16)`; unless given, the vector in float32."""
    refine: int = 4
    """How many times k candidates are compared again, where a code is held."""

    def __post_init__(self) -> None:
        if self.refine < 1:
            raise ValueError(f"{self!r} has refine={self.refine}: it is 1 or more.")
        self.tail()

    @abstractmethod
    def empty(self, n: int, dim: int, metric: int, seed: int) -> Any:
        """An untrained index of faiss, for about n vectors."""

    @abstractmethod
    def parameters(self, want: int, wider: int, selector: dict[str, Any]) -> Any:
        """faiss's parameters of a search for `want` vectors, `wider` times as far as usual."""

    @abstractmethod
    def further(self, n: int) -> "Approximate | None":
        """The same, searching twice as far; None where it looks at all n vectors already."""

    def but(self, **changed: Any) -> "Approximate":
        """The same with some fields changed."""
        return type(self)(**{**{n: getattr(self, n) for n in fields(type(self))}, **changed})

    def sample(self, n: int) -> int:
        """How many of n vectors the index learns from, at most."""
        return min(n, 2**16)

    def tail(self) -> str:
        """How faiss calls the code."""
        match self.code:
            case None:
                return "Flat"
            case Float16():
                return "SQfp16"
            case Int8():
                return "SQ8"
            case PQ():
                return f"PQ{self.code.parts}np"  # np: no polysemous codes, whose training takes minutes and serves nothing here
            case _:
                raise ValueError(f"An index cannot hold {self.code!r}: it can hold Float16(), Int8(), PQ() or None.")

    def build(self, z: Float[Tensor, "n d"], *, compare: Compare = inner, seed: int = 0) -> Proposed:
        z = vectors(z, "The gallery's vectors")
        made = self.learnt(z, torch.arange(len(z)), compare=compare, seed=seed)
        made.add(torch.arange(len(z)))
        return made

    def learnt(self, z: Float[Tensor, "n d"], rows: Int64[Tensor, " m"], *, compare: Compare, seed: int) -> Proposed:
        """An index that has learnt from these rows and holds none yet."""
        if compare not in COMPARED:
            raise ValueError(f"{self!r} searches by cosine, dot or euclidean; any other similarity needs Flat().")
        if not len(rows):
            raise ValueError(f"{self!r} has nothing to learn from: give it at least one vector.")
        match self.code:
            case PQ(parts=parts) if parts < 1 or z.shape[1] % parts:
                raise ValueError(
                    f"{self.code!r} does not divide {z.shape[1]} dimensions: parts is one of their divisors."
                )
            case PQ() if len(rows) < CENTRES:
                raise ValueError(
                    f"{self.code!r} learns {CENTRES} centres a slice, and {len(rows)} vectors are too few."
                )
        metric = faiss().METRIC_INNER_PRODUCT if compare is inner else faiss().METRIC_L2
        some = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[: self.sample(len(rows))]
        with in_one_line(repr(self)):
            index = self.empty(len(z), z.shape[1], metric, seed)
            index.train(z[rows[some].sort().values].numpy())
        return Proposed(self, z, compare, index)

    def read(self, path: Path, z: Float[Tensor, "n d"], *, compare: Compare = inner) -> Proposed:
        made = Proposed(self, vectors(z, "The gallery's vectors"), compare, None)
        file.checked(path, made.note())
        with in_one_line(str(path)):
            made.index = faiss().read_index(str(path))
        if (made.index.ntotal, made.index.d) != tuple(z.shape):
            raise ValueError(f"{path} holds {made.index.ntotal} vectors and not {len(z)}: build the index anew.")
        return made
