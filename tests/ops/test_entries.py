"""Some entries of a product, and powers of what has weight."""

import pytest
import torch

from isometry.ops import entries, masked

F64 = torch.float64


def sides(n=9, k=7, m=30):
    g = torch.Generator().manual_seed(0)
    return [torch.randn(size, m, generator=g, dtype=F64, requires_grad=True) for size in (n, k)]


@pytest.mark.parametrize("tile", [1, 64, 2**19])
@pytest.mark.parametrize("few", [0, 10**9])
def test_entries_and_their_gradients_are_those_of_the_product(monkeypatch, few, tile):
    """One place twice; a row and a column that are nowhere; in a product, and each by itself."""
    monkeypatch.setattr(entries, "FEW", few)
    monkeypatch.setattr(entries, "TILE", tile)
    a, b = sides()
    row, col = torch.tensor([0, 8, 3, 3, 0]), torch.tensor([6, 0, 2, 2, 5])
    found = entries.entries(a, b, row, col)
    torch.testing.assert_close(found, (a @ b.T)[row, col])
    weight = torch.arange(1.0, 6.0, dtype=F64)
    ours = torch.autograd.grad((found * weight).sum(), (a, b))
    for mine, theirs in zip(ours, torch.autograd.grad(((a @ b.T)[row, col] * weight).sum(), (a, b)), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_no_entries_are_none(monkeypatch):
    monkeypatch.setattr(entries, "FEW", 1)
    a, b = sides()
    none = entries.entries(a, b, torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    assert none.shape == (0,)
    assert not torch.autograd.grad(none.sum(), a)[0].any()


def test_powers_of_what_has_weight():
    x = torch.tensor([[0.5, 90.0, -0.5, -1e4]], dtype=F64, requires_grad=True)
    top = torch.tensor([1.0], dtype=F64)
    for weight in (torch.tensor([[True, False, True, True]]), torch.tensor([[2.0, 0.0, 0.5, 1.0]], dtype=F64)):
        found = masked.powers(x, top, weight, 2.0)
        torch.testing.assert_close(found, torch.tensor([[1.0, 0.0, torch.e**-2, 0.0]], dtype=F64))
        (slope,) = torch.autograd.grad(found.sum(), x)
        torch.testing.assert_close(slope, 2 * found.detach())
