"""Value and gradient beside pytorch-metric-learning, wherever both follow the paper; and where they part on purpose.

    python benchmarks/parity.py

The first table must agree to 1e-6; the script fails where it does not. In the second the paper's formula (the double loop
of `tests/oracles`) is the judge.
"""

import math
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from measure import peer

import isometry

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
    "NCA()": ("NCALoss(softmax_scale=1)", 1),
    "ProxyAnchor()": ("ProxyAnchorLoss(num_classes=C, embedding_size=D, margin=0.1, alpha=32)", 1),
    "NormSoftmax()": ("NormalizedSoftmaxLoss(num_classes=C, embedding_size=D, temperature=0.05)", 1),
    "CosFace(margin=0.35, scale=64.0)": ("CosFaceLoss(num_classes=C, embedding_size=D, margin=0.35, scale=64)", 1),
    "ArcFace(margin=0.5, scale=64.0)": (
        f"ArcFaceLoss(num_classes=C, embedding_size=D, margin={math.degrees(0.5)}, scale=64)",
        1,
    ),
}


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
        q.data.copy_(p.data if p.shape == q.shape else p.data.T)
    return a, b


def main():
    z, y = batch()
    print("| ours | the peer's | value | relative difference | of the gradient |\n|---|---|---|---|---|")
    wrong = []
    for text, (theirs, factor) in SAME.items():
        a, b = pair(text, theirs)
        (value, grad), (other, other_grad) = run(a, z, y), run(b, z, y)
        apart = abs(value / (other * factor) - 1)
        slope = float((grad - factor * other_grad).norm() / grad.norm())
        print(
            f"| `{text}` | `{theirs}`{'' if factor == 1 else f' × {factor}'} | {value:.6f} | {apart:.0e} | {slope:.0e} |"
        )
        if max(apart, slope) > 1e-6:
            wrong.append(text)
    print()
    if wrong:
        sys.exit(f"These do not agree to 1e-6: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
