"""k-reciprocal re-ranking beside its dense definition: time, and memory beyond the data; and what re-rankings find.

    python benchmarks/reranking.py                     # 5,000 items: ours and the dense matrices, and whether they agree
    python benchmarks/reranking.py --n 20000           # the dense one takes about 8 GB
    python benchmarks/reranking.py --n 200000 --alone  # ours only
    python benchmarks/reranking.py --spaces            # mean average precision on synthetic spaces, all methods

Every item searches all others, for the first 10. Each side runs in a process of its own, which tells its highest resident
size beyond that with the data loaded and a small run done. The dense side is the published algorithm in numpy, float32, as
it is commonly run: all distances, all lists, V as a full matrix, and a loop over queries.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from evaluation import data  # noqa: E402

K, K1, K2, WEIGHT = 10, 20, 6, 0.3


def dense(z: np.ndarray) -> np.ndarray:
    """The published definition with matrices of all pairs; the item itself first in its list."""
    n = len(z)
    squared = np.einsum("nd,nd->n", z, z)
    d = squared[:, None] + squared[None] - 2 * (z @ z.T)
    np.maximum(d, 0, out=d)
    d = (d / d.max(axis=0)).T.copy()
    np.fill_diagonal(d, -1)
    rank = np.argsort(d, axis=1).astype(np.int32)
    np.fill_diagonal(d, 0)
    v = np.zeros_like(d)
    half = int(np.around(K1 / 2))

    def reciprocal(i: int, k: int) -> np.ndarray:
        forward = rank[i, : k + 1]
        return forward[(rank[forward, : k + 1] == i).any(1)]

    for i in range(n):
        own = reciprocal(i, K1)
        members = own
        for j in own:
            other = reciprocal(j, half)
            if len(np.intersect1d(other, own)) > 2.0 / 3 * len(other):
                members = np.append(members, other)
        members = np.unique(members)
        weight = np.exp(-d[i, members])
        v[i, members] = weight / weight.sum()
    v = np.stack([v[rank[i, :K2]].mean(0) for i in range(n)])
    del rank
    column = [np.flatnonzero(v[:, i]) for i in range(n)]
    found = np.empty((n, K), dtype=np.int64)
    for i in range(n):
        shared = np.zeros(n, dtype=np.float32)
        for f in np.flatnonzero(v[i]):
            shared[column[f]] += np.minimum(v[i, f], v[column[f], f])
        final = (1 - WEIGHT) * (1 - shared / (2 - shared)) + WEIGHT * d[i]
        final[i] = np.inf
        found[i] = np.argsort(final, kind="stable")[:K]
    return found


def ours(z: np.ndarray) -> np.ndarray:
    from isometry.rerank import KReciprocal

    x, ids = torch.from_numpy(z), torch.arange(len(z))
    return KReciprocal(k1=K1, k2=K2, weight=WEIGHT).neighbours(x, x, K, ids_q=ids, ids_g=ids)[1].numpy()


def search(z: np.ndarray) -> np.ndarray:
    from isometry.ops.neighbours import nearest

    x, ids = torch.from_numpy(z), torch.arange(len(z))
    return nearest(x, x, K, ids_q=ids, ids_g=ids)[1].numpy()


WAYS = {"plain search": search, "ours": ours, "dense": dense}


def child(way: str, n: int, dim: int, out: str) -> None:
    """Prints seconds, processor seconds and megabytes; leaves the lists in a file."""
    z, _ = data(n, dim)
    WAYS[way](z[:500].copy())
    with open("/proc/self/statm") as f:
        before = int(f.read().split()[1]) * resource.getpagesize() / 2**20
    start, worked = time.perf_counter(), time.process_time()
    np.save(out, WAYS[way](z))
    took, work = time.perf_counter() - start, time.process_time() - worked
    print(took, work, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10 - before)


def compare(n: int, dim: int, ways: list[str]) -> None:
    import tempfile

    _, y = data(n, dim)
    print(f"{n:,} × {dim}, first {K}, {torch.get_num_threads()} threads\n")
    print("| | seconds | processor seconds | extra memory, MB | Recall@1 |\n|---|---|---|---|---|")
    lists = {}
    with tempfile.TemporaryDirectory() as folder:
        for way in ways:
            out = str(Path(folder) / "lists.npy")
            command = [sys.executable, __file__, "--n", str(n), "--dim", str(dim), "--child", way, out]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-3:]
            took, work, memory = map(float, told)
            lists[way] = np.load(out)
            recall = float((y[lists[way][:, 0]] == y).mean())
            print(f"| {way} | {took:.1f} | {work:.1f} | {memory:.0f} | {recall:.4f} |", flush=True)
    if "dense" in lists:
        same = (lists["ours"] == lists["dense"]).all(1)
        print(f"\nLists of ours that are those of the dense one, to the last place: {100 * same.mean():.2f} %")


def spaces() -> None:
    """What each method makes of arcs (classes joined only by what lies between) and of blobs (classes with a centre)."""
    import isometry
    from tests.rerank.spaces import arcs, average_precision, blobs

    one = ["Then()", "AverageQE()", "AlphaQE()", "DatabaseAugmentation()", "KReciprocal()", "Diffusion(k=15, k_query=5)",
           "NF()", "Then(steps=(DatabaseAugmentation(), AlphaQE(), KReciprocal()))"]  # fmt: skip
    two = ["Then()", *(f"{name}(sizes=(16, 16))" for name in ("NF", "TPF", "RED", "UnifiedEnsembleDiffusion"))]
    print("| | views | arcs | blobs |\n|---|---|---|---|")
    for text, views in [(text, 1) for text in one] + [(text, 2) for text in two]:
        values = []
        for space in (arcs, blobs):
            z, y = space()
            if views == 2:  # the second adds noise of its own
                again = z + 0.1 * torch.randn(z.shape, generator=torch.Generator().manual_seed(5))
                z = torch.cat([z, torch.nn.functional.normalize(again, dim=1)], 1) / 2**0.5
            ids = torch.arange(len(z))
            index = isometry.parse(text).neighbours(z, z, len(z) - 1, ids_q=ids, ids_g=ids)[1]
            values.append(average_precision(index, y, y))
        print(f"| `{text}` | {views} | {values[0]:.3f} | {values[1]:.3f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--alone", action="store_true", help="without the dense side")
    parser.add_argument("--spaces", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        return child(asked.child[0], asked.n, asked.dim, asked.child[1])
    if asked.spaces:
        return spaces()
    compare(asked.n, asked.dim, ["plain search", "ours"] + ["dense"] * (not asked.alone))


if __name__ == "__main__":
    main()
