"""A product whose gradient may be sparse."""

import pytest
import torch

from isometry.ops import products
from isometry.ops.products import product


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(products, "MANY", 1)


def sides():
    g = torch.Generator().manual_seed(0)
    return [torch.randn(n, 5, generator=g, dtype=torch.float64, requires_grad=True) for n in (8, 12)]


def few():
    weight = torch.zeros(8, 12, dtype=torch.float64)
    weight[2, 3], weight[2, 11], weight[7, 3] = 1.0, -2.0, 0.5
    return weight


@pytest.mark.parametrize(
    "weight", [few(), torch.zeros(8, 12, dtype=torch.float64), torch.ones(8, 12, dtype=torch.float64)]
)
def test_value_and_gradients_are_those_of_a_product(weight):
    z, r = sides()
    torch.testing.assert_close(product(z, r), z @ r.T)
    torch.testing.assert_close(
        torch.autograd.grad(product(z, r), (z, r), weight), torch.autograd.grad(z @ r.T, (z, r), weight)
    )


def test_few_entries_make_no_product(monkeypatch):
    z, r = sides()
    kept = torch.Tensor.index_add
    asked = []
    monkeypatch.setattr(torch.Tensor, "index_add", lambda *given: asked.append(given) or kept(*given))
    torch.autograd.grad(product(z, r), (z, r), few())
    assert len(asked) == 2
    torch.autograd.grad(product(z, r), (z, r), torch.ones(8, 12, dtype=torch.float64))
    assert len(asked) == 2


@pytest.mark.parametrize("weight", [few(), torch.ones(8, 12, dtype=torch.float64)])
def test_it_can_be_differentiated_twice(weight):
    z, r = sides()
    assert torch.autograd.gradgradcheck(lambda z, r: (product(z, r).square() * weight).sum(), (z, r))


def test_one_side_may_be_constant():
    z, r = sides()
    (gradient,) = torch.autograd.grad(product(z.detach(), r), r, few())
    torch.testing.assert_close(gradient, few().T @ z.detach())
