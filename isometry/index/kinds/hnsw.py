"""Hierarchical navigable small worlds (Malkov and Yashunin, TPAMI 2020), as faiss builds them."""

from typing import Any, ClassVar

from isometry.index.kinds.approximate import Approximate
from isometry.index.kinds.proposed import faiss

FURTHEST = 2048  # candidates, beyond which looking at everything is hardly slower


class HNSW(Approximate):
    """A graph of near neighbours: a search walks along it towards the query. The fastest at high recall, and the largest.

    Every vector has up to 2 · `links` links to near ones, and a few have longer ones on levels above. Memory: a code and
    about 8 · links + 20 bytes a vector. Vectors are taken out by a mask, not by mending the graph.

    Built by several threads it depends on which came first, so two builds of a seed may differ in a few links.

    Use it where queries per second count most, and memory about the size of the vectors is there; with `Int8()` it takes
    half of that.

    >>> import torch
    >>> z = torch.nn.functional.normalize(torch.randn(500, 16), dim=1)
    >>> HNSW(links=8).build(z).search(z[:2], 1)[1].tolist()
    [[0], [1]]

    Raises:
        ValueError: for fewer than 2 links, or widths below 1.
    """

    searched: ClassVar[frozenset[str]] = frozenset({"ef", "refine"})

    links: int = 32
    """Links of a vector (M); twice as many at the lowest level."""
    ef_build: int = 80
    """How many candidates are kept while a vector's links are sought."""
    ef: int = 64
    """How many candidates are kept in a search: more find more, and take longer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.links < 2 or self.ef_build < 1 or self.ef < 1:
            raise ValueError(f"{self!r} needs links of 2 or more, ef_build and ef of 1 or more.")

    def empty(self, n: int, dim: int, metric: int, seed: int) -> Any:
        if n >= 2**31:
            raise ValueError(f"HNSW numbers up to {2**31 - 1:,} vectors, and {n:,} are more: take IVF().")
        index = faiss().index_factory(dim, f"HNSW{self.links}_{self.tail()}", metric)
        index.hnsw.efConstruction = self.ef_build
        index.hnsw.rng = faiss().RandomGenerator(seed)
        return faiss().IndexIDMap(index)

    def further(self, n: int) -> Approximate | None:
        return self.but(ef=2 * self.ef) if self.ef < min(n, FURTHEST) else None

    def parameters(self, want: int, wider: int, selector: dict[str, Any]) -> Any:
        return faiss().SearchParametersHNSW(efSearch=max(self.ef, want) * wider, **selector)
