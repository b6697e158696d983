"""Kinds of index on a million vectors of a trained model: time to build, size, memory, recall, and queries a second.

    python benchmarks/index.py --folder /tmp/crops                  # 1,000,000 × 128, drawn and embedded first
    python benchmarks/index.py --folder /tmp/crops --n 100000

The vectors are augmented crops of letters that our own model embedded (`benchmarks/crops.py`); queries are further crops. Each
kind searches as far as recall@10 needs on 300 queries, and is measured on others. Memory is that of a fresh process
that has read the index (anonymous pages: the vectors themselves are mapped from their file, and shared). "Queries per
processor second" divides by the processor's own time, with one thread: it is what is left of a figure on a machine that is
busy. Our exact search and faiss's take turns.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import torch
from crops import crops
from measure import resident

import isometry
from isometry.index.kinds import Flat
from isometry.index.kinds.approximate import Approximate
from isometry.index.kinds.proposed import Proposed

KINDS = (
    "IVF(code=Int8(), refine=2, probes=1)", "HNSW(code=Int8(), refine=2, ef=16)",
    "IVF(code=PQ(parts=32), refine=10, probes=1)", "HNSW(ef=16)",
)  # fmt: skip
HEAD = (
    "kind", "build s", "of processor", "write s", "read s", "disk MB", "memory MB", "recall@10",
    "q/s, 2 threads", "q/s, 1 thread", "q/processor s", "ms alone",
)  # fmt: skip
K, TUNED, ASKED, SCANNED, ROUNDS = 10, 300, 1000, 100, 3


def threads(count: int) -> None:
    faiss.omp_set_num_threads(count)
    torch.set_num_threads(count)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def row(*cells: object) -> None:
    print("| " + " | ".join(f"{c:,.4g}" if isinstance(c, float) else str(c) for c in cells) + " |", flush=True)


def speeds(search: Callable[[torch.Tensor], object], q: torch.Tensor) -> list[float]:
    """Queries a second with two threads and with one, queries a processor second, and milliseconds of one alone."""
    threads(2)
    two = max(len(q) / timed(lambda: search(q))[0] for _ in range(ROUNDS))
    threads(1)
    one = [timed(lambda: search(q)) for _ in range(ROUNDS)]
    alone = [timed(lambda i=i: search(q[i : i + 1]))[0] for i in range(50)]
    threads(2)
    best = max(len(q) / clock for clock, _ in one), max(len(q) / used for _, used in one)
    return [two, *best, 1000 * statistics.median(alone)]


def recall(
    search: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]], q: torch.Tensor, level: torch.Tensor
) -> float:
    """Share of the ten nearest that are found; what is as near as the tenth counts as one of them."""
    return float((search(q)[0] >= level - 1e-6 * level.abs()).float().mean())


def approximate(
    kind: Approximate, z: torch.Tensor, q: torch.Tensor, level: torch.Tensor, asked: argparse.Namespace
) -> None:
    """Builds, writes, reads and searches; a row of the table."""
    made: list[Proposed] = []
    used = timed(lambda: made.append(kind.build(z)))
    searcher = made.pop()
    while recall(lambda q: searcher.search(q, K), q[:TUNED], level[:TUNED]) < asked.recall + 0.005:
        further = searcher.kind.further(len(z))
        if further is None:
            break
        searcher.kind = further
    path = asked.folder / f"{type(kind).__name__}-{len(z)}.index"
    wrote = timed(lambda: searcher.write(path))[0]
    found = recall(lambda q: searcher.search(q, K), q[TUNED:], level[TUNED:])
    again = [sys.executable, __file__, "--folder", str(asked.folder), "--n", str(asked.n)]
    again += ["--read", str(path), "--kinds", repr(searcher.kind)]
    done = subprocess.run(again, capture_output=True, text=True, check=True).stdout.split()
    row(repr(searcher.kind), *used, wrote, float(done[0]), path.stat().st_size / 2**20, float(done[1]), found,
        *speeds(lambda q: searcher.search(q, K), q[TUNED:]))  # fmt: skip
    path.unlink()


def exact(z: torch.Tensor, q: torch.Tensor) -> None:
    """Our exact search and faiss's, in turn."""
    ours, theirs = Flat().build(z), faiss.IndexFlatIP(z.shape[1])
    built = timed(lambda: theirs.add(z.numpy()))
    ways = {"Flat()": lambda q: ours.search(q, K), "faiss IndexFlatIP": lambda q: theirs.search(q.numpy(), K)}
    took: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
    for count in (2, 1):
        threads(count)
        for size in (SCANNED, 1):
            for _ in range(ROUNDS):
                for name, way in ways.items():
                    took.setdefault((name, count, size), []).append(timed(lambda way=way, size=size: way(q[:size])))
    for name in ways:
        best = [max(SCANNED / t[0] for t in took[name, count, SCANNED]) for count in (2, 1)]
        used = max(SCANNED / t[1] for t in took[name, 1, SCANNED])
        alone = 1000 * statistics.median(t[0] for t in took[name, 1, 1])
        held = 0.0 if name == "Flat()" else z.numel() * 4 / 2**20
        row(name, *((0.0, 0.0) if name == "Flat()" else built), "", "", 0.0, held, 1.0, *best, used, alone)
    for (_, count, size), mine in list(took.items())[::2]:
        other = took["faiss IndexFlatIP", count, size]
        for what, place in (("clock", 0), ("processor", 1)):
            ratio = statistics.median(a[place] / b[place] for a, b in zip(mine, other, strict=True))
            print(f"<!-- Flat() / IndexFlatIP, {what}, {size} queries, threads {count}: × {ratio:.2f} -->", flush=True)


def read_again(path: Path, kind: str, z: torch.Tensor) -> None:
    """Prints the seconds of reading, and the megabytes by which this process grows; the first search included."""
    isometry.parse(kind).code  # noqa: B018  (everything that has to be imported is)
    faiss.IndexFlatIP(2).search(np.zeros((1, 2), np.float32), 1)
    before = resident("RssAnon")
    clock = timed(lambda: isometry.parse(kind).read(path, z).search(z[:1].clone(), K))[0]
    print(clock, (resident("RssAnon") - before) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True, help="where vectors are kept from one run to the next")
    parser.add_argument("--run", default="", help="a trained run; by default one is trained")
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--kinds", default="; ".join(KINDS), help="separated by semicolons")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*not writable.*")
    z, q = (torch.from_numpy(a) for a in crops(asked.n, asked.folder, run=asked.run))
    if asked.read:
        return read_again(asked.read, asked.kinds, z)
    q = q[: TUNED + ASKED].clone()
    size, load = z.numel() * 4 / 2**20, os.getloadavg()[0]
    print(f"\n{len(z):,} × {z.shape[1]} vectors of {size:,.0f} MB, {ASKED:,} queries, faiss {faiss.__version__}")
    print(f"load {load:.1f} on {os.cpu_count()} processors\n")
    row(*HEAD)
    row(*["---"] * len(HEAD))
    threads(2)
    exact(z, q)
    level = Flat().build(z).search(q, K)[0][:, -1:]
    for text in filter(str.strip, asked.kinds.split(";")):
        approximate(isometry.parse(text.strip()), z, q, level, asked)
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
