"""Our own regularisers of the determinant study: their formulas as double loops, and what they leave alone."""

import math

import pytest
import torch

from isometry import heads
from isometry.embedded import Embedded
from isometry.model import Embedder
from isometry.regularisers import Anisotropy, Determinant, EvenStretch

Y = torch.arange(6) // 2


def points(n=6, d=4, p=7):
    g = torch.Generator().manual_seed(3)
    return torch.randn(n, d, generator=g, dtype=torch.float64), torch.randn(n, p, generator=g, dtype=torch.float64)


def test_even_stretch_is_its_formula():
    z, h = points()
    u = z / z.norm(dim=1, keepdim=True)
    s = {(i, j): math.log((u[i] - u[j]).norm() / (h[i] - h[j]).norm()) for i in range(6) for j in range(6) if i != j}
    typical = sum(s.values()) / len(s)
    expected = sum(max(0.0, one - typical) ** 2 for one in s.values()) / len(s)
    assert float(EvenStretch()(Embedded(z, h), Y)) == pytest.approx(expected, rel=1e-12)


def test_even_stretch_leaves_scale_and_contracted_pairs_alone():
    z, h = points()
    term = EvenStretch()
    value = term(Embedded(z, h), Y)
    assert torch.allclose(term(Embedded(5 * z, 0.1 * h), Y), value)
    u = torch.nn.functional.normalize(z, dim=1)
    turned = u.clone().requires_grad_()
    term(Embedded(turned, u), Y).backward()
    assert float(term(Embedded(u, 3 * u), Y)) == pytest.approx(0, abs=1e-12)  # an isometry but for its scale
    assert torch.allclose(turned.grad, torch.zeros_like(u), atol=1e-12)


def test_even_stretch_with_few_partners_and_with_duplicates():
    z, h = points(n=40)
    few = float(EvenStretch(partners=5)(Embedded(z, h), torch.zeros(40)))
    assert few == pytest.approx(float(EvenStretch()(Embedded(z, h), torch.zeros(40))), rel=0.5)
    twice, again = torch.cat([z, z]).requires_grad_(), torch.cat([h, h])
    value = EvenStretch()(Embedded(twice, again), torch.zeros(80))
    value.backward()
    assert torch.isfinite(twice.grad).all()
    assert float(value.detach()) > 0
    alone = EvenStretch()(Embedded(z[:1], h[:1]), torch.zeros(1))
    assert float(alone) == 0


def test_even_stretch_names_what_it_lacks():
    with pytest.raises(ValueError, match="head's input"):
        EvenStretch()(points()[0], Y)
    with pytest.raises(ValueError, match="at least one partner"):
        EvenStretch(partners=0)


def of_head(head, h, **settings):
    model = Embedder(Nothing(), Nothing(), head)
    volume = Anisotropy(**settings)
    term = Determinant(volume=volume, floor=None)
    return term(Embedded(head(h), h, model=model), torch.zeros(len(h)))


class Nothing(torch.nn.Module):
    mean, std = (0.0,), (1.0,)


def power_means(s):
    return float(s.pow(4).mean().log() / 4 - s.pow(2).mean().log() / 2)


def test_anisotropy_of_a_linear_head_is_read_off_its_singular_values():
    torch.manual_seed(0)
    head = heads.Linear(in_features=7, dim=4).double()
    expected = power_means(torch.linalg.svdvals(head.layer.weight.detach()))
    assert float(of_head(head, points()[1])) == pytest.approx(expected, rel=1e-12)
    with torch.no_grad():
        head.layer.weight.copy_(3 * torch.linalg.qr(torch.randn(7, 4, dtype=torch.float64))[0].T)
    assert float(of_head(head, points()[1])) == pytest.approx(0, abs=1e-12)


def test_anisotropy_of_another_head_is_estimated_without_much_error():
    torch.manual_seed(0)
    head, h = heads.MLP(in_features=7, dim=4, hidden=(9,)).double(), points()[1]
    jacobians = torch.stack([torch.autograd.functional.jacobian(lambda x: head(x[None])[0], row) for row in h])
    expected = sum(power_means(torch.linalg.svdvals(j)) for j in jacobians) / len(h)
    assert float(of_head(head, h, probes=2000)) == pytest.approx(expected, rel=0.03)


def test_anisotropy_can_be_trained_away():
    torch.manual_seed(0)
    head, h = heads.MLP(in_features=7, dim=4, hidden=(32,)), points()[1].float()
    before, optimizer = float(of_head(head, h)), torch.optim.Adam(head.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        of_head(head, h).backward()
        optimizer.step()
    assert float(of_head(head, h, probes=500)) < 0.5 * before
