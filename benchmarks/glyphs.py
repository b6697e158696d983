"""Every loss on the embedded letters with the same net, batches and budget; and each method beside its ablated twin.

    python benchmarks/glyphs.py [--steps 200] [--seeds 2] [--only SupCon]

Trained on Latin, measured on Cyrillic, Armenian and Georgian. Learning rates are the defaults, not searched for each: this
shows that every loss trains, and whether a part of it helps here, not which loss is best.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import isometry
from isometry.catalogue import entries
from isometry.term import Term

SNR = "Contrastive(similarity=SNR(), positive=0.0, negative=-1.0)"
TWINS = {
    "MultiSimilarity()": "MultiSimilarity(miner=all_pairs)",
    "Triplet(select=SemiHard())": "Triplet()",
    "Triplet(select=Hardest())": "Triplet()",
    "Contrastive(reference=Memory(size=2048))": "Contrastive()",
    "MultiSimilarity(similarity=SNR())": "MultiSimilarity(similarity=squared_euclidean)",
    "Contrastive() + 0.1 * KoLeo()": "Contrastive()",
    f"{SNR} + 0.005 * ZeroMean()": SNR,
}
LABEL_TREE = "LogRatio(relate=label_tree, nearest=0.1)"


def texts():
    """Every loss in its default form (log-ratio on the label tree), then methods and twins."""
    found = [
        f"{name}()" for name, thing in entries("losses").items() if isinstance(thing, type) and issubclass(thing, Term)
    ]
    found = [LABEL_TREE if text == "LogRatio()" else text for text in found]
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
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    print(f"{given.steps} steps, mean of {given.seeds} seeds (range)\n\n| loss | R@1 | MAP@R |\n|---|---|---|")
    means = {}
    for text in texts():
        if given.only in text:
            runs = [trained(text, given.steps, seed) for seed in range(given.seeds)]
            cells = []
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
