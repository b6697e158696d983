"""What neighbours by label distance cost, against the number of labels; and what share of the true ones is found.

    python benchmarks/label_neighbours.py                                     # 10,000 … 1,000,000 labels
    python benchmarks/label_neighbours.py --sizes 10000 100000 --k 30 --cases "poses, joints"

Labels have 28 numbers. Poses: 14 joints of a figure whose 13 limbs turn with 8 hidden numbers, and noise: what real poses
are like. Isotropic: 28 independent normal numbers, the hardest there is: no neighbour is much nearer than the others.
Each row of the table is a process of its own. Processor seconds are those of all threads together; unlike the seconds
they hardly depend on what else the machine does, and the exponent is fitted to them. All distances: processor seconds of the
exhaustive search, measured on some rows and multiplied.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from measure import resident, where

CASES = {
    "poses, joints": ("poses", "Joints()"),
    "poses": ("poses", "CloseTargets()"),
    "isotropic": ("isotropic", "CloseTargets()"),
}
PARENTS = (0, 1, 2, 0, 4, 5, 0, 7, 8, 7, 10, 11, 7)


def labels(kind: str, n: int, seed: int = 0) -> np.ndarray:
    """`[n 28]`."""
    random = np.random.default_rng(seed)
    if kind == "isotropic":
        return random.standard_normal((n, 28), dtype=np.float32)
    turn = random.standard_normal((8, 13)).astype(np.float32) * 0.5
    angle = random.standard_normal((n, 8), dtype=np.float32) @ turn + np.arange(13, dtype=np.float32)
    joints = np.zeros((n, 14, 2), np.float32)
    for limb, parent in enumerate(PARENTS):
        joints[:, limb + 1, 0] = joints[:, parent, 0] + 0.25 * np.cos(angle[:, limb])
        joints[:, limb + 1, 1] = joints[:, parent, 1] + 0.25 * np.sin(angle[:, limb])
    return joints.reshape(n, 28) + 0.01 * random.standard_normal((n, 28), dtype=np.float32)


def one(case: str, n: int, k: int) -> None:
    """Prints seconds, processor seconds, megabytes at the peak, recall, and the seconds of all distances."""
    import isometry
    from isometry.label_neighbours import label_neighbours
    from isometry.label_neighbours.lists import Labels, exhaustive

    kind, text = CASES[case]
    metric, y = isometry.parse(text), torch.from_numpy(labels(kind, n))
    some = torch.arange(0, n, max(1, n // 128))[:128]
    start = time.process_time()
    exhaustive(Labels(y, metric, k, 2**28), some)
    all_of_them = (time.process_time() - start) * n / len(some)
    with tempfile.TemporaryDirectory() as folder:
        start, busy = time.perf_counter(), time.process_time()
        found = label_neighbours(y, metric, k, folder=Path(folder) / "neighbours", exact=False)
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
    print(seconds, busy, resident("VmHWM") / 1024, *found.recall or (1, 1, 1), all_of_them)


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Of the power of n that fits the seconds."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]) if len(sizes) > 1 else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000, 1_000_000])
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        return one(asked.one[0], int(asked.one[1]), asked.k)
    print(f"\nk = {asked.k}, {where()}\n")
    print(
        "| labels | n | seconds | processor s | peak MB | recall (95 %) | all distances |\n|---|---|---|---|---|---|---|",
        flush=True,
    )
    for case in asked.cases:
        took = []
        for n in asked.sizes:
            command = [sys.executable, __file__, "--one", case, str(n), "--k", str(asked.k)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, busy, peak, recall, low, high, rest = map(float, done.stdout.split()[-7:])
            took.append(busy)
            share = f"{recall:.3f} ({low:.3f}–{high:.3f})"
            print(f"| {case} | {n:,} | {seconds:.1f} | {busy:.1f} | {peak:,.0f} | {share} | {rest:,.0f} |", flush=True)
        if len(took) > 1:
            print(f"| {case} | | | ∝ n^{exponent(asked.sizes, took):.2f} | | | ∝ n² |", flush=True)


if __name__ == "__main__":
    main()
