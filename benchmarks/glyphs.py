"""Every loss on the embedded letters with the same net, batches and budget; and each method beside its ablated twin.

    python benchmarks/glyphs.py [--steps 200] [--seeds 2] [--only SupCon] [--twins] [--jobs 2]

Trained on Latin, measured on Cyrillic, Armenian and Georgian. Learning rates are the defaults, not searched for each: this
shows that every loss trains, and whether a part of it helps here, not which loss is best.
"""

import argparse
import multiprocessing
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

import isometry
from isometry.catalogue import entries
from isometry.term import Term

SNR = "Contrastive(similarity=SNR(), positive=0.0, negative=-1.0)"
DISTANCES = "Contrastive(similarity=squared_euclidean, positive=0.0, negative=-1.0)"
TWINS = {  # a method of the reading list: the same without what it claims to add
    "MultiSimilarity()": "MultiSimilarity(miner=all_pairs)",
    "Triplet(select=SemiHard())": "Triplet()",
    "Contrastive() + 1.0 * Contrastive(reference=Memory(size=2048, start=50))": "Contrastive()",
    "Contrastive() + 0.1 * KoLeo()": "Contrastive()",
    f"{SNR} + 0.005 * ZeroMean()": DISTANCES,
    "RankedList()": "RankedList(temperature=0.0)",
    "RankedListSimple()": "RankedList(margin=1.2)",
    "GeneralPairWeighting()": "GeneralPairWeighting(weigh=BinomialDevianceWeights())",
    "SoftTriple()": "CosFace(scale=20.0, margin=0.01)",
    "FastAP()": "Histogram()",
    "PrecisionAtK()": "PrecisionAtK(margin=0.0)",
    "Discriminative()": "Triplet(similarity=chord)",
    "DAMLRRM()": "Triplet()",
    "Margin()": "Margin(miner=all_pairs)",
    "Margin(miner=RhoSwitch(probability=0.35, miner=DistanceWeightedMiner()))": "Margin()",
    "InvariantSpread()": "InvariantSpread(spread_weight=0.0)",
    "MultiSimilarity() + 0.4 * MultiSimilarity(reference=Metrix(), miner=all_pairs)": "MultiSimilarity()",
}
TREE = "LogRatio(relate=label_tree, nearest=0.1)"
ANOTHER = {  # what class labels alone do not serve
    "LogRatio()": TREE,
    "HAPPIER()": "HAPPIER(relate=label_tree)",
    "RelationalDistillation()": "",
    "SimilarityDistillation()": "",
    "S2SD()": "",
    "EachBranch()": "",
    "Both()": "",
}


def texts():
    """Every loss in its default form (where class labels serve it), then methods and twins."""
    found = [
        f"{name}()" for name, thing in entries("losses").items() if isinstance(thing, type) and issubclass(thing, Term)
    ]
    found = [text for text in (ANOTHER.get(text, text) for text in found) if text]
    for pair in TWINS.items():
        found += [text for text in pair if text not in found]
    return found


def trained(text, steps, seed):
    """R@1 and MAP@R on unseen scripts, untrained and trained."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "budget": f"{steps} steps",
            "validate": steps,
            "tracker": "none",
            "metrics": "Recall(k=1), MAPAtR()",
        }
        run = isometry.train("glyphs", loss=text, out=Path(folder) / "run", seed=seed, report=False, **settings)
    return {name: result["value"] for name, result in run.metrics["test"].items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default="", help="part of a loss's text")
    parser.add_argument("--twins", action="store_true", help="only what stands in the second table")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, each on its share of the processors")
    given = parser.parse_args()
    wanted = [t for t in texts() if given.only in t and (not given.twins or t in {*TWINS, *TWINS.values()})]
    threads = max(1, torch.get_num_threads() // given.jobs)
    spawn = multiprocessing.get_context("spawn")
    print(f"{given.steps} steps, mean of {given.seeds} seeds (range)\n\n| loss | R@1 | MAP@R |\n|---|---|---|")
    means = {}
    with ProcessPoolExecutor(given.jobs, spawn, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        jobs = {text: [pool.submit(trained, text, given.steps, seed) for seed in range(given.seeds)] for text in wanted}
        for text, started in jobs.items():
            runs, cells = [job.result() for job in started], []
            for metric in ("Recall(k=1)", "MAPAtR()"):
                values = [run[metric] for run in runs]
                means[text, metric] = statistics.mean(values)
                cells.append(f"{statistics.mean(values):.3f} ({min(values):.3f} – {max(values):.3f})")
            print(f"| `{text}` | {' | '.join(cells)} |", flush=True)
    print("\n| method | its ablated twin | MAP@R, method − twin |\n|---|---|---|")
    for text, twin in TWINS.items():
        if (text, "MAPAtR()") in means and (twin, "MAPAtR()") in means:
            print(f"| `{text}` | `{twin}` | {means[text, 'MAPAtR()'] - means[twin, 'MAPAtR()']:+.3f} |")


if __name__ == "__main__":
    main()
