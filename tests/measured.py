"""Folders as `isometry train` and `evaluate --out` leave them, without training: embeddings are given."""

import dataclasses
import json

import numpy as np
import torch

from isometry.config import Config
from isometry.data import read
from isometry.evaluation import Embeddings, measure
from isometry.fingerprint import Protocol, content
from isometry.queries import Measured, write_queries
from isometry.run import METRICS, as_json

TEXTS = "Recall(k=1), MAPAtR()"


def pictures(classes=24, each=6, seed=0, name="data"):
    """Data of tiny grey pictures."""
    images = np.random.default_rng(seed).integers(0, 255, (classes * each, 4, 4), dtype=np.uint8)
    return dataclasses.replace(read((images, np.repeat(np.arange(classes), each))), name=name)


def embedded(data, noise, seed=0):
    """Embeddings about one centre a class."""
    random = torch.Generator().manual_seed(seed)
    centres = torch.randn(len(data.classes), 8, generator=random)
    return Embeddings(centres[data.labels] + noise * torch.randn(len(data), 8, generator=random), data)


def protocol(data, metrics, **changed):
    """How it was measured."""
    n = len(data)
    values = {
        "data": data.name,
        "part": "test",
        "images": n,
        "classes": len(data.present()),
        "content": content(data),
        "split": "the last half",
        "preprocessing": "Same()",
        "size": "4 × 4",
        "queries": n,
        "gallery": n,
        "metrics": tuple(metrics),
    }
    return Protocol(**{**values, **changed})


def folder(place, data=None, *, noise=1.0, seed=0, loss="SupCon()", metrics=TEXTS, known=True, whole=(), **changed):
    """Writes one. The metrics named in `whole` lose their values per query, as if they were statistics."""
    test = embedded(pictures() if data is None else data, noise, seed)
    results = measure(test, metrics)
    for text in whole:
        results[text] = dataclasses.replace(results[text], per_query=torch.empty(0))
    how = protocol(test.data, results, **changed)
    place.mkdir(parents=True)
    write_queries(place, [Measured(test, results, part=how.part)], how)
    found = {
        "test": as_json(results),
        "fingerprint": how.fingerprint(),
        "protocol": how.as_json(),
        "settings": dataclasses.asdict(Config(loss=loss, seed=seed)) if known else None,
    }
    (place / METRICS).write_text(json.dumps(found))
    return place
