"""Evaluation beside faiss's exact search alone: time, and memory beyond the data.

    python benchmarks/evaluation.py                        # the size of Stanford Online Products' test set
    python benchmarks/evaluation.py --n 12000 --peers
    python benchmarks/evaluation.py --runs 1 --oml DIR     # with open-metric-learning too
    python benchmarks/search.py                            # the search alone, and metrics without it

Both sides work on the same normalised embeddings and find the same number of neighbours; ours also counts, scores and
draws intervals. Runs are interleaved and the median is told, with the median of the ratios of neighbouring runs;
processor seconds say more on a machine that is shared. Memory is measured in a process of its own: the highest resident
size beyond that with the data loaded.

Open-metric-learning 4.0 wants other versions of numpy and more, so it lies apart:

    pip install --target DIR --no-deps open-metric-learning omegaconf antlr4-python3-runtime==4.9.3 validators gdown \
        beautifulsoup4 soupsieve
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from measure import resident


def data(n: int, dim: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clustered embeddings on the sphere: classes of 2 to 12 items, 5.3 on average, as in Stanford Online Products."""
    random = np.random.default_rng(seed)
    sizes = 2 + random.binomial(10, 0.335, size=n)
    y = np.repeat(np.arange(n), sizes)[:n]
    z = random.standard_normal((y.max() + 1, dim), dtype=np.float32)[y]
    z += 1.7 * random.standard_normal((n, dim), dtype=np.float32)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    order = random.permutation(n)
    return np.ascontiguousarray(z[order]), y[order]


def neighbours_needed(y: np.ndarray) -> int:
    """Neighbours that the metrics need, and the query itself."""
    return max(10, int(np.bincount(y).max()) - 1) + 1


def by_faiss(z: np.ndarray, y: np.ndarray) -> str:
    """Exact search, nothing else."""
    import faiss

    index = faiss.IndexFlatIP(z.shape[1])
    index.add(z)
    _, found = index.search(z, neighbours_needed(y))
    return f"R@1 {np.mean(y[found[:, 1]] == y):.4f} (self taken to be the first)"


def by_isometry(z: np.ndarray, y: np.ndarray) -> str:
    """The whole evaluation, intervals included."""
    from isometry.metrics import MAPAtR, Recall, RPrecision
    from isometry.protocols.retrieval import evaluate

    metrics = [Recall(k=1), Recall(k=10), RPrecision(), MAPAtR()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return f"{evaluate(z, y, metrics)}"


def by_peer(z: np.ndarray, y: np.ndarray) -> str:
    """pytorch-metric-learning: Recall(k=1), R-precision and MAP@R, without intervals."""
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    names = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
    calculator = AccuracyCalculator(include=names, k="max_bin_count")
    found = calculator.get_accuracy(torch.from_numpy(z), torch.from_numpy(y))
    return ", ".join(f"{name} {found[name]:.4f}" for name in names)


def by_oml(z: np.ndarray, y: np.ndarray) -> str:
    """Open-metric-learning: the first and the first ten, mean average precision of ten, without intervals."""
    from oml.functional.knn import batched_knn  # type: ignore[import-not-found]
    from oml.functional.metrics import calc_retrieval_metrics  # type: ignore[import-not-found]

    every, labels = torch.arange(len(y)), torch.from_numpy(y)
    _, found, relevant = batched_knn(
        torch.from_numpy(z), every, every, top_n=neighbours_needed(y), labels_gt=labels, verbose=False
    )
    values = calc_retrieval_metrics(
        found, relevant, cmc_top_k=(1, 10), precision_top_k=(), map_top_k=(10,), verbose=False
    )
    return ", ".join(f"{name}@{k} {float(value):.4f}" for name, each in values.items() for k, value in each.items())


WAYS = {"faiss": by_faiss, "isometry": by_isometry, "peer": by_peer, "oml": by_oml}


def extra_memory(way: str, n: int, dim: int, oml: str) -> float:
    """Highest resident size beyond that with the data loaded, in MB, of a process of its own."""
    command = [sys.executable, __file__, "--n", str(n), "--dim", str(dim), "--memory-of", way, "--oml", oml]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def tell_memory(way: str, n: int, dim: int) -> None:
    """The child: a small run first, so that libraries are loaded and their buffers made."""
    z, y = data(n, dim)
    small = slice(0, 2000)
    WAYS[way](z[small].copy(), y[small])
    before = resident("VmRSS")
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far (Linux)
    WAYS[way](z, y)
    print((resident("VmHWM") - before) / 2**10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=60502)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="also pytorch-metric-learning; slow above 12,000")
    parser.add_argument("--oml", default="", help="the folder where open-metric-learning lies: measured too")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--memory-of", choices=WAYS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sys.path += [asked.oml] if asked.oml else []
    if asked.memory_of:
        return tell_memory(asked.memory_of, asked.n, asked.dim)
    ways = ["faiss", "isometry"] + ["peer"] * asked.peers + ["oml"] * bool(asked.oml)
    z, y = data(asked.n, asked.dim)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    work: dict[str, list[float]] = {way: [] for way in ways}
    for way in ways:
        WAYS[way](z[:2000].copy(), y[:2000])  # libraries loaded, threads started
    said = {}
    for _ in range(asked.runs):
        for way in ways:
            start, worked = time.perf_counter(), time.process_time()
            said[way] = WAYS[way](z, y)
            seconds[way].append(time.perf_counter() - start)
            work[way].append(time.process_time() - worked)
            print(f"{way}: {seconds[way][-1]:.2f} s", file=sys.stderr, flush=True)
    classes = len(np.unique(y))
    print(f"\n{asked.n:,} × {asked.dim}, {classes:,} classes, {neighbours_needed(y)} neighbours, "
          f"{torch.get_num_threads()} threads, median of {asked.runs} interleaved runs\n")  # fmt: skip
    print("| | seconds | × faiss | processor seconds | × faiss | extra memory, MB |\n|---|---|---|---|---|---|")
    for way in ways:
        ratio, work_ratio = (
            statistics.median(a / b for a, b in zip(took[way], took["faiss"], strict=True)) for took in (seconds, work)
        )
        memory = "" if asked.no_memory else f"{extra_memory(way, asked.n, asked.dim, asked.oml):.0f}"
        print(
            f"| {way} | {statistics.median(seconds[way]):.2f} | {ratio:.2f} "
            f"| {statistics.median(work[way]):.2f} | {work_ratio:.2f} | {memory} |",
            flush=True,
        )
    print()
    for way in ways:
        print(f"{way}: {said[way]}")


if __name__ == "__main__":
    main()
