"""Terms that go with a loss, each as its paper writes it."""

import math

from tests.oracles import basic
from tests.oracles.basic import average, positives, unit


def quantisation(z, y):
    return average([sum(abs(abs(x) - 1) for x in row) for row in z])


def vicreg(z, y):
    pairs = [((z[i] - z[j]) ** 2).mean() for i in range(len(y)) for j in positives(y, i)]
    known = z[y >= 0]
    n, d = known.shape
    apart = known - known.mean(0)
    c = [[sum(row[k] * row[m] for row in apart) / (n - 1) for m in range(d)] for k in range(d)]
    variance = average([max(0, 1 - math.sqrt(c[k][k] + 1e-4)) for k in range(d)])
    covariance = sum(c[k][m] ** 2 for k in range(d) for m in range(d) if k != m) / d
    return 25 * average(pairs) + 25 * variance + 2 * covariance


def matryoshka(z, y, proxies):
    return sum(basic.proxy_anchor(z[:, :k], y, proxies[:, :k]) for k in (2, 3, 5))


def truncated(z, y):
    return basic.sup_con(z[:, :3], y)


def distance(a, b):
    return math.sqrt(((a - b) ** 2).sum())


def relational_distillation(z, t):
    t = t.reshape(len(t), -1)
    pairs = [(i, j) for i in range(len(z)) for j in range(len(z)) if i != j]
    ours, theirs = ({(i, j): distance(x[i], x[j]) for i, j in pairs} for x in (z, t))
    mean_ours, mean_theirs = average(list(ours.values())), average(list(theirs.values()))
    apart = [abs(ours[pair] / mean_ours - theirs[pair] / mean_theirs) for pair in pairs]
    return average([x**2 / 2 if x < 1 else x - 0.5 for x in apart])


def similarity_distillation(z, t, temperature=1.0):
    t, found = t.reshape(len(t), -1), []
    s = unit(z) @ unit(z).T
    for i in range(len(z)):
        others = [j for j in range(len(z)) if j != i]
        theirs = [math.exp(-(distance(t[i], t[j]) ** 2) / 2 / temperature) for j in others]
        ours = [math.exp(s[i, j] / temperature) for j in others]
        p, q = [x / sum(theirs) for x in theirs], [x / sum(ours) for x in ours]
        found.append(temperature**2 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    return average(found)


def non_isotropy(z, y, proxies, *flow):
    """A flow that starts as a permutation: ½ ‖z‖² is ½ (tests/losses/test_non_isotropy.py looks at trained ones)."""
    nll = [0.5 * (row**2).sum() for row in unit(z)[y >= 0]]
    return 0.0075 * basic.proxy_anchor(z, y, proxies) + average([math.exp(x) for x in nll])


ORACLES = {
    "RelationalDistillation()": relational_distillation,
    "SimilarityDistillation()": similarity_distillation,
    "SimilarityDistillation(temperature=0.1)": lambda z, t: similarity_distillation(z, t, 0.1),
    "Matryoshka()": basic.multi_similarity,  # five dimensions are too few to halve
    "Matryoshka(loss=ProxyAnchor(), dims=(2, 3, 5))": matryoshka,
    "S2SD()": basic.multi_similarity,  # an embedding without branches
    "SupCon(similarity=Truncated(size=3))": truncated,
    "NonIsotropy()": non_isotropy,
    "VICReg()": vicreg,
    "Quantisation()": quantisation,
}
LABEL_FREE = {"Quantisation()"}
VARIANTS = (
    "Matryoshka(loss=Triplet(similarity=squared_euclidean), dims=(1, 4))",
    "NonIsotropy(loss=SoftTriple(reference=Proxies(centres=3)), exponential=False)",
)
CONTINUOUS = {"RelationalDistillation()", "SimilarityDistillation()", "SimilarityDistillation(temperature=0.1)"}
