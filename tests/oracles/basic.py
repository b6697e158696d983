"""The first losses, each as its paper writes it."""

import math

import numpy as np


def unit(z):
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def positives(y, i):
    return [j for j in range(len(y)) if j != i and y[i] == y[j] and y[i] >= 0]


def negatives(y, i):
    return [j for j in range(len(y)) if y[i] != y[j] and y[i] >= 0 and y[j] >= 0]


def average(values):
    return sum(values) / len(values) if values else 0.0


def contrastive(z, y, positive=1.0, negative=0.5):
    s = unit(z) @ unit(z).T
    pull = [positive - s[i, j] for i in range(len(y)) for j in positives(y, i) if s[i, j] < positive]
    push = [s[i, j] - negative for i in range(len(y)) for j in negatives(y, i) if s[i, j] > negative]
    return average(pull) + average(push)


def hadsell(z, y):
    d = np.linalg.norm(z[:, None] - z[None], axis=-1)
    pull = [d[i, j] ** 2 for i in range(len(y)) for j in positives(y, i) if d[i, j] > 0]
    push = [(1 - d[i, j]) ** 2 for i in range(len(y)) for j in negatives(y, i) if d[i, j] < 1]
    return average(pull) + average(push)


def all_triplets(z, y, margin=0.1):
    s = unit(z) @ unit(z).T
    rows = range(len(y))
    hinge = [s[a, n] - s[a, p] + margin for a in rows for p in positives(y, a) for n in negatives(y, a)]
    return average([h for h in hinge if h > 0])


def hardest(z, y, margin=0.1):
    s = unit(z) @ unit(z).T
    found = []
    for a in range(len(y)):
        if positives(y, a) and negatives(y, a):
            near, far = max(s[a, n] for n in negatives(y, a)), min(s[a, p] for p in positives(y, a))
            found.append(max(0, near - far + margin))
    return average(found)


def semi_hard(z, y, margin=0.1):
    s = unit(z) @ unit(z).T
    found = []
    for a in range(len(y)):
        others = [s[a, n] for n in negatives(y, a)]
        for p in positives(y, a) if others else []:
            below = [x for x in others if x < s[a, p]]
            found.append(max(0, (max(below) if below else min(others)) - s[a, p] + margin))
    return average(found)


def multi_similarity(z, y, alpha=2.0, beta=40.0, base=0.5, epsilon=0.1):
    s = unit(z) @ unit(z).T
    total, rows = 0.0, 0
    for i in range(len(y)):
        pos, neg = positives(y, i), negatives(y, i)
        rows += bool(pos or neg)
        if not pos or not neg:
            continue
        near, far = max(s[i, k] for k in neg), min(s[i, j] for j in pos)
        pos, neg = [j for j in pos if s[i, j] - epsilon < near], [k for k in neg if s[i, k] + epsilon > far]
        total += math.log1p(sum(math.exp(-alpha * (s[i, j] - base)) for j in pos)) / alpha
        total += math.log1p(sum(math.exp(beta * (s[i, k] - base)) for k in neg)) / beta
    return total / rows


def proxy_anchor(z, y, proxies, margin=0.1, alpha=32.0):
    s = unit(proxies) @ unit(z).T
    pull, push = [], []
    for c in range(len(proxies)):
        own = [math.exp(-alpha * (s[c, i] - margin)) for i in range(len(y)) if y[i] == c]
        other = [math.exp(alpha * (s[c, i] + margin)) for i in range(len(y)) if y[i] not in (c, -1)]
        pull += [math.log1p(sum(own))] if own else []
        push += [math.log1p(sum(other))]
    return average(pull) + average(push)


def norm_softmax(z, y, proxies, temperature=0.05):
    s = unit(z) @ unit(proxies).T / temperature
    rows = [i for i in range(len(y)) if y[i] >= 0]
    return average([-math.log(math.exp(s[i, y[i]]) / sum(math.exp(v) for v in s[i])) for i in rows])


def sup_con(z, y, temperature=0.07):
    s = unit(z) @ unit(z).T / temperature
    found = []
    for i in range(len(y)):
        known = positives(y, i) + negatives(y, i)
        below = sum(math.exp(s[i, k]) for k in known)
        if positives(y, i):
            found.append(average([-math.log(math.exp(s[i, p]) / below) for p in positives(y, i)]))
    return average(found)


def log_ratio(z, targets):
    n, found = len(z), []
    for a in range(n):
        f = {i: ((z[a] - z[i]) ** 2).sum() for i in range(n) if i != a}
        g = {i: (targets[a] - targets[i]) ** 2 for i in range(n) if i != a}
        pairs = [(i, j) for i in f for j in f if i < j]
        found.append(average([(math.log(f[i] / f[j]) - math.log(g[i] / g[j])) ** 2 for i, j in pairs]))
    return average(found)


def koleo(z, y):
    d = np.linalg.norm(unit(z)[:, None] - unit(z)[None], axis=-1) + 1e9 * np.eye(len(z))
    return average([-math.log(row.min()) for row in d])


def zero_mean(z, y):
    return average([abs(row.sum()) for row in z])


def snr_distance(z, r):
    return np.array([[np.var(b - a) / np.var(a) for b in r] for a in z])


ORACLES = {
    "Contrastive()": contrastive,
    "Contrastive(similarity=euclidean, positive=0.0, negative=-1.0, power=2.0)": hadsell,
    "Triplet()": all_triplets,
    "Triplet(select=Hardest())": hardest,
    "Triplet(select=SemiHard())": semi_hard,
    "MultiSimilarity()": multi_similarity,
    "ProxyAnchor()": proxy_anchor,
    "NormSoftmax()": norm_softmax,
    "SupCon()": sup_con,
    "LogRatio()": log_ratio,
    "KoLeo()": koleo,
    "ZeroMean()": zero_mean,
}
VARIANTS = (
    "Triplet(similarity=SNR())",
    "MultiSimilarity(miner=all_pairs)",
    "MultiSimilarity(similarity=squared_euclidean)",
    "SupCon(reference=Proxies())",
    "Contrastive(reference=Proxies())",
    "MultiSimilarity() + 0.1 * KoLeo() + 0.5 * ZeroMean()",
)
CONTINUOUS = {"LogRatio()"}
LABEL_FREE = {"KoLeo()", "ZeroMean()"}
