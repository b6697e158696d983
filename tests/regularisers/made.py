"""Heads and features that the tests of regularisers share."""

import torch
from torch import nn

import isometry
from isometry.bench.heads import Top
from isometry.regularisers import Determinant

F64 = torch.float64
FLOW, PLAIN = "RealNVP(dim=6)", ("Linear(dim=6)", "MLP(dim=6, hidden=(80,))")
VOLUMES = ("LogDet()", "Det()", "Spherical()", "Conditioned()", "Frobenius()", "LargestStretch()", "SpectralNorm()")


def top(head=FLOW, features=9, seed=0, start=False):
    """A head with weights as training leaves them, or as it starts."""
    torch.manual_seed(seed)
    made = Top(isometry.parse(head, in_features=features)).double()
    if not start and hasattr(made.head, "first"):
        for p in made.head.parameters():
            nn.init.normal_(p, std=0.4)
    return made


def features(n=12, p=9, seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, p, generator=g, dtype=F64), torch.arange(n) // 3, torch.arange(n)


def value(made, h, y, ids, **settings):
    """R averaged over the points."""
    return Determinant(floor=None, **settings)(made(h), y, ids=ids)
