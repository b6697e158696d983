"""Verification over all pairs, beside scikit-learn where all pairs fit in memory.

    python benchmarks/verification.py                # 4,000 items on both sides, 45,000 (10⁹ pairs) on ours
    python benchmarks/verification.py --n 60502 --dim 384 --memory "256 MB"

Embeddings are clustered on the sphere, four items a class. Ours draws AUROC, average precision, EER and TAR from one
pass, with their intervals; scikit-learn is given the scores of all pairs, made by one product, and draws the same values.
Each side runs in a process of its own; memory is the highest resident size beyond that with the data loaded.
"""

import argparse
import subprocess
import sys
import time

import numpy as np
import torch
from measure import resident, where

FAR = 1e-4


def data(n, dim):
    """Embeddings of length one, float32, and classes of four."""
    g = torch.Generator().manual_seed(0)
    y = torch.arange(n) // 4
    z = torch.randn(int(y.max()) + 1, dim, generator=g)[y] + 1.7 * torch.randn(n, dim, generator=g)
    return torch.nn.functional.normalize(z, dim=1), y


def ours(z, y, memory):
    """AUROC, average precision, EER and TAR of one pass."""
    from isometry.metrics.statistic import Space
    from isometry.metrics.verification import AUROC, EER, TAR, AveragePrecisionOfPairs
    from isometry.ops.ranking import inner

    every = torch.arange(len(z))
    space = Space(z, y, every, every, every, lambda z: z, inner, memory=memory)
    return [s.measure(space).value for s in (AUROC(), AveragePrecisionOfPairs(), EER(), TAR(far=FAR))]


def sklearn(z, y, memory):
    """The same from a list of all pairs."""
    from sklearn import metrics

    row, col = np.triu_indices(len(z), 1)
    score = (z @ z.T).numpy()[row, col]
    truth = (y[row] == y[col]).numpy()
    del row, col
    far, tar, _ = metrics.roc_curve(truth, score)
    at = int((far + tar - 1 >= 0).argmax())
    return [metrics.auc(far, tar), metrics.average_precision_score(truth, score), far[at], tar[far <= FAR].max()]


def once(side, n, dim, memory):
    """Prints seconds, processor seconds, megabytes and values."""
    z, y = data(n, dim)
    draw = {"ours": ours, "scikit-learn": sklearn}[side]
    draw(*data(200, dim), memory)  # loads what is loaded once
    before = resident("VmRSS")
    start, busy = time.perf_counter(), time.process_time()
    values = draw(z, y, memory)
    print(time.perf_counter() - start, time.process_time() - busy, (resident("VmHWM") - before) / 1024, *values)


def apart(side, n, dim, memory):
    """The same in a process of its own."""
    call = [sys.executable, __file__, "--once", side, "--n", str(n), "--dim", str(dim), "--memory", memory]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{side} at {n}: {done.stderr.strip().splitlines()[-1]}")
    return list(map(float, done.stdout.split()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=45_000)
    parser.add_argument("--small", type=int, default=4_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--memory", default="512 MB")
    parser.add_argument("--once", default="")
    given = parser.parse_args()
    if given.once:
        return once(given.once, given.n, given.dim, given.memory)
    print(f"{given.dim} dimensions, float32, a budget of {given.memory}; {where()}\n")
    titles = ["items", "pairs", "", "seconds", "processor seconds", "million pairs per processor second", "MB"]
    titles += ["AUROC", "AP", "EER", f"TAR at FAR {FAR:g}"]
    print("| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|")
    for side, n in (("scikit-learn", given.small), ("ours", given.small), ("ours", given.n)):
        seconds, busy, grown, *values = apart(side, n, given.dim, given.memory)
        pairs = n * (n - 1) // 2
        row = [f"{n:,}", f"{pairs:,}", side, f"{seconds:.1f}", f"{busy:.1f}", f"{pairs / busy / 1e6:.0f}"]
        print("| " + " | ".join(row + [f"{grown:.0f}"] + [f"{value:.6f}" for value in values]) + " |", flush=True)


if __name__ == "__main__":
    main()
