"""How two partitions of the same items agree, from the pairs (cluster, class) that occur: never a dense table."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class Contingency:
    """Counts in float64, as numpy arrays.

    Attributes:
        joint: sizes of the intersections of a cluster and a class that hold an item.
        left, right: sizes of the cluster and of the class of each.
        clusters, classes: sizes of the clusters and of the classes that hold an item.
    """

    joint: np.ndarray
    left: np.ndarray
    right: np.ndarray
    clusters: np.ndarray
    classes: np.ndarray

    @property
    def n(self) -> float:
        """How many items there are."""
        return float(self.joint.sum())


def contingency(cluster: Int[Tensor, " n"], y: Int[Tensor, " n"]) -> Contingency:
    """Counts the pairs that occur: O(n log n) time, O(n) memory."""
    left, a = torch.unique(cluster, return_inverse=True, return_counts=True)[1:]
    right, b = torch.unique(y, return_inverse=True, return_counts=True)[1:]
    pair, joint = torch.unique(left * max(1, len(b)) + right, return_counts=True)
    i, j = pair // max(1, len(b)), pair % max(1, len(b))
    return Contingency(*(x.cpu().numpy().astype(float) for x in (joint, a[i], b[j], a, b)))


def entropy(size: np.ndarray) -> float:
    """−Σ p log p of a partition, in nats."""
    share = size / size.sum()
    return max(0.0, float(-(share * np.log(share)).sum()))


def mutual_information(c: Contingency) -> float:
    """Σ p_ij log(p_ij / (p_i p_j)), in nats."""
    return max(0.0, float((c.joint / c.n * np.log(c.joint * c.n / (c.left * c.right))).sum()))


def expected_mutual_information(c: Contingency) -> float:
    """The mean over all ways to deal the items to clusters and classes of these sizes (Vinh, Epps and Bailey, JMLR 2010).

    Clusters of one size are alike, so the sum runs over pairs of *different* sizes: there are at most √(2n) of either,
    however many clusters.
    """
    n = int(c.n)
    a, times_a = np.unique(c.clusters.astype(np.int64), return_counts=True)
    b, times_b = np.unique(c.classes.astype(np.int64), return_counts=True)
    log = np.zeros(n + 2)  # log of factorials
    log[2:] = np.cumsum(np.log(np.arange(2, n + 2)))
    fixed, total = log[b] + log[n - b] - log[n], 0.0
    for size, times in zip(a, times_a, strict=True):
        for j in range(len(b)):
            k = np.arange(max(1, size + b[j] - n), min(size, b[j]) + 1)
            chance = fixed[j] + log[size] + log[n - size] - log[k] - log[size - k] - log[b[j] - k]
            chance = np.exp(chance - log[n - size - b[j] + k])
            total += times * times_b[j] * float((k / n * np.log(n * k / (size * b[j])) * chance).sum())
    return total


def normalized_mutual_information(c: Contingency) -> float:
    """I / mean(H(clusters), H(classes)); 1 where both are one part."""
    mean = (entropy(c.clusters) + entropy(c.classes)) / 2
    return mutual_information(c) / mean if mean else 1.0


def adjusted_mutual_information(c: Contingency) -> float:
    """(I − E[I]) / (mean(H(clusters), H(classes)) − E[I]); 1 where the partitions are alike, 0 where nothing is left."""
    if len(c.joint) == len(c.clusters) == len(c.classes):
        return 1.0
    expected = expected_mutual_information(c)
    room = (entropy(c.clusters) + entropy(c.classes)) / 2 - expected
    gain = mutual_information(c) - expected
    return float(gain / room) if abs(room) > 1e-12 else 0.0


def adjusted_rand_index(c: Contingency) -> float:
    """(pairs together in both − their mean by chance) / (the most there could be − that mean)."""
    together, left, right, pairs = (pairs_of(x) for x in (c.joint, c.clusters, c.classes, np.array([c.n])))
    expected = left * right / pairs if pairs else 0.0
    room = (left + right) / 2 - expected
    return (together - expected) / room if room else 1.0


def pairwise_f1(c: Contingency) -> float:
    """2PR/(P + R) over pairs of items: P the share of pairs in one cluster that are in one class, R the other way."""
    together, left, right = (pairs_of(x) for x in (c.joint, c.clusters, c.classes))
    return 2 * together / (left + right) if left + right else 1.0


def pairs_of(size: np.ndarray) -> float:
    """How many pairs lie within the parts."""
    return float((size * (size - 1) / 2).sum())
