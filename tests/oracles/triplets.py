"""Triplets, tuples of them, and what is drawn or chosen among them: each as its paper writes it."""

import math

import numpy as np

from tests.oracles.basic import average, negatives, positives, unit

MASK = 2**64 - 1


def distances(z):
    return np.sqrt(np.maximum(2 - 2 * unit(z) @ unit(z).T, 0))


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def easy_positive(z, y, margin=0.1, penalty=None, semi_hard=False):
    s = unit(z) @ unit(z).T
    found = []
    for a in range(len(y)):
        near = [s[a, p] for p in positives(y, a)]
        away = [s[a, n] for n in negatives(y, a) if near and (not semi_hard or s[a, n] < max(near))]
        if near and away:
            gap = max(away) - max(near)
            found.append(max(0, gap + margin) if penalty is None else penalty(gap))
    return average(found)


def soft_margin(z, y, scale=1.0):
    s = unit(z) @ unit(z).T
    rows = range(len(y))
    triplets = [(a, p, n) for a in rows for p in positives(y, a) for n in negatives(y, a)]
    return average([softplus(scale * (s[a, n] - s[a, p])) for a, p, n in triplets])


def batch_hard_soft_margin(z, y):
    d = np.linalg.norm(z[:, None] - z[None], axis=-1)
    found = []
    for a in range(len(y)):
        if positives(y, a) and negatives(y, a):
            found.append(softplus(max(d[a, p] for p in positives(y, a)) - min(d[a, n] for n in negatives(y, a))))
    return average(found)


