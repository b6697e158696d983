"""The exact search beside the bare matrix product, and what metrics cost once neighbours are known.

    python benchmarks/search.py                            # both tables
    python benchmarks/search.py --table metrics --n 20000

The first table: the tiled matrix product alone is what no exact search can be below; the others find the same k
neighbours. The second: the whole evaluation with its neighbours given, so without the search; and metrics that place every
match of every query, which need similarities of their own. Runs are interleaved; medians, and medians of ratios.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from evaluation import data, neighbours_needed

from isometry.component import Component
from isometry.ops.neighbours import by_torch, nearest
from isometry.protocols.retrieval import evaluate
from isometry.rerank.reranking import Reranking

ROWS, TILE = 1024, 8192
LISTED = (
    "Recall(k=1), Recall(k=10), HitRate(k=5), ShareFound(k=10), Precision(k=10), RPrecision(), MAPAtR(), MAP(k=10), "
    "NDCG(k=10), CMC(k=5)"
)
"""Metrics of the first neighbours."""
PLACED = ("MRR()", "MAP()", "MINP()", "TripletAccuracy()", "NDCG()")
"""Metrics of the whole ranking."""


def product(z: torch.Tensor) -> None:
    """All similarities, a tile at a time, thrown away."""
    out = torch.empty(ROWS * TILE)
    for rows in z.split(ROWS):
        for tile in z.split(TILE):
            torch.mm(rows, tile.T, out=out[: len(rows) * len(tile)].view(len(rows), len(tile)))


def by_faiss(z: torch.Tensor, k: int) -> None:
    """faiss alone; the query itself is among its neighbours."""
    import faiss

    faiss.knn(z.numpy(), z.numpy(), k + 1, metric=faiss.METRIC_INNER_PRODUCT)


class Known(Reranking, Component):
    """Neighbours that were found before."""

    def __post_init__(self) -> None:
        self.lists: tuple[torch.Tensor, torch.Tensor] | None = None

    def neighbours(self, q, g, k, *, ids_q=None, ids_g=None, similarity=None, turn=None, memory="512 MB"):
        if self.lists is None:
            self.lists = nearest(q, g, k, ids_q=ids_q, ids_g=ids_g, turn=turn, memory=memory)
        return self.lists


def interleaved(ways: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Seconds of each way, run by run."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def tell(seconds: dict[str, list[float]], base: str) -> None:
    """A table of medians, and of ratios to one of them."""
    print(f"| | seconds | × {base} |\n|---|---|---|")
    for name, took in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(took, seconds[base], strict=True))
        print(f"| {name} | {statistics.median(took):.2f} | {ratio:.2f} |", flush=True)


def search_table(z: torch.Tensor, runs: int) -> None:
    ids = torch.arange(len(z))
    ways: dict[str, Callable[[], object]] = {"matrix product": lambda: product(z)}
    for k in (12, 100):
        ways[f"isometry, k = {k}"] = lambda k=k: nearest(z, z, k, ids_q=ids, ids_g=ids)
        ways[f"faiss, k = {k}"] = lambda k=k: by_faiss(z, k)
        ways[f"torch, product and topk, k = {k}"] = lambda k=k: by_torch(z, z, k + 1)
    product(z[:ROWS])
    by_faiss(z[:ROWS], 12)
    tell(interleaved(ways, runs), "matrix product")


def metrics_table(z: torch.Tensor, y: np.ndarray, runs: int) -> None:
    known, deepest = Known(), f"Recall(k={neighbours_needed(y)}), {LISTED}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluate(z, y, deepest, rerank=known, samples=0)
        search = interleaved({"search": lambda: nearest(z, z, neighbours_needed(y))}, runs)
        ways: dict[str, Callable[[], object]] = {
            "ten metrics of given neighbours, intervals included": lambda: evaluate(z, y, deepest, rerank=known),
            "the same without intervals": lambda: evaluate(z, y, deepest, rerank=known, samples=0),
            "search and ten metrics": lambda: evaluate(z, y, deepest),
        }
        for text in PLACED:
            ways[f"search and {text}"] = lambda text=text: evaluate(z, y, text, samples=0)
        tell({**search, **interleaved(ways, runs)}, "search")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", choices=("search", "metrics", "both"), default="both")
    parser.add_argument("--n", type=int, default=0, help="items; by default 30,000 and 60,000")
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    if asked.table != "metrics":
        z = torch.from_numpy(data(asked.n or 30_000, asked.dim)[0])
        print(f"\n{len(z):,} × {asked.dim}, every item searching all others, {torch.get_num_threads()} threads\n")
        search_table(z, asked.runs)
    if asked.table != "search":
        n = asked.n or 60_000
        random = np.random.default_rng(0)
        y = random.permutation(np.arange(n) % (n // 4))  # four items a class
        z = random.standard_normal((n // 4, asked.dim), dtype=np.float32)[y]
        z += 1.7 * random.standard_normal((n, asked.dim), dtype=np.float32)
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        print(f"\n{n:,} × {asked.dim}, {n // 4:,} classes, {torch.get_num_threads()} threads\n")
        metrics_table(torch.from_numpy(z), y, asked.runs)


if __name__ == "__main__":
    main()
