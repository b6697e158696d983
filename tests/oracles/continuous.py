"""Losses that read label distances, each as its paper writes it."""

import math

import numpy as np
from scipy.optimize import minimize_scalar

from tests.oracles.basic import average, log_ratio, unit
from tests.oracles.lists import sigmoid


def others(z, a):
    return [i for i in range(len(z)) if i != a]


def squared(z, a):
    return {i: float(((z[a] - z[i]) ** 2).sum()) for i in others(z, a)}


def logs(z, targets, a):
    f = squared(z, a)
    return np.array([math.log(f[i]) - math.log((targets[a] - targets[i]) ** 2) for i in f])


def huber(x, delta):
    return x**2 if abs(x) <= delta else 2 * delta * abs(x) - delta**2


def robust_log_ratio(z, targets, delta):
    found = []
    for a in range(len(z)):
        u = logs(z, targets, a)
        best = minimize_scalar(lambda c, u=u: sum(huber(v - c, delta) for v in u), (u.min(), u.max()), tol=1e-14)
        found.append(2 * best.fun / (len(u) - 1))
    return average(found)


def aligned_log_ratio(z, targets, weight):
    return log_ratio(z, targets) + weight * np.var([logs(z, targets, a).mean() for a in range(len(z))])


def ratio(z, targets, nearest=0.1):
    found = []
    for a in range(len(z)):
        f = {i: d**0.5 for i, d in squared(z, a).items()}
        g = {i: abs(targets[a] - targets[i]) for i in f}
        f, g = ({i: max(d, nearest * average(list(x.values()))) ** 2 for i, d in x.items()} for x in (f, g))
        found.append(average([(f[i] / f[j] - g[i] / g[j]) ** 2 for i in f for j in f if i != j]))
    return average(found)


def dense_triplet(z, targets, margin=0.03, normalised=True):
    z, found = unit(z) if normalised else z, []
    for a in range(len(z)):
        f, g = squared(z, a), {i: abs(targets[a] - targets[i]) for i in others(z, a)}
        found += [max(0, f[i] - f[j] + margin) for i in f for j in f if g[i] < g[j]]
    return average(found)


def continuous_ndcg(z, targets, k=4, temperature=0.01):
    s, found = unit(z) @ unit(z).T, []
    for a in range(len(z)):
        gain = {i: 1 / (1 + abs(targets[a] - targets[i])) for i in others(z, a)}
        rank = {i: 1 + sum(sigmoid(s[a, j] - s[a, i], temperature) for j in gain if j != i) for i in gain}
        dcg = sum(gain[i] * (1 - sigmoid(rank[i] - k, 1.0)) / math.log2(1 + rank[i]) for i in gain)
        ideal = sum(g / math.log2(2 + at) for at, g in enumerate(sorted(gain.values(), reverse=True)[:k]))
        found.append(1 - dcg / ideal)
    return average(found)


def near(radius):
    """Classes of an anchor: 1 for what is within the radius, 0 for the rest."""

    def oracle(z, targets):
        s, pull, push = unit(z) @ unit(z).T, [], []
        for a in range(len(z)):
            for i in others(z, a):
                close = abs(targets[a] - targets[i]) <= radius
                (pull if close else push).append(1 - s[a, i] if close else s[a, i] - 0.5)
        return average([x for x in pull if x > 0]) + average([x for x in push if x > 0])

    return oracle


ORACLES = {
    "LogRatio(huber=0.5)": lambda z, y: robust_log_ratio(z, y, 0.5),
    "LogRatio(aligned=0.3)": lambda z, y: aligned_log_ratio(z, y, 0.3),
    "Ratio()": ratio,
    "Ratio(nearest=0.3)": lambda z, y: ratio(z, y, 0.3),
    "DenseTriplet()": dense_triplet,
    "DenseTriplet(similarity=euclidean, margin=0.5)": lambda z, y: dense_triplet(z, y, 0.5, normalised=False),
    "Soft(relate=close_targets, metric=NDCG(k=4, gain=DistanceGain()))": continuous_ndcg,
    "Contrastive(relate=CloseTargets(radius=0.5))": near(0.5),
}
VARIANTS = (
    "LogRatio(huber=1.0, aligned=0.5)",
    "Soft(relate=close_targets, metric=NDCG(gain=DistanceGain()), step=Sigmoid(temperature=0.1))",
    "Triplet(relate=close_targets)",
    "Triplet(miner=NearestLabels(k=3), relate=close_targets)",
)
CONTINUOUS = {*ORACLES, *VARIANTS}
