"""All-triplets and other losses beside pytorch-metric-learning: seconds and extra memory, forward and backward.

    python benchmarks/triplets.py            # B = 1,024, both libraries in turn, median of several
    python benchmarks/triplets.py --large    # also B = 65,536, ours alone, in blocks

Memory is the growth of the largest resident size in a fresh process each, after a warm-up on a small batch.
"""

import argparse
import statistics

from measure import apart, batch, once, ours, peer, where

OURS = {
    "all triplets": "Triplet(margin=0.05)",
    "contrastive": "Contrastive()",
    "multi-similarity": "MultiSimilarity(miner=all_pairs)",
    "supervised contrastive": "SupCon()",
    "proxy-anchor": "ProxyAnchor()",
}
PEERS = {
    "all triplets": "TripletMarginLoss(margin=0.1, distance=LpDistance(power=2))",  # the same triplets: D² = 2 − 2 cosine
    "contrastive": "ContrastiveLoss(pos_margin=1, neg_margin=0.5, distance=CosineSimilarity())",
    "multi-similarity": "MultiSimilarityLoss(alpha=2, beta=40, base=0.5)",
    "supervised contrastive": "SupConLoss(temperature=0.07)",
    "proxy-anchor": "ProxyAnchorLoss(num_classes=C, embedding_size=D)",
}
SAME_VALUE = {"all triplets": 2.0, "contrastive": 1.0, "multi-similarity": 1.0, "supervised contrastive": 1.0}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", default="", help="a name of the table")
    given = parser.parse_args()
    z, y = batch(given.size, given.dim)
    print(f"B = {given.size:,}, D = {given.dim}, 4 a class, {where()}, median of {given.repeat}\n")
    print("| loss | isometry | pytorch-metric-learning | times faster | MB | peer's MB | times less | same value |")
    print("|---|---|---|---|---|---|---|---|")
    for name in [given.only] if given.only else OURS:
        a, b = (ours(OURS[name], given.size // 4, given.dim), peer(PEERS[name], given.size // 4, given.dim))
        once(a, z, y), once(b, z, y)
        runs = [(once(a, z, y), once(b, z, y)) for _ in range(given.repeat)]
        fast, slow = (statistics.median(run[side][0] for run in runs) for side in (0, 1))
        ratio = statistics.median(run[1][0] / run[0][0] for run in runs)
        factor = SAME_VALUE.get(name)
        same = "–" if factor is None else f"{abs(runs[0][0][1] * factor / runs[0][1][1] - 1):.0e}"
        mine = apart("ours", OURS[name], given.size, given.dim)[1]
        theirs = apart("peer", PEERS[name], given.size, given.dim)[1]
        less = theirs / max(mine, 0.1)
        print(
            f"| {name} | {fast:.4f} s | {slow:.4f} s | {ratio:.1f} | {mine:.0f} | {theirs:.0f} | {less:.1f} | {same} |",
            flush=True,
        )
    if given.large:
        seconds, extra = apart("ours", OURS["all triplets"], 65_536, given.dim, limit=1200)
        print(f"\nall triplets, B = 65,536, in blocks: {seconds:.1f} s, {extra:,.0f} MB extra")


if __name__ == "__main__":
    main()
