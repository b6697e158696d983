"""What the examples share: 150 Latin letters to train on, Greek ones to measure with, and a small network. All plain torch."""

import torch
from torch import nn
from torch.utils.data import TensorDataset

import isometry

CLASSES, DIM = 150, 64


def to_train() -> TensorDataset:
    """Items are (image, label 0 … 149, id). The id tells a picture from its own copy in a memory."""
    train = isometry.data.split(isometry.data.read("glyphs")).train
    labels = train.labels.unique(return_inverse=True)[1]
    few = labels < CLASSES
    return TensorDataset(train.images.tensor[few] / 255, labels[few], train.ids[few])


def network() -> nn.Module:
    """Any module that returns embeddings [n d] will do."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, stride=4, padding=2), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
        nn.Flatten(), nn.Linear(64 * 4 * 4, DIM),
    )  # fmt: skip


def rates(loss: nn.Module, lr: float) -> list[dict]:
    """Parameters of a loss, at the rate that they declare: proxies hardly learn at a network's."""
    parts = ((part, list(part.parameters(recurse=False))) for part in loss.modules())
    return [
        {"params": own, "lr": lr * getattr(part, "lr_multiple", 1), "weight_decay": 0.0} for part, own in parts if own
    ]


@torch.no_grad()
def recall(model: nn.Module) -> float:
    """Recall@1 on Greek letters, which training never saw."""
    unseen = isometry.data.split(isometry.data.read("glyphs")).validation
    z = model.eval()(unseen.images.tensor / 255)
    model.train()
    return float(isometry.evaluate(z, unseen.labels, "Recall(k=1)", samples=0)["Recall(k=1)"])
