"""How long it takes to draw an epoch of class-balanced batches, beside pytorch-metric-learning, in the same run.

    python benchmarks/sampler.py [--items 200000] [--classes 50000] [--runs 3]

Sizes of classes are geometric with the mean items / classes, so that some have one image and some have many.
"""

import argparse
import statistics
import time

import numpy as np

CLASSES, INSTANCES = 32, 4


def ours(labels: np.ndarray) -> tuple[float, list[list[int]]]:
    """Seconds to bind and to draw an epoch, and its batches."""
    from isometry.samplers import ClassesTimesInstances

    start = time.perf_counter()
    batches = list(ClassesTimesInstances(classes=CLASSES, instances=INSTANCES).bind(labels))
    return time.perf_counter() - start, batches


def theirs(labels: np.ndarray) -> tuple[float, list[list[int]]]:
    """The same of pytorch-metric-learning's MPerClassSampler."""
    from pytorch_metric_learning.samplers import MPerClassSampler

    size = CLASSES * INSTANCES
    start = time.perf_counter()
    drawn = list(MPerClassSampler(labels, m=INSTANCES, batch_size=size, length_before_new_iter=len(labels)))
    seconds = time.perf_counter() - start
    return seconds, [drawn[i : i + size] for i in range(0, len(drawn), size)]


def row(name: str, labels: np.ndarray, taken: list[tuple[float, list[list[int]]]]) -> str:
    """A line of the table."""
    seconds, batches = statistics.median(t for t, _ in taken), taken[-1][1]
    covered = len(np.unique(labels[np.concatenate(batches)])) / len(np.unique(labels))
    alone = np.flatnonzero(np.bincount(labels) == 1)
    items = len(np.unique(np.concatenate(batches))) / len(labels)
    repeated = np.mean([_repeats(labels[batch], alone) for batch in batches])
    return f"{name:26} {seconds:9.3f} {len(batches):9,} {covered:9.1%} {items:9.1%} {repeated:9.1%}"


def _repeats(batch: np.ndarray, alone: np.ndarray) -> float:
    """The share of a batch that is spent on copies of the only image of a class."""
    found, counts = np.unique(batch, return_counts=True)
    return float((counts - 1)[np.isin(found, alone)].sum() / len(batch))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--items", type=int, default=200_000)
    asked.add_argument("--classes", type=int, default=50_000)
    asked.add_argument("--runs", type=int, default=3)
    chosen = asked.parse_args()
    rng = np.random.default_rng(0)
    sizes = rng.geometric(chosen.classes / chosen.items, chosen.classes)
    labels = np.repeat(np.arange(chosen.classes), sizes)
    rng.shuffle(labels)
    alone = f"{(sizes == 1).mean():.0%} of one image"
    print(
        f"{len(labels):,} items, {chosen.classes:,} classes ({alone}); {CLASSES} × {INSTANCES}; median of {chosen.runs}"
    )
    print(" " * 26 + "".join(f"{head:>10}" for head in ("seconds", "batches", "classes", "items", "copies")))
    samplers = {"isometry": ours, "pytorch-metric-learning": theirs}
    taken = {name: [] for name in samplers}
    for _ in range(chosen.runs):  # in turns, so that both see the same machine
        for name, draw in samplers.items():
            taken[name].append(draw(labels))
    for name in samplers:
        print(row(name, labels, taken[name]))
    mine, other = (statistics.median(t for t, _ in runs) for runs in taken.values())
    print(f"{other / mine:.0f} times as fast")


if __name__ == "__main__":
    main()
