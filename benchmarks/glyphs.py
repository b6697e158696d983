"""Every loss on the embedded letters with the same net, batches and budget; and each method beside its ablated twin.

    python benchmarks/glyphs.py [--steps 200] [--seeds 2] [--only SupCon] [--twins] [--jobs 2]

Trained on Latin, measured on Cyrillic, Armenian and Georgian. Learning rates are the defaults, not searched for each: this
shows that every loss trains, and whether a part of it helps here, not which loss is best.
"""

import argparse
import dataclasses
import multiprocessing
import statistics
import tempfile
import unicodedata
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch

import isometry
from isometry.catalogue import entries
from isometry.data import read
from isometry.term import Term


class Method(NamedTuple):
    """A loss, and what it is trained with where that is not what all others have."""

    loss: str
    sampler: str = ""
    trunk: str = ""
    pool: str = ""
    head: str = ""
    similarity: str = ""
    """What is measured by, and not what is trained by: `hamming` counts differing signs."""

    @property
    def settings(self):
        """Those of `isometry.train`."""
        return {name: text for name, text in self._asdict().items() if text}

    def __str__(self):
        return ", ".join(text if name == "loss" else f"{name} {text}" for name, text in self.marked().items())

    def marked(self):
        """The settings as code in Markdown."""
        return {name: f"`{text}`" for name, text in self.settings.items()}


SNR = "Contrastive(similarity=SNR(), positive=0.0, negative=-1.0)"
DISTANCES = "Contrastive(similarity=squared_euclidean, positive=0.0, negative=-1.0)"
TREE = "LogRatio(relate=label_tree, nearest=0.1)"
LOSSES = [  # a method of the reading list, and the same without what it claims to add
    ("MultiSimilarity()", "MultiSimilarity(miner=all_pairs)"),
    ("Triplet(select=SemiHard())", "Triplet()"),
    ("Contrastive() + 1.0 * Contrastive(reference=Memory(size=2048, start=50))", "Contrastive()"),
    ("Contrastive() + 0.1 * KoLeo()", "Contrastive()"),
    (f"{SNR} + 0.005 * ZeroMean()", DISTANCES),
    ("RankedList()", "RankedList(temperature=0.0)"),
    ("RankedListSimple()", "RankedList(margin=1.2)"),
    ("GeneralPairWeighting()", "GeneralPairWeighting(weigh=BinomialDevianceWeights())"),
    ("SoftTriple()", "CosFace(scale=20.0, margin=0.01)"),
    ("FastAP()", "Histogram()"),
    ("PrecisionAtK()", "PrecisionAtK(margin=0.0)"),
    ("PrecisionAtK()", "PrecisionAtK(k=1)"),
    ("Circle()", "NTXent(temperature=0.0125)"),  # γ = 80 likewise; no pace, no margin, one positive at a time
    (TREE, "Triplet()"),
    ("Discriminative()", "Triplet(similarity=chord)"),
    ("DAMLRRM()", "Triplet()"),
    ("Margin()", "Margin(miner=all_pairs)"),
    ("Margin(miner=RhoSwitch(probability=0.35, miner=DistanceWeightedMiner()))", "Margin()"),
    ("InvariantSpread()", "InvariantSpread(spread_weight=0.0)"),
    ("NonIsotropy()", "ProxyAnchor()"),
    ("NonIsotropy(exponential=False)", "ProxyAnchor()"),
    ("PotentialField()", "PotentialField(reference=batch)"),
    ("MultiSimilarity() + 0.4 * MultiSimilarity(reference=Metrix(), miner=all_pairs)", "MultiSimilarity()"),
]
BRANCHES, DEPTHS, WIDE = "EachBranch(loss=RankedList())", "Levels(parts=(64, 128, 128), dim=126)", "Linear(dim=126)"
LEVELS = Method(BRANCHES, trunk="ConvNet(levels=3)", pool="Average()", head=DEPTHS)
HARD = "Triplet() + NormSoftmax()"  # whose proxies are the signatures
PRODUCTS = Method("FastAP()", sampler="CategoryBatches(batch_size=128, batches_per_pair=1)")
SIGNS = Method("Triplet(similarity=SNR())", head="Linear(dim=48)", similarity="hamming")
SETTINGS = [  # twins in more than their loss
    (LEVELS, Method("RankedList()", pool="Average()", head=WIDE)),
    (LEVELS, LEVELS._replace(loss="RankedList()", head=WIDE)),
    (Method(HARD, sampler="HardClasses(anchors=8, hard=3, instances=4)"), Method(HARD)),
    (PRODUCTS, Method("FastAP()")),
    (PRODUCTS, Method("FastAP()", sampler="ClassesTimesInstances(classes=10, instances=13)")),
    (SIGNS._replace(loss=f"{SIGNS.loss} + 0.01 * Quantisation()"), SIGNS),
    (SIGNS._replace(loss=f"{SIGNS.loss} + 0.001 * Quantisation()"), SIGNS),
    (SIGNS, SIGNS._replace(loss="Triplet()")),
]
TWINS = [(Method(loss), Method(twin)) for loss, twin in LOSSES] + SETTINGS
ANOTHER = {  # what class labels alone do not serve
    "LogRatio()": TREE,
    "HAPPIER()": "HAPPIER(relate=label_tree)",
    "RelationalDistillation()": "",
    "SimilarityDistillation()": "",
    "S2SD()": "",
    "EachBranch()": "",
    "Both()": "",
}
METRICS = ("Recall(k=1)", "MAPAtR()")


