"""Every loss beside pytorch-metric-learning: seconds and extra memory of forward and backward.

    python benchmarks/losses.py                          # the peer beside us, B = 512, 1,024 and 2,048
    python benchmarks/losses.py --table times            # seconds alone, and B = 128 as well; of losses with a quick peer
    python benchmarks/losses.py --budget "256 KB"        # the same, ours within a memory budget
    python benchmarks/losses.py --table miners           # losses with their miners, beside the peer's loss and miner
    python benchmarks/losses.py --table roofline         # each loss over the least that it could cost
    python benchmarks/losses.py --table blocks           # B = 32,768 (and 131,072 for NT-Xent), in blocks
    python benchmarks/losses.py --table memory           # a memory of 65,536 references with every loss, B = 128

D = 128, 4 a class. Up to B = 2,048 both run in this process in turn, and the median is told; where the peer needs more than
`--limit` seconds or 14 GB it is left out. Memory is the growth of a fresh process.
"""

import argparse
import math
import statistics
import time

import torch
from measure import apart, batch, once, ours, peer, where, within

from isometry.embedded import wrap

DIM = 128
PAIRS = {  # ours: the peer's form that follows the same paper, with the same regulariser or none
    "Contrastive()": "ContrastiveLoss(pos_margin=1, neg_margin=0.5, distance=CosineSimilarity())",
    "Contrastive(similarity=SNR(), positive=0.0, negative=-1.0)": "SignalToNoiseRatioContrastiveLoss()",
    "Triplet()": "TripletMarginLoss(margin=0.2, distance=LpDistance(power=2))",
    "MultiSimilarity(miner=all_pairs)": "MultiSimilarityLoss(alpha=2, beta=40, base=0.5)",
    "Circle()": "CircleLoss()",
    "SupCon()": "SupConLoss(temperature=0.07)",
    "NTXent()": "NTXentLoss(temperature=0.07)",
    "LiftedStructure()": "LiftedStructureLoss()",
    "TupletMargin()": "TupletMarginLoss()",
    "Margin()": "MarginLoss()",
    "NPair()": "NPairsLoss()",
    "one_pair(NPair())": "NPairsLoss()",  # the paper's batch, which the peer draws
    "NCA()": "NCALoss()",
    "Angular()": "AngularLoss()",
    "IntraPairVariance()": "IntraPairVarianceLoss()",
    "FastAP()": "FastAPLoss(num_bins=10)",
    "SmoothAP()": "SmoothAPLoss()",
    "PNP()": "PNPLoss()",
    "Histogram()": "HistogramLoss(n_bins=100)",
    "ProxyNCA()": "ProxyNCALoss(num_classes=C, embedding_size=D)",
    "ProxyAnchor()": "ProxyAnchorLoss(num_classes=C, embedding_size=D)",
    "NormSoftmax()": "NormalizedSoftmaxLoss(num_classes=C, embedding_size=D)",
    "CosFace()": "CosFaceLoss(num_classes=C, embedding_size=D)",
    "ArcFace()": "ArcFaceLoss(num_classes=C, embedding_size=D)",
    "SoftTriple(reference=Proxies(centres=10))": "SoftTripleLoss(num_classes=C, embedding_size=D)",
    "SoftTriple()": "SoftTripleLoss(num_classes=C, embedding_size=D, weight_reg_weight=0.2, "
    "weight_regularizer=SparseCentersRegularizer(C, 10))",
}
MINED = {  # ours, which choose within the objective or by a miner: the peer's miner before its loss
    "MultiSimilarity()": "mined(MultiSimilarityLoss(alpha=2, beta=40, base=0.5), MultiSimilarityMiner())",
    "Triplet(select=Hardest())": "mined(TripletMarginLoss(), BatchHardMiner())",
    "Triplet(select=EasyPositive())": "mined(TripletMarginLoss(), BatchEasyHardMiner('easy', 'hard'))",
    "Triplet(select=EasyPositiveSemiHard())": "mined(TripletMarginLoss(), BatchEasyHardMiner('easy', 'semihard'))",
    "Triplet(select=SemiHard())": "mined(TripletMarginLoss(margin=0.2), TripletMarginMiner(0.2, 'semihard'))",
    "Triplet(select=DistanceWeighted())": "mined(TripletMarginLoss(), DistanceWeightedMiner())",
    "Margin()": "mined(MarginLoss(), DistanceWeightedMiner())",
}
SLOW = {"NTXent()", "LiftedStructure()", "TupletMargin()", "SmoothAP()", "PNP()", "Histogram()", "Triplet()",
        "Angular()", "Margin()", "Contrastive(similarity=SNR(), positive=0.0, negative=-1.0)"}  # fmt: skip


def every():
    """The default form of every loss."""
    from isometry.catalogue import entries
    from isometry.loss import Loss

    found = entries("losses").items()
    return sorted(f"{name}()" for name, thing in found if isinstance(thing, type) and issubclass(thing, Loss))


