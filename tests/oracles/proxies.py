"""Losses on proxies, and their penalties, each as its paper writes it."""

import math

import numpy as np

from tests.oracles.basic import average, proxy_anchor, unit


def cosines(z, proxies):
    return unit(z) @ unit(proxies).T


def known(y):
    return [i for i in range(len(y)) if y[i] >= 0]


def softmax(own, others):
    """−log of the share of `own` among all."""
    return -math.log(math.exp(own) / (math.exp(own) + sum(math.exp(v) for v in others)))


def margin_softmax(s, y, scale, own):
    found = []
    for i in known(y):
        others = [scale * s[i, c] for c in range(s.shape[1]) if c != y[i]]
        found.append(softmax(scale * own(s[i, y[i]]), others))
    return average(found)


def cos_face(z, y, proxies, margin=0.35, scale=64.0):
    return margin_softmax(cosines(z, proxies), y, scale, lambda s: s - margin)


def added_angle(margin, easy=False):
    def own(s):
        theta = math.acos(s)
        if easy:
            return math.cos(theta + margin) if theta < math.pi / 2 else s
        return math.cos(theta + margin) if theta + margin < math.pi else s - margin * math.sin(margin)

    return own


def arc_face(z, y, proxies, margin=0.5, scale=64.0, easy=False):
    return margin_softmax(cosines(z, proxies), y, scale, added_angle(margin, easy))


def sphere_face(z, y, proxies, margin=1.5, scale=30.0):
    def own(s):
        theta, k = math.acos(s), 0
        while (k + 1) * math.pi <= margin * theta:
            k += 1
        return (-1) ** k * math.cos(margin * theta) - 2 * k

    return margin_softmax(cosines(z, proxies), y, scale, own)


def over_centres(z, centres, merge):
    x = unit(z)
    return np.array([[merge([float(a @ w / np.linalg.norm(w)) for w in of]) for of in centres] for a in x])


def sub_center_arc_face(z, y, centres, margin=0.5, scale=64.0):
    return margin_softmax(over_centres(z, centres, max), y, scale, added_angle(margin))


def softly_largest(s, gamma):
    q = [math.exp(v / gamma) for v in s]
    return sum(a * b for a, b in zip(q, s, strict=True)) / sum(q)


def sparse_centres(centres, tau=0.2):
    many, k = centres.shape[:2]
    total = 0.0
    for of in centres:
        w = unit(of)
        total += sum(math.sqrt(max(0.0, 2 - 2 * w[s] @ w[t])) for s in range(k) for t in range(s + 1, k))
    return tau * total / (many * k * (k - 1))


def soft_triple(z, y, centres, margin=0.01, scale=20.0, gamma=0.1, tau=0.2):
    s = over_centres(z, centres, lambda s: softly_largest(s, gamma))
    return margin_softmax(s, y, scale, lambda v: v - margin) + sparse_centres(centres, tau)


def p2s_grad(z, y, proxies):
    s = cosines(z, proxies)
    return average([sum((s[i, c] - (c == y[i])) ** 2 for c in range(len(proxies))) / 2 for i in known(y)])


def proxy_nca(z, y, proxies, scale=3.0):
    x, p = scale * unit(z), scale * unit(proxies)
    found = []
    for i in known(y):
        d = [((x[i] - w) ** 2).sum() for w in p]
        found.append(-math.log(math.exp(-d[y[i]]) / sum(math.exp(-d[c]) for c in range(len(p)) if c != y[i])))
    return average(found)


def proxy_nca_plus_plus(z, y, proxies, temperature=1 / 9):
    x, p = unit(z), unit(proxies)
    found = []
    for i in known(y):
        e = [math.exp(-((x[i] - w) ** 2).sum() / temperature) for w in p]
        found.append(-math.log(e[y[i]] / sum(e)))
    return average(found)


def potential_field(z, y, proxies=None, alpha=3.0, delta=0.2, per_class=2):
    """The energy of all points in the field of all others, each known point's share."""
    points, labels = unit(z), list(y)
    if proxies is not None:
        points = np.concatenate([points, unit(proxies)])
        labels += [k % (len(proxies) // per_class) for k in range(len(proxies))]
    energies = []
    for i in known(labels):
        energies.append(0.0)
        for j in known(labels):
            if i != j:
                r = np.linalg.norm(points[i] - points[j])
                attraction = -(delta**-alpha) if r < delta else -(r**-alpha)
                repulsion = r**-alpha if r < delta else delta**-alpha
                energies[-1] += attraction if labels[i] == labels[j] else repulsion
    return average(energies)


def regular_face(proxies):
    s = cosines(proxies, proxies)
    return average([max(s[i, j] for j in range(len(s)) if j != i) for i in range(len(s))])


def centre_invariant(proxies):
    squared = [(w**2).sum() for w in proxies]
    return average([(v - average(squared)) ** 2 / 4 for v in squared])


def penalised_proxy_anchor(z, y, proxies):
    return proxy_anchor(z, y, proxies) + 0.5 * regular_face(proxies)


def penalised_cos_face(z, y, proxies):
    return cos_face(z, y, proxies) + centre_invariant(proxies)


def lp(z, y, p=2.0, power=1.0):
    return average([sum(abs(v) ** p for v in row) ** (power / p) for row in z])


def one_norm(z, y):
    return lp(z, y, 1.0, 2.0)


ORACLES = {
    "CosFace()": cos_face,
    "ArcFace()": arc_face,
    "ArcFace(easy_margin=True)": lambda z, y, p: arc_face(z, y, p, easy=True),
    "ArcFace(scale=8.0, margin=1.2)": lambda z, y, p: arc_face(z, y, p, margin=1.2, scale=8.0),
    "SphereFace()": sphere_face,
    "SphereFace(scale=4.0, margin=4.0)": lambda z, y, p: sphere_face(z, y, p, margin=4.0, scale=4.0),
    "P2SGrad()": p2s_grad,
    "SubCenterArcFace()": sub_center_arc_face,
    "SoftTriple()": soft_triple,
    "ProxyNCA()": proxy_nca,
    "ProxyNCAPlusPlus()": proxy_nca_plus_plus,
    "PotentialField()": potential_field,
    "PotentialField(reference=BatchAndProxies(per_class=5), alpha=1.5, delta=0.9)": lambda z, y, p: potential_field(
        z, y, p, 1.5, 0.9, 5
    ),
    "ProxyAnchor(reference=Proxies(penalty=RegularFace(weight=0.5)))": penalised_proxy_anchor,
    "CosFace(reference=Proxies(penalty=CentreInvariant()))": penalised_cos_face,
    "Lp()": lp,
    "Lp(p=1.0, power=2.0)": one_norm,
}
VARIANTS = (
    "SoftTriple(reference=Proxies(centres=2))",
    "ProxyAnchor(similarity=SoftOverCentres(), reference=Proxies(centres=3, penalty=SparseCentres(weight=1.0)))",
    "ProxyAnchor(similarity=MaxOverCentres(), reference=Proxies(centres=2, penalty=RegularFace()))",
    "CosFace(reference=batch, scale=4.0)",
    "PotentialField(reference=batch, delta=0.9)",
    "PotentialField(similarity=euclidean, delta=0.9)",
    "SupCon(reference=BatchAndProxies())",
)
LABEL_FREE = {"Lp()", "Lp(p=1.0, power=2.0)"}
