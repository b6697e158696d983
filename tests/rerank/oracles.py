"""The published definitions, dense and in float64, from their texts; the item itself comes first in its list by id."""

import numpy as np


def squared(x):
    return ((x[:, None] - x[None]) ** 2).sum(2)


def order(d):
    """Everyone's list, the owner first."""
    d = d.copy()
    np.fill_diagonal(d, -1)
    return d.argsort(axis=1, kind="stable")


def reciprocal(rank, i, k):
    forward = rank[i, : k + 1]
    return forward[[i in rank[j, : k + 1] for j in forward]]


def k_reciprocal(x, k1, k2, weight):
    """Final distances of all items to all others, and the Jaccard distances."""
    d = squared(np.asarray(x, dtype=np.float64))
    d = (d / d.max(axis=0)).T
    rank, n = order(d), len(d)
    v = np.zeros((n, n))
    for i in range(n):
        own = reciprocal(rank, i, k1)
        members = own
        for j in own:
            other = reciprocal(rank, j, int(np.around(k1 / 2)))
            if len(np.intersect1d(other, own)) > 2.0 / 3 * len(other):
                members = np.append(members, other)
        members = np.unique(members)
        v[i, members] = np.exp(-d[i, members]) / np.exp(-d[i, members]).sum()
    if k2 != 1:
        v = np.stack([v[rank[i, :k2]].mean(0) for i in range(n)])
    shared = np.minimum(v[:, None], v[None]).sum(2)
    jaccard = 1 - shared / (2 - shared)
    return (1 - weight) * jaccard + weight * d, jaccard