def times(sizes, repeat, only):
    """Seconds alone, without the processes that memory is measured in; of losses whose peer is not very slow."""
    print("| loss |" + "".join(f" B = {size:,}: ours, s | peer, s | times faster |" for size in sizes))
    print("|---|" + "---|---|---|" * len(sizes))
    for text, theirs in PAIRS.items():
        if only not in text or text in SLOW:
            continue
        cells = []
        for size in sizes:
            z, y = batch(size, DIM)
            mine, other = ours(text, size // 4, DIM), peer(theirs, size // 4, DIM)
            once(mine, z, y)
            once(other, z, y)
            runs = [(once(mine, z, y)[0], once(other, z, y)[0]) for _ in range(repeat)]
            fast, slow = (statistics.median(run[side] for run in runs) for side in (0, 1))
            ratio = statistics.median(run[1] / run[0] for run in runs)
            cells.append(f" {fast:.4f} | {slow:.4f} | {ratio:.2f} |")
        print(f"| `{text}` |" + "".join(cells), flush=True)


def beside(table, sizes, repeat, limit, only, budget=""):
    print("| loss | B | isometry, s | peer, s | times faster | MB | peer's MB | times less |")
    print("|---|---|---|---|---|---|---|---|")
    for text, theirs in table.items():
        if only not in text:
            continue
        gone = False
        for size in sizes:
            z, y = batch(size, DIM)
            mine = ours(text, size // 4, DIM)
            alone = None if gone else apart("peer", theirs, size, DIM, limit=limit)
            gone = alone is None
            fresh = apart("ours", text, size, DIM, limit=limit, budget=budget)
            with within(budget):
                once(mine, z, y)
                if gone or (text in SLOW and table is PAIRS):
                    fast = statistics.median(once(mine, z, y)[0] for _ in range(repeat))
                    slow = None if gone else alone[0]
                else:
                    other = peer(theirs, size // 4, DIM)
                    once(other, z, y)
                    runs = [(once(mine, z, y)[0], once(other, z, y)[0]) for _ in range(repeat)]
                    fast, slow = (statistics.median(run[side] for run in runs) for side in (0, 1))
            shown = ["–", "–", "–", "–"] if gone else [f"{slow:.4f}", f"{slow / fast:.1f}", f"{alone[1]:.0f}",
                                                       f"{alone[1] / max(fresh[1], 1):.1f}"]  # fmt: skip
            print(
                f"| `{text}` | {size:,} | {fast:.4f} | {shown[0]} | {shown[1]} | {fresh[1]:.0f} | {shown[2]} | {shown[3]} |",
                flush=True,
            )


def least(z, m=None):
    """Seconds of the product forward and backward, and of one exponential pass forward and backward."""
    r = z if m is None else torch.randn(m, z.shape[1])
    z.grad = None
    start = time.perf_counter()
    (z @ r.T).exp().sum().backward()
    return time.perf_counter() - start


def pairs(loss, z, y):
    """How many pairs a loss looks at; proxies of several centres count with each."""
    return math.prod(side.z.shape[:-1].numel() for side in loss.sides(wrap(z), y, None, None, None, None))


def roofline(sizes, repeat, only):
    print("| loss | " + " | ".join(f"× product and exponential, B = {n:,} | matrices, B = {n:,}" for n in sizes) + " |")
    print("|---|" + "---|---|" * len(sizes))
    for text in every():
        if only not in text:
            continue
        cells = []
        for size in sizes:
            z, y = batch(size, DIM)
            with torch.no_grad():
                z /= z.norm(dim=1, keepdim=True)
            loss = ours(text, size // 4, DIM)
            once(loss, z, y), least(z)
            cols = pairs(loss, z, y) // size
            runs = [(once(loss, z, y)[0], least(z, cols)) for _ in range(repeat)]
            matrix = size * cols * 4 / 2**20
            cells += [
                f"{statistics.median(a / b for a, b in runs):.1f}",
                f"{apart('ours', text, size, DIM)[1] / matrix:.1f}",
            ]
        print(f"| `{text}` | {' | '.join(cells)} |", flush=True)


def blocks(sizes, only, limit):
    print("| loss | B | seconds | MB |\n|---|---|---|---|")
    cut = [text for text in every() if not ours(text, 8, DIM).whole]  # the others want to see all rows at once
    jobs = [(text, size) for text in cut for size in sizes or [32_768]]
    jobs += [] if sizes else [("NTXent()", size) for size in (8_192, 16_384, 65_536, 131_072)]
    for text, size in jobs:
        if only in text:
            found = apart("ours", text, size, DIM, limit=limit)
            shown = f"over {limit:.0f} | –" if found is None else f"{found[0]:.1f} | {found[1]:,.0f}"
            print(f"| `{text}` | {size:,} | {shown} |", flush=True)


def memory(only):
    print("| loss with a memory of 65,536, B = 128 | seconds | MB |\n|---|---|---|")
    for text in every():
        loss = ours(text, 32, DIM)
        if only not in text or any(True for _ in loss.parameters()) or loss.whole or loss.by_columns:
            continue
        found = apart("ours", f"{text[:-1]}reference=Memory(size=65536))", 128, DIM, memory=65_536, limit=100)
        print(f"| `{text}` | {found[0]:.3f} | {found[1]:.0f} |" if found else f"| `{text}` | – | – |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--table", choices=("beside", "times", "miners", "roofline", "blocks", "memory"), default="beside"
    )
    parser.add_argument("--sizes", default="", help="such as 512,1024")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--limit", type=float, default=100.0)
    parser.add_argument("--only", default="", help="part of a loss's text")
    parser.add_argument("--budget", default="", help="of ours beside the peer, such as 256 KB")
    given = parser.parse_args()
    sizes = [int(n) for n in given.sizes.split(",") if n]
    print(f"D = {DIM}, 4 a class, {where()}, median of {given.repeat}\n")
    if given.table == "beside":
        beside(PAIRS, sizes or [512, 1024, 2048], given.repeat, given.limit, given.only, given.budget)
    elif given.table == "times":
        times(sizes or [128, 512, 1024, 2048], given.repeat, given.only)
    elif given.table == "miners":
        beside(MINED, sizes or [128, 512, 1024, 2048], given.repeat, given.limit, given.only)
    elif given.table == "roofline":
        roofline(sizes or [2048, 8192], given.repeat, given.only)
    elif given.table == "blocks":
        blocks(sizes, given.only, max(given.limit, 100.0))
    else:
        memory(given.only)


if __name__ == "__main__":
    main()
