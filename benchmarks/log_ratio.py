"""All anchors of a batch by the log-ratio loss: ours in O(m) a row, beside all pairs of each row written down.

    python benchmarks/log_ratio.py                   # B = 128 … 4,096, interleaved, median of several
    python benchmarks/log_ratio.py --sizes 32768     # larger ones, ours alone
    python benchmarks/log_ratio.py --losses          # the other losses of continuous labels

Labels have 28 dimensions and their Euclidean distance. The pairwise form is the published one, restated: for each anchor, sort
the others by label distance and sum over all i < j. It is run for a few anchors and multiplied. "Processor" adds up the time of
all threads, on which other programs weigh less; times faster are of that. Memory is the growth of the largest resident size in
a fresh process each, after a warm-up on a small batch.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from measure import resident, where

ANCHORS = 4
"""Of the pairwise form, at most so many are run, and multiplied."""
LARGE = 4096
"""Above it ours is run alone."""
OTHERS = (
    "LogRatio(huber=0.5)",
    "LogRatio(aligned=1.0)",
    "Ratio()",
    "DenseTriplet()",
    "Soft(relate=close_targets, metric=NDCG(k=100, gain=DistanceGain()))",
)


def points(size, dim=128, labels=28):
    """Embeddings with gradient that hold something of their labels, and the labels."""
    g = torch.Generator().manual_seed(0)
    y = torch.randn(size, labels, generator=g)
    z = y @ torch.randn(labels, dim, generator=g) / labels**0.5 + 0.5 * torch.randn(size, dim, generator=g)
    return z.requires_grad_(), y


def pairwise(z, y, anchors):
    """(log D_i/D_j − log Y_i/Y_j)² over all pairs of these anchors' rows, D and Y squared distances; takes its own gradient."""
    value = 0.0
    for a in anchors:
        rest = torch.arange(len(z)) != a
        gap, order = (y[rest] - y[a]).square().sum(1).sort()
        far = (z[rest][order] - z[a]).square().sum(1).log()
        i, j = torch.triu_indices(len(far), len(far), 1)
        cost = ((far[i] - far[j]) - (gap.log()[i] - gap.log()[j])).square().mean() / len(anchors)
        cost.backward()
        value += cost.item()
    return value


def timed(run):
    """Seconds, processor seconds, and what it gives."""
    start, used = time.perf_counter(), time.process_time()
    value = run()
    return time.perf_counter() - start, time.process_time() - used, value


def timed_pairs(z, y):
    """Seconds and processor seconds of the pairwise form for all anchors, and its value for those that were run."""
    z.grad, anchors = None, range(min(ANCHORS, len(z)))
    seconds, used, value = timed(lambda: pairwise(z, y, anchors))
    return seconds * len(z) / len(anchors), used * len(z) / len(anchors), value


def once(loss, z, y):
    """Seconds and processor seconds of forward and backward."""
    z.grad = None
    return timed(lambda: loss(z, y).backward())[:2]


def apart(side, size):
    """Megabytes by which a fresh process grows."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import log_ratio; log_ratio.grow({side!r}, {size})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def grow(side, size):
    """Prints the growth of the largest resident size over one step."""
    run = timed_pairs if side == "pairs" else lambda z, y: once(ours(side), z, y)
    run(*points(64))
    z, y = points(size)
    z.grad = torch.zeros_like(z)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far (Linux)
    before = resident("VmRSS")
    run(z, y)
    print((resident("VmHWM") - before) / 1024)


def ours(text):
    """A loss of the library."""
    import isometry

    return isometry.parse(text)


def against_pairs(sizes, repeat):
    """Prints ours beside the pairwise form."""
    print("| B | ours | processor | all pairs | times faster | MB | pairs' MB | values differ by |\n|" + "---|" * 8)
    loss = ours("LogRatio()")
    for size in sizes:
        z, y = points(size)
        with torch.no_grad():
            value = float(loss(z, y, rows=slice(min(ANCHORS, size))))
        mine, theirs = [once(loss, z, y)], []
        for _ in range(repeat if size <= LARGE else 0):
            mine.append(once(loss, z, y))
            theirs.append(timed_pairs(z, y))
        seconds, used = (statistics.median(run[side] for run in mine[-repeat:]) for side in (0, 1))
        cells = ["–"] * 4
        if theirs:
            ratio = statistics.median(slow[1] / fast[1] for fast, slow in zip(mine[1:], theirs, strict=True))
            cells = [f"{statistics.median(run[0] for run in theirs):,.1f} s", f"{ratio:,.0f}"]
            cells += [f"{apart('pairs', size):.0f}", f"{abs(value / theirs[0][2] - 1):.0e}"]
        cells.insert(2, f"{apart('LogRatio()', size):.0f}")
        print(f"| {size:,} | {seconds:.4f} s | {used:.4f} s | {' | '.join(cells)} |", flush=True)


def others(sizes, repeat):
    """Prints the other losses."""
    print("| loss | " + " | ".join(f"B = {n:,}" for n in sizes) + " |\n|---|" + "---|" * len(sizes))
    for text in OTHERS:
        loss, cells = ours(text), []
        for size in sizes:
            z, y = points(size)
            once(loss, z, y)
            seconds, used = (
                statistics.median(side) for side in zip(*(once(loss, z, y) for _ in range(repeat)), strict=True)
            )
            cells.append(f"{seconds:.4f} s ({used:.4f} s), {apart(text, size):.0f} MB")
        print(f"| `{text}` | " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 512, 1024, 2048, 4096])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--losses", action="store_true", help="the other losses, instead")
    given = parser.parse_args()
    print(f"{where()}, median of {given.repeat}\n")
    (others if given.losses else against_pairs)(given.sizes, given.repeat)


if __name__ == "__main__":
    main()
