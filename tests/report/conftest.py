"""Records to render: a small one with everything, to be changed where a test wants it otherwise."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from isometry.report import Items, Record


def nearest(queries, gallery, k, alone):
    sim = queries.unit(slice(None)) @ gallery.unit(slice(None)).T
    if alone:
        sim.fill_diagonal_(-torch.inf)
    found = sim.topk(min(k, len(gallery) - alone), dim=1)
    return {"neighbours": found.indices, "similarities": found.values}


def pictures(n, height=20, width=20, channels=3, seed=0):
    shape = (n, height, width, channels) if channels else (n, height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8).__getitem__


def result(value):
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


def log():
    rows = [{"step": step, "loss": 2.0 / step + 0.25, "images_per_second": 900.0} for step in range(1, 101)]
    values = {20: 0.31, 40: 0.47, 60: 0.62, 80: 0.58, 100: 0.55}
    return rows + [{"step": s, "validation": {"MAPAtR()": v, "Recall(k=1)": v + 0.2}} for s, v in values.items()]


def record_of(z, labels, classes, k=10, **changes):
    """A leave-one-out record of these embeddings, with pictures of noise."""
    items = Items(z=z, labels=labels, thumbnail=pictures(len(labels)))
    fields = {
        "title": "a test",
        "summary": "A net trained on noise.",
        "metrics": {"test": {"Recall(k=1)": result(0.876), "MAPAtR()": result(0.543)}},
        "classes": classes,
        "queries": items,
        "per_query": torch.rand(len(labels), generator=torch.Generator().manual_seed(3)),
        **nearest(items, items, k, alone=True),
    }
    return Record(**{**fields, **changes})


@pytest.fixture
def record():
    """Sixty items of six classes in two groups, with baselines, a validation part and a log; class names to be escaped."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 6
    z = torch.randn(6, 16, generator=draw)[labels] + 0.8 * torch.randn(60, 16, generator=draw)
    classes = ["ash", "beech", '<b>cedar</b> & "co"', "дуб", "elm", "fir" * 80]
    base = record_of(z, labels, classes)
    per_query = base.per_query.clone()
    per_query[7] = math.nan
    return dataclasses.replace(
        base,
        queries=dataclasses.replace(base.queries, groups=labels // 3),
        group_names=["light", "dark"],
        per_query=per_query,
        metrics={
            "test": {"Recall(k=1)": result(0.876), "MAPAtR()": result(0.543), "Precision(k=5)": 0.7},
            "validation": {"Recall(k=1)": result(0.9), "MAPAtR()": result(0.6)},
            "baselines": {"raw pixels": {"Recall(k=1)": result(0.41), "MAPAtR()": result(0.12)}},
            "fingerprint": "c0ffee1234",
            "seconds": 75.0,
        },
        settings={"loss": "MultiSimilarity(alpha=2.0)", "trunk": "ConvNet()"},
        log=log(),
        version="0.1.0",
    )
