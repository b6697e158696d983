"""Distances by a product are those by differences, also of what is close, equal, far off or unknown."""

import pytest
import torch

from isometry.ops import straight as module
from isometry.ops.straight import straight


def exact(a, b):
    return (a.double()[:, None] - b.double()[None]).square().sum(-1).sqrt()


def by_product(monkeypatch, a, b):
    """The distances, and whether all were taken by differences."""
    whole, real = [], module.subtracted
    monkeypatch.setattr(module, "subtracted", lambda *x: whole.append(1) or real(*x))
    return straight(a, b), bool(whole)


@pytest.mark.parametrize("many", [200, 203])
@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("width", [5, 28, 512])
def test_a_product_gives_what_differences_give(monkeypatch, width, offset, many):
    a, b = torch.randn(150, width) + offset, torch.randn(many, width) + offset
    b[:20] = a[:20]
    b[20:40] = a[20:40] + 1e-4 * torch.randn(20, width)
    found, whole = by_product(monkeypatch, a, b)
    assert not whole
    torch.testing.assert_close(found.double(), exact(a, b), rtol=4e-7, atol=0)
    assert (found.diagonal()[:20] == 0).all()


def test_far_rows_do_not_blur_near_ones(monkeypatch):
    a = torch.randn(200, 8)
    a[3] = 1e8
    found, whole = by_product(monkeypatch, a, a)
    assert whole, "beside a row so far off, all others are close: they are subtracted"
    torch.testing.assert_close(found.double(), exact(a, a), rtol=4e-7, atol=0)


def test_unknown_rows_are_unknown_and_no_others():
    a, b = torch.randn(150, 8), torch.randn(200, 8)
    a[5, 2] = b[7, 0] = torch.nan
    found = straight(a, b)
    assert torch.equal(found.isnan(), exact(a, b).isnan())
    torch.testing.assert_close(found.double(), exact(a, b), rtol=4e-7, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_what_has_a_gradient_keeps_it(dtype):
    a, b = torch.randn(150, 8, dtype=dtype, requires_grad=True), torch.randn(200, 8, dtype=dtype)
    straight(a, b).sum().backward()
    expected = ((a - b[:, None]) / (a - b[:, None]).norm(dim=-1, keepdim=True)).sum(0)
    torch.testing.assert_close(a.grad, expected.detach())


def test_double_precision_stays_double():
    a = torch.randn(150, 8, dtype=torch.float64)
    assert torch.equal(straight(a, a), module.subtracted(a, a))
