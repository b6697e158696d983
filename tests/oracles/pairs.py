"""Losses over the pairs of a row, each as its paper writes it."""

import math

import numpy as np

from tests.oracles.basic import average, negatives, positives, unit


def cosines(z):
    return unit(z) @ unit(z).T


def distances(z):
    return np.linalg.norm(z[:, None] - z[None], axis=-1)


def circle(z, y, margin=0.4, gamma=80.0):
    s, found = cosines(z), []
    for i in range(len(y)):
        pull = sum(math.exp(-gamma * max(0, 1 + margin - s[i, p]) * (s[i, p] - 1 + margin)) for p in positives(y, i))
        push = sum(math.exp(gamma * max(0, s[i, n] + margin) * (s[i, n] - margin)) for n in negatives(y, i))
        if pull and push:
            found.append(math.log(1 + push * pull))
    return average(found)


def circle_classes(z, y, proxies, margin=0.4, gamma=80.0):
    s, found = unit(z) @ unit(proxies).T, []
    for i in range(len(y)):
        if y[i] < 0:
            continue
        logits = [gamma * max(0, x + margin) * (x - margin) for x in s[i]]
        own = s[i, y[i]]
        logits[y[i]] = gamma * max(0, 1 + margin - own) * (own - 1 + margin)
        found.append(math.log(sum(map(math.exp, logits))) - logits[y[i]])
    return average(found)


def against_negatives(s, y):
    """−log e^{s_ip} / (e^{s_ip} + Σ_n e^{s_in}), averaged over positive pairs."""
    found = []
    for i in range(len(y)):
        below = sum(math.exp(s[i, n]) for n in negatives(y, i))
        found += [-math.log(math.exp(s[i, p]) / (math.exp(s[i, p]) + below)) for p in positives(y, i)]
    return average(found)


def nt_xent(z, y, temperature=0.1):
    return against_negatives(cosines(z) / temperature, y)


def ranked(d, y, near, far, temperature, negative_weight):
    found = []
    for i in range(len(y)):
        if not positives(y, i) and not negatives(y, i):
            continue
        pull = [d[i, p] - near for p in positives(y, i) if d[i, p] > near]
        push = [far - d[i, n] for n in negatives(y, i) if d[i, n] < far]
        weights = [math.exp(temperature * x) for x in push]
        pushed = sum(w * x for w, x in zip(weights, push, strict=True)) / sum(weights) if push else 0
        found.append(average(pull) + negative_weight * pushed)
    return average(found)


def ranked_list(z, y, alpha=1.2, margin=0.4, temperature=10.0, negative_weight=1.0):
    return ranked(distances(unit(z)), y, alpha - margin, alpha, temperature, negative_weight)


def ranked_list_simple(z, y, margin=0.4, temperature=10.0):
    return ranked(distances(unit(z)), y, 1 - margin / 2, 1 + margin / 2, temperature, 1.0) / 2


def lifted_structure(z, y, margin=1.0):
    d, found = distances(z), []
    for i in range(len(y)):
        for j in positives(y, i):
            ends = [d[i, k] for k in negatives(y, i)] + [d[j, k] for k in negatives(y, j)]
            if ends:
                found.append(max(0, d[i, j] + math.log(sum(math.exp(margin - x) for x in ends))) ** 2 / 2)
            else:
                found.append(0.0)
    return average(found)


def generalized_lifted_structure(z, y, margin=1.0):
    d, found = distances(z), []
    for i in range(len(y)):
        pos, neg = positives(y, i), negatives(y, i)
        if pos and neg:
            far = math.log(sum(math.exp(d[i, p]) for p in pos))
            found.append(max(0, far + math.log(sum(math.exp(margin - d[i, n]) for n in neg))))
    return average(found)


def nca(z, y, scale=1.0):
    d, found = distances(z), []
    for i in range(len(y)):
        if positives(y, i):
            own = sum(math.exp(-scale * d[i, p] ** 2) for p in positives(y, i))
            found.append(-math.log(own / (own + sum(math.exp(-scale * d[i, n] ** 2) for n in negatives(y, i)))))
    return average(found)


def decoupled_contrastive(z, y, temperature=0.1):
    s, found = cosines(z) / temperature, []
    for i in range(len(y)):
        if negatives(y, i):
            below = math.log(sum(math.exp(s[i, n]) for n in negatives(y, i)))
            found += [below - s[i, p] for p in positives(y, i)]
    return average(found)


def selectively_contrastive(z, y, weight=1.0, temperature=0.1):
    s, found = cosines(z), []
    for i in range(len(y)):
        if positives(y, i) and negatives(y, i):
            p, n = max(s[i, j] for j in positives(y, i)), max(s[i, k] for k in negatives(y, i))
            a, b = math.exp(p / temperature), math.exp(n / temperature)
            found.append(weight * n if n > p else -math.log(a / (a + b)))
    return average(found)


def invariant_spread(z, y, temperature=0.1, spread_weight=1.0):
    s, found = np.exp(cosines(z) / temperature), []
    for i in range(len(y)):
        others = positives(y, i) + negatives(y, i)
        if positives(y, i):
            every = sum(s[i, j] for j in others)
            invariant = average([-math.log(s[i, k] / every) for k in positives(y, i)])
            rest = [sum(s[i, j] for j in others if j != k) / every for k in negatives(y, i)]  # 1 − p
            found.append(invariant - spread_weight * sum(map(math.log, rest)))
    return average(found)


