"""Small spaces in which it is known what a re-ranking ought to find."""

import torch


def arcs(classes=12, each=30, dim=16, noise=0.1, length=2.5, seed=0):
    """Classes that are long noisy arcs on the sphere: their ends are far apart, and only what lies between joins them."""
    g = torch.Generator().manual_seed(seed)
    one, other = torch.linalg.qr(torch.randn(classes, dim, 2, generator=g))[0].unbind(2)
    t = length * torch.rand(classes, each, 1, generator=g)
    z = t.cos() * one[:, None] + t.sin() * other[:, None] + noise * torch.randn(classes, each, dim, generator=g)
    y = torch.arange(classes).repeat_interleave(each)
    return torch.nn.functional.normalize(z.flatten(0, 1), dim=1), y


def average_precision(index, y, y_q):
    """Mean over queries of the average precision of whole lists."""
    hits = (y[index.clamp_min(0)] == y_q[:, None]) & (index >= 0)
    place = torch.arange(1, index.shape[1] + 1)
    return float(((hits.cumsum(1) / place * hits).sum(1) / hits.sum(1)).mean())


def blobs(classes=40, each=8, dim=16, noise=0.25, seed=0):
    """Classes of one centre each, which overlap: no way leads from one to its own that does not pass others."""
    g = torch.Generator().manual_seed(seed)
    centre = torch.nn.functional.normalize(torch.randn(classes, 1, dim, generator=g), dim=2)
    z = centre + noise * torch.randn(classes, each, dim, generator=g)
    return torch.nn.functional.normalize(z.flatten(0, 1), dim=1), torch.arange(classes).repeat_interleave(each)
