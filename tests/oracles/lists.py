"""Losses over ranked lists, each as its paper writes it."""

import math

from tests.oracles.basic import average, contrastive, negatives, positives, unit


def sigmoid(x, temperature):
    return 1 / (1 + math.exp(-x / temperature))


def smooth_ap(z, y, temperature=0.01):
    s = unit(z) @ unit(z).T
    found = []
    for i in range(len(y)):
        precisions = []
        for p in positives(y, i):
            among = 1 + sum(sigmoid(s[i, j] - s[i, p], temperature) for j in positives(y, i) if j != p)
            rank = among + sum(sigmoid(s[i, n] - s[i, p], temperature) for n in negatives(y, i))
            precisions.append(among / rank)
        if precisions:
            found.append(1 - average(precisions))
    return average(found)


def soft(value, temperature=0.01):
    """1 − value(ranks of the positives, ranks among them), averaged over rows with positives."""

    def oracle(z, y):
        s = unit(z) @ unit(z).T
        found = []
        for i in range(len(y)):
            ranks, among = [], []
            for p in positives(y, i):
                above = {
                    j: sigmoid(s[i, j] - s[i, p], temperature) for j in positives(y, i) + negatives(y, i) if j != p
                }
                ranks.append(1 + sum(above.values()))
                among.append(1 + sum(above[j] for j in positives(y, i) if j != p))
            if ranks:
                found.append(1 - value(ranks, among))
        return average(found)

    return oracle


def within(rank, k, temperature=1.0):
    return sigmoid(k - rank, temperature)


def map_at_r(ranks, among):
    return average([within(r, len(ranks)) * a / r for r, a in zip(ranks, among, strict=True)])


def ndcg(ranks, _, k=10**9):
    found = sum((within(r, k) if k < 10**9 else 1) / math.log2(1 + r) for r in ranks)
    return found / sum(1 / math.log2(2 + i) for i in range(min(k, len(ranks))))


def tent(x, centre, width):
    return max(0, 1 - abs(x - centre) / width)


def fast_ap(z, y, bins=10):
    d = 2 - 2 * unit(z) @ unit(z).T
    found, width = [], 4 / bins
    for i in range(len(y)):
        if not positives(y, i):
            continue
        h_pos = [sum(tent(d[i, j], width * b, width) for j in positives(y, i)) for b in range(bins + 1)]
        h_neg = [sum(tent(d[i, j], width * b, width) for j in negatives(y, i)) for b in range(bins + 1)]
        ap = 0
        for b in range(bins + 1):
            above, below = sum(h_pos[: b + 1]), sum(h_neg[: b + 1])
            ap += h_pos[b] * above / (above + below) if above + below else 0
        found.append(1 - ap / len(positives(y, i)))
    return average(found)


def precision_at_k(z, y, k=5, margin=0.05):
    s = unit(z) @ unit(z).T
    found = []
    for i in range(len(y)):
        pos = sorted((s[i, j] for j in positives(y, i)), reverse=True)
        neg = sorted((s[i, j] + margin for j in negatives(y, i)), reverse=True)
        best = sum(pos[:k]) + sum(neg[: max(0, k - len(pos))])
        found += [sum(sorted(pos + neg, reverse=True)[:k]) - best] if pos else []
    return average(found)


def histogram(z, y, bins=100):
    s, width = unit(z) @ unit(z).T, 2 / bins
    pos = [s[i, j] for i in range(len(y)) for j in positives(y, i)]
    neg = [s[i, j] for i in range(len(y)) for j in negatives(y, i)]
    h_pos = [average([tent(x, width * b - 1, width) for x in pos]) for b in range(bins + 1)]
    h_neg = [average([tent(x, width * b - 1, width) for x in neg]) for b in range(bins + 1)]
    return sum(h_neg[b] * sum(h_pos[: b + 1]) for b in range(bins + 1))


def recall_at_k(z, y, ks=(1, 2, 4, 8, 16), temperature=0.01, rank_temperature=1.0):
    def value(ranks, _):
        found = [sum(sigmoid(k - r, rank_temperature) for r in ranks) / min(k, len(ranks)) for k in ks]
        return average(found)

    return soft(value, temperature)(z, y)


