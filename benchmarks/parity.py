"""Value and gradient beside pytorch-metric-learning, wherever both follow the paper; and where they part on purpose.

    python benchmarks/parity.py

The first table must agree to 1e-6; the script fails where it does not. In the second the paper's formula (the double loop
of `tests/oracles`) is the judge.
"""

import math
import sys
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from measure import peer

import isometry
from tests.oracles import ORACLES

CLASSES, EACH, DIM = 12, 4, 16
COSINE = "distance=CosineSimilarity()"
SAME = {  # ours: (the peer's, by what its value is multiplied)
    "Contrastive()": (f"ContrastiveLoss(pos_margin=1, neg_margin=0.5, {COSINE})", 1),
    "Triplet()": ("TripletMarginLoss(margin=0.2, distance=LpDistance(power=2))", 0.5),
    "MultiSimilarity(miner=all_pairs)": ("MultiSimilarityLoss(alpha=2, beta=40, base=0.5)", 1),
    "SupCon()": ("SupConLoss(temperature=0.07)", 1),
    "NTXent()": ("NTXentLoss(temperature=0.1)", 1),
    "Circle()": ("CircleLoss(m=0.4, gamma=80)", 1),
    "FastAP()": ("FastAPLoss(num_bins=10)", 1),
    "TupletMargin()": (f"TupletMarginLoss(margin={math.degrees(0.1)}, scale=64)", 1),
    "NCA()": ("NCALoss(distance=LpDistance(power=2, normalize_embeddings=False))", 1),
    "LiftedStructure()": ("LiftedStructureLoss(distance=LpDistance(normalize_embeddings=False))", 1),
    "IntraPairVariance()": ("IntraPairVarianceLoss()", 1),
    "ThresholdConsistentMargin()": ("ThresholdConsistentMarginLoss()", 1),
    "PNP()": ("PNPLoss()", EACH / (EACH - 1)),  # it counts the query among its own positives
    "Histogram()": ("HistogramLoss(n_bins=100)", 1),
    "ProxyNCAPlusPlus(temperature=1.0)": ("ProxyNCALoss(num_classes=C, embedding_size=D)", 1),
    "SoftTriple(reference=Proxies(centres=10))": ("SoftTripleLoss(num_classes=C, embedding_size=D)", 1),
    "ProxyAnchor()": ("ProxyAnchorLoss(num_classes=C, embedding_size=D, margin=0.1, alpha=32)", 1),
    "NormSoftmax()": ("NormalizedSoftmaxLoss(num_classes=C, embedding_size=D, temperature=0.05)", 1),
    "CosFace(margin=0.35, scale=64.0)": ("CosFaceLoss(num_classes=C, embedding_size=D, margin=0.35, scale=64)", 1),
    "ArcFace(margin=0.5, scale=64.0)": (
        f"ArcFaceLoss(num_classes=C, embedding_size=D, margin={math.degrees(0.5)}, scale=64)",
        1,
    ),
}


LOOSE = {"Histogram()": 1e-5}  # the peer lays its nodes out in float32


def batch(seed=0):
    g = torch.Generator().manual_seed(seed)
    y = torch.arange(CLASSES).repeat_interleave(EACH)
    centres = torch.randn(CLASSES, DIM, generator=g, dtype=torch.float64)
    return centres[y] + 1.2 * torch.randn(len(y), DIM, generator=g, dtype=torch.float64), y


def run(loss, z, y):
    z = z.clone().requires_grad_()
    value = loss(z, y)
    value.backward()
    return value.item(), z.grad


def pair(text, theirs):
    """Both losses in float64, with the same proxies where they have some."""
    a = isometry.parse(text, num_classes=CLASSES, dim=DIM).double()
    b = peer(theirs, CLASSES, DIM).double()
    for p, q in zip(a.parameters(), b.parameters(), strict=False):
        flat = p.data.flatten(0, -2)
        q.data.copy_(flat if flat.shape == q.shape else flat.T)
    return a, b


