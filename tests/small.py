"""A small real task for the tests: scikit-learn's digits in 20 made-up classes (digit and half of its images)."""

import numpy as np
import torch
from sklearn.datasets import load_digits

SETTINGS = {
    "trunk": "ConvNet(widths=(8, 16), size=8)",
    "head": "Linear(dim=8)",
    "sampler": "ClassesTimesInstances(classes=5, instances=4)",
    "augment": "Same()",
    "budget": "12 steps",
    "validate": 4,
    "tracker": "none",
    "metrics": "Recall(k=1), MAPAtR()",
    "ema": 0.9,
    "lr": 3e-3,
}

COLOUR = {
    **SETTINGS,
    "trunk": "ConvNet(widths=(8, 16), channels=3, size=24)",
    "transform": "CentreCrop(size=24, resize=24)",
    "augment": "CentreCrop(size=24, resize=24)",
    "sampler": "ClassesTimesInstances(classes=2, instances=2)",
    "budget": "4 steps",
    "workers": 0,
}


def digits(per_class=30):
    """Images uint8 `[n 8 8]` and labels: ten digits, each upright and as its negative, as twenty classes."""
    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8) * 15).astype(np.uint8)
    chosen = np.concatenate([np.flatnonzero(labels == c)[:per_class] for c in range(10)])
    images, labels = images[chosen], labels[chosen]
    return np.concatenate([images, 255 - images]), np.concatenate([labels, labels + 10])


def folder(root, classes=6, each=4, side=24, seed=0):
    """A folder of tiny photographs: a colour and a stripe pattern make the class, with noise."""
    from PIL import Image

    g = np.random.default_rng(seed)
    for c in range(classes):
        place = root / f"class_{c}"
        place.mkdir(parents=True)
        base = g.integers(0, 255, 3)
        for i in range(each):
            picture = np.clip(base + g.normal(0, 25, (side, side, 3)), 0, 255).astype(np.uint8)
            picture[:: c + 2] //= 2
            Image.fromarray(picture).save(place / f"{i}.png")
    return root


def spots(root, n=64, side=16, seed=0):
    """A table of pictures with a bright spot each, and where it is: columns path, x0, y0 (whole pixels), age."""
    from PIL import Image

    g = np.random.default_rng(seed)
    rows = ["path,x0,y0,age"]
    root.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        x, y = g.integers(1, side - 2, 2)
        picture = g.integers(0, 40, (side, side)).astype(np.uint8)
        picture[y - 1 : y + 2, x - 1 : x + 2] = 255
        Image.fromarray(picture).save(root / f"{i}.png")
        rows.append(f"{i}.png,{x},{y},{x + y}")
    (root / "spots.csv").write_text("\n".join(rows) + "\n")
    return root / "spots.csv"


def state_of(path):
    """The tensors of a checkpoint."""
    from isometry import checkpoint

    return checkpoint.load(path)[0]


def same(a, b):
    """Whether two sets of tensors are equal to the last bit."""
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
