"""A study whose trainings are invented: embeddings of known quality on a shelf, for tests of what is worked out from them."""

import hashlib

import torch

from isometry.bench.cell import Outcome
from isometry.bench.plan import planned
from isometry.bench.recipe import made
from isometry.bench.shelf import Shelf
from isometry.bench.study import Study

CLASSES, EACH, DIM = 60, 4, 8
GIVEN = {
    "name": "invented",
    "data": {"source": "arrays"},
    "metrics": "Recall(k=1), MAPAtR(), EffectiveRank()",
    "folds": {"count": 2, "searched": 1},
    "model": {
        "trunk": "ConvNet(widths=(4,), size=8)",
        "pool": "Flatten()",
        "head": f"Linear(dim={DIM})",
        "frozen": True,
    },
    "train": {"sampler": "ClassesTimesInstances(classes=4, instances=2)", "budget": "2 steps"},
    "search": {"trials": 2, "round": 2},
    "final": {"seeds": 4},
    "controls": [],
    "reference": "plain",
    "methods": [
        {"name": "plain", "loss": "Contrastive()"},
        {"name": "again", "loss": "Contrastive()", "stream": 100},
        {"name": "better", "loss": "NormSoftmax()"},
        {"name": "fails", "loss": "Triplet()"},
    ],
    "cards": [
        {"system": "B", "claim": "is better", "source": "nobody", "method": "better", "twin": "plain"},
        {"system": "F", "claim": "works", "source": "nobody", "method": "fails", "twin": "plain"},
    ],
}
NOISE = {"Contrastive()": 0.6, "NormSoftmax()": 0.35, "Triplet()": 0.6}


def opened(cache, **changed):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(CLASSES).repeat_interleave(EACH)
    images = torch.randint(0, 255, (len(y), 1, 8, 8), generator=generator, dtype=torch.uint8)
    recipe = made({**GIVEN, **changed}, "test")
    return Study.open(recipe, cache=cache, data=(images.numpy(), y.numpy()))


def noise_of(cell):
    return next(noise for loss, noise in NOISE.items() if cell.setting.loss.startswith(loss[:-2]))


def trained(study, cell):
    """Embeddings around the centres of the classes, the closer the better the method."""
    seed = int(hashlib.sha256(cell.key.encode()).hexdigest()[:8], 16)
    generator, y = torch.Generator().manual_seed(seed), study.test.labels
    centres = torch.nn.functional.normalize(
        torch.randn(CLASSES, DIM, generator=torch.Generator().manual_seed(1)), dim=1
    )
    z = centres[y] + noise_of(cell) * torch.randn(len(y), DIM, generator=generator) / DIM**0.5
    value = 1 - noise_of(cell) + seed % 100 / 1e4
    curve = ({"step": 2, "seconds": 1.0, "validation": value},)
    outcome = Outcome(
        state="done", validation={"MAPAtR()": value}, curve=curve, step=2, seconds=1.0 + noise_of(cell), parameters=7,
        environment={"torch": "2", "threads": str(1 + (cell.seed > 3))},
    )  # fmt: skip
    return outcome, {"z": z} if cell.tested else {}


def run(study, folder, *, fail=lambda cell: False, most=10**6):
    """Trains what is planned, up to `most` cells; returns shelf and plan."""
    shelf = Shelf(folder)
    plan = planned(study, shelf)
    while plan.todo and most > 0:
        for cell in plan.todo[:most]:
            bad = Outcome(state="diverged", message="The loss was nan at step 3.")
            shelf.put(cell.key, *((bad, {}) if fail(cell) else trained(study, cell)))
        most -= len(plan.todo)
        plan = planned(study, shelf)
    return shelf, plan
