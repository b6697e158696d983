"""Every vector is looked at."""

from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from isometry.index.kinds import file
from isometry.index.kinds.kind import Kind, Lists, Searcher, among, padded, vectors
from isometry.ops.neighbours import Known, known, nearest
from isometry.ops.ranking import Compare, inner, minus_distance


class Flat(Kind):
    """The nearest vectors, always: every query is compared with all of them. O(n d) a query, no memory beside the vectors.

    The answer is that of an evaluation: similarities accurate to float32, equal ones in the order of their rows. It takes
    any comparison of two rows; the other kinds take inner products and distances.

    Use it up to some hundred thousand vectors, or where a query may take tenths of a second.

    >>> z = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]), dim=1)
    >>> Flat().build(z).search(z[:1], 2)[1]
    tensor([[0, 2]])
    """

    exact = True

    def build(self, z: Float[Tensor, "n d"], *, compare: Compare = inner, seed: int = 0) -> Searcher:
        return Scan(self, vectors(z, "The gallery's vectors"), compare)

    def read(self, path: Path, z: Float[Tensor, "n d"], *, compare: Compare = inner) -> Searcher:
        made = self.build(z, compare=compare)
        file.checked(path, made.note())
        return made


class Scan(Searcher):
    """All of `z`, looked at for every query."""

    @property
    def memory(self) -> int:
        """A copy of the vectors for distances, made at the first search; nothing for products."""
        return 4 * len(self.z) * (self.z.shape[1] + 1) if self.compare is minus_distance else 0

    @cached_property
    def _about(self) -> Known | None:
        return known(self.z, self.compare) if self.compare in (inner, minus_distance) and len(self.z) else None

    def write(self, path: Path) -> None:
        file.write(path, self.note())

    def found(self, q: Float[Tensor, "q d"], k: int, keep: Bool[Tensor, " n"] | None) -> Lists:
        """Where most are kept, a few more are asked for and the others left out: no vector is copied for the mask."""
        if keep is None:
            return nearest(q, self.z, k, similarity=self.compare, about=self._about)
        rows = keep.nonzero().squeeze(1)
        if 2 * len(rows) < len(keep):
            return among(q, self.z, rows, k, self.compare)
        sim, index = nearest(q, self.z, min(2 * k + 16, len(keep)), similarity=self.compare, about=self._about)
        out = ~keep[index]
        order = out.byte().argsort(dim=1, stable=True)[:, :k]
        sim, index = padded(sim.gather(1, order), index.gather(1, order), k)
        short = (~out).sum(1) < min(k, len(rows))
        out = out.gather(1, order)
        sim[:, : out.shape[1]].masked_fill_(out, -torch.inf)
        index[:, : out.shape[1]].masked_fill_(out, -1)
        if bool(short.any()):
            sim[short], index[short] = among(q[short], self.z, rows, k, self.compare)
        return sim, index
