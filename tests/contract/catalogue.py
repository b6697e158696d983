"""What the contract tests run over: every exported loss and regulariser, in its default form and some others."""

import torch

import isometry
from isometry import losses, regularisers
from isometry.term import Term
from tests.oracles import CONTINUOUS, LABEL_FREE, ORACLES, STEPWISE, VARIANTS

__all__ = ["CONTINUOUS", "LABEL_FREE", "ORACLES", "STEPWISE"]
CLASSES, DIM = 6, 5


def default_texts():
    """`Name()` of every exported Term that needs no more than embeddings: a new file is picked up by itself."""
    for package in (losses, regularisers):
        for name in package.__all__:
            thing = getattr(package, name)
            special = getattr(thing, "reads_model", False) or getattr(
                thing, "ordered", False
            )  # these have tests of their own
            if isinstance(thing, type) and issubclass(thing, Term) and not special:
                yield f"{name}()"


TEXTS = tuple(dict.fromkeys((*default_texts(), *ORACLES, *VARIANTS)))
ORDERED = ("OneAnchor()", "OneAnchor(loss=Triplet())")
"""Terms to which the order of the batch says something: the same compiled, over ranks and from cached embeddings."""


def build(text, dtype=torch.float64, seed=0):
    torch.manual_seed(seed)
    return isometry.parse(text, num_classes=CLASSES, dim=DIM).to(dtype)


def batch(text, n=18, dtype=torch.float64, seed=1):
    """Embeddings, labels and ids: classes of unequal size, one of a single item."""
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(n, DIM, generator=g, dtype=torch.float64).to(dtype)
    if text in CONTINUOUS:
        return z, torch.randn(n, generator=g, dtype=torch.float64).to(dtype), torch.arange(n)
    y = torch.cat([torch.tensor([CLASSES - 1]), torch.arange(n - 1) % (CLASSES - 1)])
    return z, y[torch.randperm(n, generator=g)], torch.arange(n)


def value_and_gradient(loss, z, y, **roles):
    """The loss and its gradients with respect to z and to every parameter."""
    z = z.detach().clone().requires_grad_()
    loss.zero_grad()
    value = loss(z, y, **roles)
    value.backward()
    grads = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in loss.parameters()]
    return value.detach(), z.grad, grads


def agree(a, b, **tolerance):
    """Two (value, gradient, parameter gradients) are the same."""
    tolerance = {"rtol": 1e-9, "atol": 1e-11, **tolerance}
    torch.testing.assert_close(a[0], b[0], **tolerance)
    torch.testing.assert_close(a[1], b[1], **tolerance)
    for p, q in zip(a[2], b[2], strict=True):
        torch.testing.assert_close(p, q, **tolerance)