def chosen(only, twins):
    """Every loss in its default form (where class labels serve it), then methods and twins; and the pairs among them."""
    pairs = [pair for pair in TWINS if any(only in str(method) for method in pair)]
    found = [
        f"{name}()" for name, thing in entries("losses").items() if isinstance(thing, type) and issubclass(thing, Term)
    ]
    found = [Method(ANOTHER.get(text, text)) for text in found if ANOTHER.get(text, text) and only in text]
    return list(dict.fromkeys([*([] if twins else found), *(method for pair in pairs for method in pair)])), pairs


def letters(least=64):
    """The letters in categories: by what their accents stand on, Ä with A. Those of fewer pictures than `least` are one together.

    All that is trained on is Latin, so that scripts are no categories to choose from.
    """
    data = read("glyphs")
    bare = [unicodedata.normalize("NFKD", letter)[0].lower() for letter in data.classes]
    names = sorted(set(bare))
    root = torch.tensor([names.index(letter) for letter in bare])[data.labels]
    root[root.bincount()[root] < least] = len(names)
    return dataclasses.replace(data, hierarchy=torch.stack([root, data.labels], 1), levels=("letter", "class"))


def trained(method, steps, seed):
    """R@1 and MAP@R on unseen scripts."""
    data = letters() if method.sampler.startswith("CategoryBatches") else "glyphs"
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "budget": f"{steps} steps",
            "validate": steps,
            "tracker": "none",
            "metrics": ", ".join(METRICS),
            **method.settings,
        }
        run = isometry.train(data, out=Path(folder) / "run", seed=seed, report=False, **settings)
    return {name: result["value"] for name, result in run.metrics["test"].items()}


def ranged(values, form=".3f"):
    """Their mean, and from where to where several go."""
    ends = f" ({min(values):{form}} – {max(values):{form}})" if len(values) > 1 else ""
    return f"{statistics.mean(values):{form}}{ends}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default="", help="part of a method's text; its twins come with it")
    parser.add_argument("--twins", action="store_true", help="only what stands in the second table")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, each on its share of the processors")
    given = parser.parse_args()
    methods, pairs = chosen(given.only, given.twins)
    threads = max(1, torch.get_num_threads() // given.jobs)
    spawn = multiprocessing.get_context("spawn")
    print(f"{given.steps} steps, mean of {given.seeds} seeds (range)\n\n| loss | R@1 | MAP@R |\n|---|---|---|")
    found = {}
    with ProcessPoolExecutor(given.jobs, spawn, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        jobs = {m: [pool.submit(trained, m, given.steps, seed) for seed in range(given.seeds)] for m in methods}
        for method, started in jobs.items():
            runs = [job.result() for job in started]
            found[method] = [run["MAPAtR()"] for run in runs]
            print(f"| {method} | {' | '.join(ranged([run[m] for run in runs]) for m in METRICS)} |", flush=True)
    print("\n| method | its ablated twin | MAP@R, method − twin of the same seed |\n|---|---|---|")
    for method, twin in pairs:
        ahead = [a - b for a, b in zip(found[method], found[twin], strict=True)]
        print(f"| {method} | {twin} | {ranged(ahead, '+.3f')} |")


if __name__ == "__main__":
    main()