def split_mix(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def uniform(row, col, step=0, seed=0, stream=0):
    bits = split_mix(split_mix(row + split_mix(step * 1_000_003 + seed * 101 + stream)) + col)
    return (((bits >> 40) & 0x7FFFFF) + 0.5) / 2**23


def draw(d, a, p, others, dim, cutoff=0.5, furthest=1.4):
    """A negative for (a, p) in proportion to 1/q, in the order of their ids; None when all are too far away."""
    others = sorted(k for k in others if d[a, k] <= furthest)
    if not others:
        return None
    log = [max(d[a, k], cutoff) for k in others]
    log = [-(dim - 2) * math.log(x) - (dim - 3) / 2 * math.log(1 - x**2 / 4) for x in log]
    weight = np.exp(np.array(log) - max(log))
    return others[int(np.searchsorted(np.cumsum(weight), uniform(a, p) * weight.sum(), side="right"))]


def distance_weighted(z, y, margin=0.1):
    d, found = distances(z), []
    for a in range(len(y)):
        for p in positives(y, a):
            n = draw(d, a, p, negatives(y, a), z.shape[1])
            if n is not None:
                found.append(max(0, (d[a, p] ** 2 - d[a, n] ** 2) / 2 + margin))
    return average(found)


def margin(z, y, boundary, alpha=0.2, nu=0.0, drawn=True):
    d, total, costly = distances(z), 0.0, 0
    for a in range(len(y)):
        beta = boundary[y[a]] if len(boundary) > 1 else boundary[0]
        some = [draw(d, a, p, negatives(y, a), z.shape[1]) for p in positives(y, a)] if drawn else negatives(y, a)
        costs = [alpha + d[a, p] - beta for p in positives(y, a)]
        costs += [alpha + beta - d[a, n] for n in some if n is not None]
        total += sum(c + nu * beta for c in costs if c > 0)
        costly += sum(c > 0 for c in costs)
    return total / costly if costly else 0.0


def rho_contrastive(z, y, probability):
    """Distances: positives to 0, negatives beyond 1; a switched row pushes its positives instead."""
    d, pull, push = distances(z), [], []
    for a in range(len(y)):
        switched = uniform(a, 0, stream=1) < probability
        pull += [d[a, p] for p in positives(y, a) if not switched and d[a, p] > 0]
        push += [1 - d[a, n] for n in (positives if switched else negatives)(y, a) if d[a, n] < 1]
    return average(pull) + average(push)


def rho_triplet(z, y, probability, margin=0.1):
    s, found = unit(z) @ unit(z).T, []
    for a in range(len(y)):
        if uniform(a, 0, stream=1) < probability:
            found += [s[a, p] - 1 + margin for p in positives(y, a)]
        else:
            found += [s[a, n] - s[a, p] + margin for p in positives(y, a) for n in negatives(y, a)]
    return average([x for x in found if x > 0])


def rho_margin(z, y, boundary, probability, alpha=0.2):
    d, costs = distances(z), []
    for a in range(len(y)):
        if uniform(a, 0, stream=1) < probability:
            costs += [alpha + boundary[0] - d[a, p] for p in positives(y, a)]
            continue
        for p in positives(y, a):
            n = draw(d, a, p, negatives(y, a), z.shape[1])
            costs += [alpha + d[a, p] - boundary[0]] + ([] if n is None else [alpha + boundary[0] - d[a, n]])
    return average([c for c in costs if c > 0])


def tuplet_margin(z, y, scale=64.0, beta=0.1):
    s, found = unit(z) @ unit(z).T, []
    for a in range(len(y)):
        for p in positives(y, a) if negatives(y, a) else []:
            nearer = math.cos(math.acos(s[a, p]) - beta)
            found.append(math.log1p(sum(math.exp(scale * (s[a, n] - nearer)) for n in negatives(y, a))))
    return average(found)


def angular(z, y, alpha=45.0):
    z, t, found = unit(z), math.tan(math.radians(alpha)) ** 2, []
    for a in range(len(y)):
        for p in positives(y, a) if negatives(y, a) else []:
            f = [4 * t * (z[a] + z[p]) @ z[n] - 2 * (1 + t) * z[a] @ z[p] for n in negatives(y, a)]
            found.append(math.log1p(sum(map(math.exp, f))))
    return average(found)


def simplex(classes, dim):
    """Unit vectors with inner products −1/(C − 1), found by hand: each as the earlier ones leave it."""
    c = np.zeros((classes, dim))
    for i in range(classes):
        for k in range(min(i, classes - 1)):
            c[i, k] = (-1 / (classes - 1) - c[i, :k] @ c[k, :k]) / c[k, k]
        if i < classes - 1:
            c[i, i] = math.sqrt(1 - c[i] @ c[i])
    return c.astype(np.float32).astype(float)  # as it is kept


def discriminative(z, y, classes=6):
    c, found = unit(simplex(classes, z.shape[1])), []
    for x, label in zip(unit(z), y, strict=True):
        if label >= 0:
            others = sum(np.linalg.norm(x - c[m]) for m in range(classes) if m != label)
            found.append(np.linalg.norm(x - c[label]) - others / (3 * (classes - 1)))
    return average(found)


def tree(d, members):
    """Kruskal: the shortest edge that joins two parts, until all are joined."""
    part, edges = {i: i for i in members}, []
    for _, i, j in sorted((d[i, j], i, j) for i in members for j in members if i < j):
        if part[i] != part[j]:
            edges += [(i, j), (j, i)]
            part = {k: part[i] if c == part[j] else c for k, c in part.items()}
    return edges


def damlrrm(z, y, margin=0.1):
    s, found = unit(z) @ unit(z).T, []
    for c in set(y[y >= 0]):
        for a, p in tree(-s, [i for i in range(len(y)) if y[i] == c]):
            found += [s[a, n] - s[a, p] + margin for n in negatives(y, a)]
    return average([x for x in found if x > 0])


def tree_contrastive(z, y):
    s, pull, push = unit(z) @ unit(z).T, [], []
    for c in set(y[y >= 0]):
        pull += [1 - s[a, p] for a, p in tree(-s, [i for i in range(len(y)) if y[i] == c])]
    for i in range(len(y)):
        push += [s[i, j] - 0.5 for j in negatives(y, i) if s[i, j] > 0.5]
    return average(pull) + average(push)


def dynamic_soft_margin(z, y, bins=512):
    """Before anything was observed: the distribution is even."""
    d, found = distances(z), []
    for a in range(len(y)):
        for p in positives(y, a) if negatives(y, a) else []:
            gap = d[a, p] - min(d[a, n] for n in negatives(y, a))
            found.append((math.floor((gap + 2) / 4 * (bins - 1)) + 1) / bins * gap)
    return average(found)


ORACLES = {
    "Triplet(select=EasyPositive())": easy_positive,
    "Triplet(select=EasyPositiveSemiHard())": lambda z, y: easy_positive(z, y, semi_hard=True),
    "Triplet(select=SoftMargin(select=EasyPositive(), scale=10.0))": lambda z, y: easy_positive(
        z, y, penalty=lambda gap: -math.log(1 / (1 + math.exp(10 * gap)))
    ),
    "Triplet(select=SoftMargin())": soft_margin,
    "Triplet(select=SoftMargin(scale=20.0))": lambda z, y: soft_margin(z, y, 20.0),
    "Triplet(similarity=euclidean, select=SoftMargin(select=Hardest()))": batch_hard_soft_margin,
    "Triplet(select=DistanceWeighted())": distance_weighted,
    "Margin()": margin,
    "Margin(beta=0.8, per_class=True, nu=0.1)": lambda z, y, b: margin(z, y, b, nu=0.1),
    "Margin(miner=all_pairs, margin=0.3)": lambda z, y, b: margin(z, y, b, alpha=0.3, drawn=False),
    "Contrastive(similarity=chord, miner=RhoSwitch(probability=0.5), positive=0.0, negative=-1.0)": lambda z, y: (
        rho_contrastive(z, y, 0.5)
    ),
    "Triplet(miner=RhoSwitch(probability=0.5, itself=True))": lambda z, y: rho_triplet(z, y, 0.5),
    "Margin(miner=RhoSwitch(probability=0.3, miner=DistanceWeightedMiner()))": lambda z, y, b: rho_margin(z, y, b, 0.3),
    "TupletMargin()": tuplet_margin,
    "TupletMargin(scale=10.0, beta=0.3)": lambda z, y: tuplet_margin(z, y, 10.0, 0.3),
    "Angular()": angular,
    "Angular(alpha=36.0)": lambda z, y: angular(z, y, 36.0),
    "Discriminative()": discriminative,
    "DAMLRRM()": damlrrm,
    "DAMLRRM(loss=Contrastive())": tree_contrastive,
    "DynamicSoftMargin()": dynamic_soft_margin,
}
VARIANTS = (
    "Triplet(select=SoftMargin(select=SemiHard()))",
    "Triplet(miner=RhoSwitch(probability=0.4, itself=True), select=DistanceWeighted())",
    "Triplet(similarity=SNR(), select=SoftMargin())",
)
