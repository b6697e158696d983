"""Inverted lists (Sivic and Zisserman, ICCV 2003; with product codes, Jégou, Douze and Schmid, TPAMI 2011), as faiss does it."""

from typing import Any, ClassVar

from isometry.index.kinds.approximate import Approximate
from isometry.index.kinds.proposed import faiss

A_LIST = 40  # vectors learnt from, for each list


class IVF(Approximate):
    """Vectors in lists, each about a centre: a search looks through the lists whose centres are nearest. The smallest.

    The centres are found by k-means. Memory: a code and 8 bytes a vector, and the centres; a code is of what a vector
    differs from its centre by. It is built several times faster than a graph.

    Use it where memory counts most, or where it must be built soon: `IVF(code=Int8())` loses next to nothing in a quarter
    of the vectors' size; `IVF(code=PQ(parts=16), refine=10)` is smaller by far and leans on the vectors being read again.

    >>> import torch
    >>> z = torch.nn.functional.normalize(torch.randn(500, 16), dim=1)
    >>> IVF(lists=8, probes=2).build(z).search(z[:2], 1)[1].tolist()
    [[0], [1]]

    Raises:
        ValueError: for negative numbers of lists, or less than one probe.
    """

    searched: ClassVar[frozenset[str]] = frozenset({"probes", "refine"})

    lists: int = 0
    """How many lists; 0 is 4 √n, and less where there would not be 39 vectors a list."""
    probes: int = 16
    """How many lists a search looks through: more find more, and take longer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lists < 0 or self.probes < 1:
            raise ValueError(f"{self!r} needs lists of 0 or more and at least one probe.")

    def count(self, n: int) -> int:
        """How many lists n vectors have.

        Raises:
            ValueError: where more are asked for than there are vectors.
        """
        if self.lists > n:
            raise ValueError(f"{self!r} has more lists than the {n:,} vectors: take lists=0, which suits their number.")
        return self.lists or max(1, min(round(4 * n**0.5), n // 39))

    def sample(self, n: int) -> int:
        return min(n, max(A_LIST * self.count(n), 2**16))

    def empty(self, n: int, dim: int, metric: int, seed: int) -> Any:
        index = faiss().index_factory(dim, f"IVF{self.count(n)},{self.tail()}", metric)
        index.cp.seed, index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = seed, 1, 10**9
        if hasattr(index, "pq"):
            index.pq.cp.seed, index.pq.cp.min_points_per_centroid, index.pq.cp.max_points_per_centroid = seed, 1, A_LIST
        return index

    def further(self, n: int) -> Approximate | None:
        return self.but(probes=2 * self.probes) if self.probes < self.count(n) else None

    def parameters(self, want: int, wider: int, selector: dict[str, Any]) -> Any:
        return faiss().SearchParametersIVF(nprobe=self.probes * wider, **selector)