def pnp(z, y, penalty=lambda r: r, temperature=0.01):
    s = unit(z) @ unit(z).T
    found = []
    for i in range(len(y)):
        before = [sum(sigmoid(s[i, n] - s[i, p], temperature) for n in negatives(y, i)) for p in positives(y, i)]
        found += [average([penalty(r) for r in before])] if before else []
    return average(found)


def upper_bound(x, temperature=0.01, rho=100.0, delta=0.05):
    if x <= 0:
        return sigmoid(x, temperature)
    if x <= delta:
        return 0.5 + sigmoid(x, temperature)
    return rho * (x - delta) + 0.5 + sigmoid(delta, temperature)


def sup_ap(z, y, step=upper_bound):
    s = unit(z) @ unit(z).T
    found = []
    for i in range(len(y)):
        precisions = []
        for p in positives(y, i):
            among = 1 + sum(s[i, j] > s[i, p] for j in positives(y, i) if j != p)
            precisions.append(among / (among + sum(step(s[i, n] - s[i, p]) for n in negatives(y, i))))
        found += [1 - average(precisions)] if precisions else []
    return average(found)


def roadmap(z, y):
    return 0.5 * sup_ap(z, y) + 0.5 * contrastive(z, y, positive=0.9, negative=0.6)


def blackbox_ap(z, y, margin=0.02):
    s = unit(z) @ unit(z).T
    found = []
    for i in range(len(y)):
        score = {j: s[i, j] - margin / 2 for j in positives(y, i)} | {j: s[i, j] + margin / 2 for j in negatives(y, i)}
        order = sorted(score, key=score.get, reverse=True)
        hits = [j in positives(y, i) for j in order]
        if any(hits):
            found.append(1 - sum(sum(hits[: r + 1]) / (r + 1) for r in range(len(hits)) if hits[r]) / sum(hits))
    return average(found)


ORACLES = {
    "SmoothAP()": smooth_ap,
    "Soft()": smooth_ap,
    "Soft(metric=MAPAtR())": soft(map_at_r),
    "Soft(metric=RPrecision())": soft(lambda ranks, _: average([within(r, len(ranks)) for r in ranks])),
    "Soft(metric=Precision(k=3))": soft(lambda ranks, _: sum(within(r, 3) for r in ranks) / 3),
    "Soft(metric=Recall(k=2))": soft(lambda ranks, _: max(within(r, 2) for r in ranks)),
    "Soft(metric=NDCG())": soft(ndcg),
    "Soft(metric=NDCG(k=2))": soft(lambda ranks, _: ndcg(ranks, _, 2)),
    "Soft(metric=MRR())": soft(lambda ranks, _: 1 / min(ranks)),
    "FastAP()": fast_ap,
    "FastAP(bins=3)": lambda z, y: fast_ap(z, y, bins=3),
    "PrecisionAtK()": precision_at_k,
    "PrecisionAtK(k=1, margin=0.3)": lambda z, y: precision_at_k(z, y, k=1, margin=0.3),
    "Histogram()": histogram,
    "Histogram(bins=7)": lambda z, y: histogram(z, y, bins=7),
    "RecallAtK()": recall_at_k,
    "RecallAtK(k=(2,), rank_temperature=0.3)": lambda z, y: recall_at_k(z, y, ks=(2,), rank_temperature=0.3),
    "PNP()": pnp,
    "PNP(penalty=PNPIu())": lambda z, y: pnp(z, y, lambda r: (1 + r) * math.log(1 + r)),
    "PNP(penalty=PNPIb())": lambda z, y: pnp(z, y, lambda r: (2 * r - math.log(1 + 2 * r)) / 4),
    "PNP(penalty=PNPDs())": lambda z, y: pnp(z, y, lambda r: math.log(1 + r)),
    "PNP(penalty=PNPDq(alpha=4.0))": lambda z, y: pnp(z, y, lambda r: 1 - 1 / (1 + r) ** 4),
    "ROADMAP()": roadmap,
    "ROADMAP(balance=0.0)": sup_ap,
    "BlackboxAP()": blackbox_ap,
    "HAPPIER()": sup_ap,
    "SmoothAP(temperature=0.1)": lambda z, y: smooth_ap(z, y, temperature=0.1),
}
STEPWISE = {"BlackboxAP()"}