def instance(z, y, proxies, gamma=64.0):
    s = np.exp(gamma * unit(z) @ unit(proxies).T)
    return average([-math.log(s[i, y[i]] / s[i].sum()) for i in range(len(y)) if y[i] >= 0])


def threshold_consistent_margin(z, y, positive=0.9, negative=0.5):
    s, rows = cosines(z), range(len(y))
    lack = [positive - s[i, p] for i in rows for p in positives(y, i) if s[i, p] <= positive]
    return average(lack) + average([s[i, n] - negative for i in rows for n in negatives(y, i) if s[i, n] >= negative])


def weighted_pairs(z, y, weigh):
    """Σ_N w s − Σ_P w s, averaged over labelled rows; `weigh` maps a row's similarities to the weights of both."""
    s, found = cosines(z), []
    for i in range(len(y)):
        pos, neg = ([s[i, j] for j in those(y, i)] for those in (positives, negatives))
        if pos or neg:
            pull, push = weigh(pos, neg)
            found.append(np.dot(push, neg) - np.dot(pull, pos))
    return average(found)


def multi_similarity_weights(pos, neg, alpha=2.0, beta=40.0, base=0.5):
    pull, push = ([math.exp(b * (s - base)) for s in row] for b, row in ((-alpha, pos), (beta, neg)))
    return [x / (1 + sum(pull)) for x in pull], [x / (1 + sum(push)) for x in push]


def binomial_deviance_weights(pos, neg, alpha=2.0, beta=40.0, base=0.5):
    pull = [alpha / len(pos) / (1 + math.exp(-alpha * (base - s))) for s in pos]
    return pull, [beta / len(neg) / (1 + math.exp(-beta * (s - base))) for s in neg]


def lifted_weights(pos, neg):
    pull, push = [math.exp(-s) for s in pos], [math.exp(s) for s in neg]
    return [x / sum(pull) for x in pull], [x / sum(push) for x in push]


def spline_weights(pos, neg, pull=(2.0, 2.0, 2.0), push=(40.0, 40.0, 40.0), relative=0.5, balance=0.5):
    def strength(s, low, mid, high):
        if s < 0:
            return low * s - mid * 0.5
        return mid * (s - 0.5) if s < 0.5 else high * (s - 0.5)

    def shared(row):
        return [x / (1 - relative + relative * sum(row)) for x in row]

    pulled, pushed = [math.exp(-strength(s, *pull)) for s in pos], [math.exp(strength(s, *push)) for s in neg]
    return [balance * w for w in shared(pulled)], [(1 - balance) * w for w in shared(pushed)]


def spline_of_many_slopes(pos, neg):
    return spline_weights(pos, neg, (0.5, 3.0, 0.0), (0.0, 12.0, 5.0), relative=0.2, balance=0.7)


def intra_pair_variance(z, y, epsilon=0.01):
    s, rows = cosines(z), range(len(y))
    pos, neg = ([s[i, j] for i in rows for j in those(y, i)] for those in (positives, negatives))
    lack = [max(0, (1 - epsilon) * average(pos) - x) ** 2 for x in pos]
    return average(lack) + average([max(0, x - (1 + epsilon) * average(neg)) ** 2 for x in neg])


MANY_SLOPES = (
    "GeneralPairWeighting(weigh=SplineWeights(pull_low=0.5, pull_mid=3.0, pull_high=0.0, push_low=0.0, push_mid=12.0, "
    "push_high=5.0, relative=0.2, balance=0.7))"
)
ORACLES = {
    "Circle()": circle,
    "Circle(reference=Proxies())": circle_classes,
    "NTXent()": nt_xent,
    "Both()": lambda z, y: 2 * nt_xent(z, y),
    "RankedList()": ranked_list,
    "RankedList(similarity=euclidean, temperature=0.0)": lambda z, y: ranked(distances(z), y, 0.8, 1.2, 0.0, 1.0),
    "RankedListSimple()": ranked_list_simple,
    "EachBranch()": ranked_list,
    "LiftedStructure()": lifted_structure,
    "GeneralizedLiftedStructure()": generalized_lifted_structure,
    "NPair()": lambda z, y: against_negatives(z @ z.T, y),
    "NCA()": nca,
    "DecoupledContrastive()": decoupled_contrastive,
    "SelectivelyContrastive()": selectively_contrastive,
    "InvariantSpread()": invariant_spread,
    "InvariantSpread(temperature=0.01)": lambda z, y: invariant_spread(z, y, temperature=0.01),
    "InvariantSpread(reference=detached)": invariant_spread,
    "Instance()": instance,
    "ThresholdConsistentMargin()": threshold_consistent_margin,
    "IntraPairVariance()": intra_pair_variance,
    "GeneralPairWeighting()": lambda z, y: weighted_pairs(z, y, multi_similarity_weights),
    "GeneralPairWeighting(weigh=BinomialDevianceWeights())": lambda z, y: weighted_pairs(
        z, y, binomial_deviance_weights
    ),
    "GeneralPairWeighting(weigh=LiftedWeights())": lambda z, y: weighted_pairs(z, y, lifted_weights),
    "GeneralPairWeighting(weigh=SplineWeights())": lambda z, y: weighted_pairs(z, y, spline_weights),
    MANY_SLOPES: lambda z, y: weighted_pairs(z, y, spline_of_many_slopes),
}
VARIANTS = (
    "RankedList(reference=detached)",
    "Instance(reference=batch)",
    "Both(loss=Contrastive(similarity=SNR()))",
)