def perfect(classes, each):
    """Embeddings without an error: a corner of the cube for each class."""
    y = torch.arange(classes).repeat_interleave(each)
    return torch.eye(classes, dtype=torch.float64)[y], y


def compared(text, theirs, z, y):
    """Our value, the peer's, and the double loop's."""
    a, b = pair(text, theirs)
    return run(a, z, y)[0], run(b, z, y)[0], float(ORACLES[text](z.numpy(), y.numpy()))


def differences():
    """Rows of (case, ours, the peer's, the paper's)."""
    z, y = perfect(8, 4)
    yield "SmoothAP, 8 classes of 4, perfect", *compared("SmoothAP()", "SmoothAPLoss()", z, y)
    z, y = batch()
    shuffled = torch.randperm(len(y), generator=torch.Generator().manual_seed(3))
    sorted_ = run(pair("SmoothAP()", "SmoothAPLoss()")[1], z, y)[0]
    ours, theirs, oracle = compared("SmoothAP()", "SmoothAPLoss()", z[shuffled], y[shuffled])
    yield f"SmoothAP, shuffled (the peer's, sorted: {sorted_:.4f})", ours, theirs, oracle
    yield "Angular, embeddings × 10", *compared("Angular()", "AngularLoss(alpha=45)", 10 * z, y)
    once_each = torch.tensor([3, 2, 1, 0])
    instance = isometry.losses.Instance(reference=isometry.references.batch, gamma=64.0)
    z4 = torch.eye(4, dtype=torch.float64)
    yield (
        "Instance, labels [3, 2, 1, 0], perfect",
        run(instance, z4, once_each)[0],
        run(peer("InstanceLoss(gamma=64)", 4, 4), z4, once_each)[0],
        0.0,
    )
    y4 = torch.tensor([0, 0, 1, 1])
    line = torch.tensor([[0.0], [9.0], [1.0], [8.0]])  # every item lies nearer to the other class; float32
    theirs = peer("NCALoss(softmax_scale=2, distance=LpDistance(power=2, normalize_embeddings=False))", 2, 1)
    ours, theirs = run(isometry.losses.NCA(scale=2.0), line, y4)[0], run(theirs, line, y4)[0]
    yield (
        "NCA, probabilities that underflow",
        ours,
        theirs,
        float(ORACLES["NCA()"](math.sqrt(2) * line.double().numpy(), y4.numpy())),
    )
    contrastive = "ContrastiveLoss(pos_margin=1, neg_margin=0.5, distance=CosineSimilarity())"
    a, b = pair("Contrastive()", contrastive)
    ids = torch.arange(len(y))
    yield (
        "Contrastive against a copy of the batch",
        float(a(z, y, ids=ids, against=(z, y, ids))),
        float(b(z, y, ref_emb=z, ref_labels=y.clone())),
        float(ORACLES["Contrastive()"](z.numpy(), y.numpy())),
    )


def main():
    warnings.simplefilter("ignore")  # the peer's
    z, y = batch()
    print("| ours | the peer's | value | relative difference | of the gradient |\n|---|---|---|---|---|")
    wrong = []
    for text, (theirs, factor) in SAME.items():
        a, b = pair(text, theirs)
        (value, grad), (other, other_grad) = run(a, z, y), run(b, z, y)
        apart = abs(value / (other * factor) - 1)
        slope = float((grad - factor * other_grad).norm() / grad.norm())
        print(
            f"| `{text}` | `{theirs}`{'' if factor == 1 else f' × {factor:.3g}'} | {value:.6f} | {apart:.0e} | {slope:.0e} |"
        )
        if max(apart, slope) > LOOSE.get(text, 1e-6):
            wrong.append(text)
    print("\n| where we differ on purpose | ours | the peer's | the paper's formula |\n|---|---|---|---|")
    for case, ours, theirs, paper in differences():
        print(f"| {case} | {ours:.4f} | {theirs:.4f} | {paper:.4f} |")
        if abs(ours - paper) > 1e-6 * max(1, abs(paper)):
            wrong.append(case)
    if wrong:
        sys.exit(f"These do not agree to 1e-6: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
