"""All-triplets and other losses beside pytorch-metric-learning: seconds and extra memory, forward and backward.

    python benchmarks/triplets.py            # B = 1,024, both libraries in turn, median of several
    python benchmarks/triplets.py --large    # also B = 65,536, ours alone, in blocks

Memory is the growth of the largest resident size in a fresh process each, after a warm-up on a small batch.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

OURS = {
    "all triplets": "Triplet(margin=0.05)",
    "contrastive": "Contrastive()",
    "multi-similarity": "MultiSimilarity(miner=all_pairs)",
    "supervised contrastive": "SupCon()",
    "proxy-anchor": "ProxyAnchor()",
}
PEERS = {
    "all triplets": "TripletMarginLoss(margin=0.1, distance=LpDistance(power=2))",  # the same triplets: D² = 2 − 2 cosine
    "contrastive": "ContrastiveLoss(pos_margin=1, neg_margin=0.5, distance=CosineSimilarity())",
    "multi-similarity": "MultiSimilarityLoss(alpha=2, beta=40, base=0.5)",
    "supervised contrastive": "SupConLoss(temperature=0.07)",
    "proxy-anchor": "ProxyAnchorLoss(num_classes=C, embedding_size=D)",
}
SAME_VALUE = {"all triplets": 2.0, "contrastive": 1.0, "multi-similarity": 1.0, "supervised contrastive": 1.0}


def batch(size, dim, each=4):
    g = torch.Generator().manual_seed(0)
    y = torch.arange(size) // each
    centres = torch.randn(int(y.max()) + 1, dim, generator=g)
    return (centres[y] + 1.5 * torch.randn(size, dim, generator=g)).requires_grad_(), y


def ours(name, classes, dim):
    import isometry

    torch.manual_seed(0)
    return isometry.parse(OURS[name], num_classes=classes, dim=dim)


def peer(name, classes, dim):
    from pytorch_metric_learning import losses
    from pytorch_metric_learning.distances import CosineSimilarity, LpDistance

    scope = {**vars(losses), "CosineSimilarity": CosineSimilarity, "LpDistance": LpDistance, "C": classes, "D": dim}
    torch.manual_seed(0)
    return eval(PEERS[name], scope)


def once(loss, z, y):
    z.grad = None
    start = time.perf_counter()
    value = loss(z, y)
    value.backward()
    return time.perf_counter() - start, float(value.detach())


def memory(side, name, size, dim):
    """Megabytes by which a fresh process grows."""
    code = f"import sys; sys.path.insert(0, {sys.path[0]!r}); import triplets as t; t.grow({side!r}, {name!r}, {size}, {dim})"
    return float(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()[-1]
    )


def grow(side, name, size, dim):
    small, y = batch(64, dim)
    loss = {"ours": ours, "peer": peer}[side](name, size // 4, dim)
    once(loss, small, y)
    z, y = batch(size, dim)
    z.grad = torch.zeros_like(z)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far (Linux)
    before = resident("VmRSS")
    once(loss, z, y)
    print((resident("VmHWM") - before) / 1024)


def resident(name):
    """A figure of this process's memory, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", default="", help="a name of the table")
    given = parser.parse_args()
    z, y = batch(given.size, given.dim)
    print(
        f"B = {given.size:,}, D = {given.dim}, 4 a class, {torch.get_num_threads()} threads, median of {given.repeat}\n"
    )
    print("| loss | isometry | pytorch-metric-learning | times faster | MB | peer's MB | times less | same value |")
    print("|---|---|---|---|---|---|---|---|")
    for name in [given.only] if given.only else OURS:
        a, b = (side(name, given.size // 4, given.dim) for side in (ours, peer))
        once(a, z, y), once(b, z, y)
        runs = [(once(a, z, y), once(b, z, y)) for _ in range(given.repeat)]
        fast, slow = (statistics.median(run[side][0] for run in runs) for side in (0, 1))
        ratio = statistics.median(run[1][0] / run[0][0] for run in runs)
        factor = SAME_VALUE.get(name)
        same = "–" if factor is None else f"{abs(runs[0][0][1] * factor / runs[0][1][1] - 1):.0e}"
        mine, theirs = (memory(side, name, given.size, given.dim) for side in ("ours", "peer"))
        less = theirs / max(mine, 0.1)
        print(
            f"| {name} | {fast:.4f} s | {slow:.4f} s | {ratio:.1f} | {mine:.0f} | {theirs:.0f} | {less:.1f} | {same} |",
            flush=True,
        )
    if given.large:
        z, y = batch(65_536, given.dim)
        seconds, _ = once(ours("all triplets", 16_384, given.dim), z, y)
        extra = memory("ours", "all triplets", 65_536, given.dim)
        print(f"\nall triplets, B = 65,536, in blocks: {seconds:.1f} s, {extra:,.0f} MB extra")


if __name__ == "__main__":
    main()
