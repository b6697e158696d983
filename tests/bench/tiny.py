"""A study of a few seconds: a head on the features of an untrained trunk, on scikit-learn's digits."""

import dataclasses
import json

from PIL import Image

from isometry.bench.runner import plain
from tests.small import digits

RECIPE = """
name = "tiny"
metrics = "Recall(k=1), MAPAtR()"
[data]
source = "pictures"
[folds]
count = 2
searched = 1
[model]
trunk = "ConvNet(widths=(8, 16), size=8)"
pool = "Flatten()"
head = "Linear(dim=8)"
frozen = true
[train]
sampler = "ClassesTimesInstances(classes=4, instances=2)"
budget = "BUDGET steps"
validations = 2
[search]
trials = 3
round = 2
[final]
seeds = 2
[[methods]]
loss = "Contrastive()"
[[methods]]
loss = "NormSoftmax()"
"""
PLANNED = 2 * (3 + 2 * 2)
NOT_RESULTS = ("seconds", "wall", "cost", "dearer", "command")


def write(root, budget=4):
    """Pictures (digits and their negatives, in twenty classes) and a recipe in `root`; returns the recipe's path."""
    for n, (image, label) in enumerate(zip(*digits(per_class=6), strict=True)):
        place = root / "pictures" / f"class_{label:02d}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{n}.png")
    path = root / "tiny.toml"
    path.write_text(RECIPE.replace("BUDGET", str(budget)))
    return path


def results(found):
    """Findings without what differs from run to run: times, and the command."""
    if isinstance(found, dict):
        return {key: results(value) for key, value in found.items() if key not in NOT_RESULTS}
    return [results(value) for value in found] if isinstance(found, list) else found


def results_of(findings):
    return results(plain(dataclasses.asdict(findings)))


def results_in(out):
    return results(json.loads((out / "findings.json").read_text()))


__all__ = ["PLANNED", "results_in", "results_of", "write"]
