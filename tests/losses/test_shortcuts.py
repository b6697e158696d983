"""Shortcuts of the engine and of losses: the same value and gradient as the way round."""

import sys

import pytest
import torch
import torch.nn.functional as F

import isometry
from isometry import engine
from isometry.blocks import halves
from isometry.losses import Contrastive, NTXent, ThresholdConsistentMargin
from isometry.ops import masked
from isometry.relations import same_class

PROXIES = ["NormSoftmax()", "CosFace()", "ArcFace()", "SphereFace()", "SubCenterArcFace()", "SoftTriple()", "ProxyNCA()",
           "ProxyNCAPlusPlus()"]  # fmt: skip


def clustered(n=300, classes=60, dim=16):
    g = torch.Generator().manual_seed(1)
    y = torch.randint(classes, (n,), generator=g)
    centres = torch.randn(classes, dim, generator=g, dtype=torch.float64)
    return centres[y] + torch.randn(n, dim, generator=g, dtype=torch.float64), y


def value_and_gradient(loss, z, y, **roles):
    z = z.clone().requires_grad_()
    value = loss(z, y, **roles)
    value.backward()
    return value.detach(), z.grad


@pytest.mark.parametrize("n", [1, 7, 40])
@pytest.mark.parametrize("area", [1, 30, 160, 2000])
def test_halves_look_at_each_pair_once_or_twice(n, area):
    seen = torch.zeros(n, n)
    for rows, cols, times in halves(n, area):
        seen[rows, cols] += times
    off = ~torch.eye(n, dtype=torch.bool)
    assert (seen.diagonal() == 1).all()
    assert ((seen + seen.T)[off] == 2).all()


@pytest.mark.parametrize("loss", [Contrastive(), Contrastive(negative=-0.2, power=2.0), ThresholdConsistentMargin()])
def test_a_symmetric_loss_by_halves(loss, monkeypatch):
    z, y = clustered()
    y[5] = -1
    expected = value_and_gradient(loss, z, y)
    asked = []
    monkeypatch.setattr(engine, "halves", lambda *given: asked.append(given) or halves(*given))
    with engine.memory_budget("20 KB"):
        found = value_and_gradient(loss, z, y)
    assert asked, "the halves were not taken"
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("case", ["similarity", "miner", "weight", "against", "rows"])
def test_halves_are_not_taken_where_rows_and_columns_differ(case, monkeypatch):
    z, y = clustered()
    loss = Contrastive()
    roles = {}
    if case == "similarity":
        loss = isometry.parse("Contrastive(similarity=SNR(), positive=0.0, negative=-1.0)")
    elif case == "miner":
        loss = isometry.parse("Contrastive(miner=MultiSimilarityMiner())")
    elif case == "weight":
        roles = {"weight": torch.rand(len(z), dtype=torch.float64)}
    elif case == "against":
        roles = {"against": (z.clone(), (y + 1) % 60)}
    else:
        roles = {"rows": slice(0, 150)}
    monkeypatch.setattr(engine, "halves", lambda *_: pytest.fail("rows and columns differ"))
    expected = value_and_gradient(loss, z, y, **roles)
    with engine.memory_budget("20 KB"):
        found = value_and_gradient(loss, z, y, **roles)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("text", PROXIES)
def test_an_own_class_looked_up_is_one_found_by_a_mask(text, monkeypatch):
    z, y = clustered(classes=9)
    torch.manual_seed(0)
    loss = isometry.parse(text, num_classes=9, dim=16).double()
    assert same_class(y, torch.arange(9)).own is not None
    expected = value_and_gradient(loss, z, y)
    monkeypatch.setattr(sys.modules["isometry.relations.same_class"], "_own", lambda *_: None)
    torch.testing.assert_close(value_and_gradient(loss, z, y), expected)


@pytest.mark.parametrize("text", PROXIES)
def test_a_row_of_unknown_class_is_left_out(text):
    z, y = clustered(classes=9)
    torch.manual_seed(0)
    loss = isometry.parse(text, num_classes=9, dim=16).double()
    expected = value_and_gradient(loss, z[1:], y[1:])
    y[0] = -1
    assert same_class(y, torch.arange(9)).own is None
    z = z.requires_grad_()
    value = loss(z, y)
    (gradient,) = torch.autograd.grad(value, z)
    torch.testing.assert_close((value.detach(), gradient[1:]), expected)
    assert not gradient[0].any()


@pytest.mark.parametrize(
    "cols", [torch.tensor([0, 2, 1, 3]), torch.tensor([0, 1, 1, 3]), torch.arange(1, 5), torch.arange(4)[:1]]
)
def test_only_classes_in_order_are_looked_up(cols):
    assert same_class(torch.tensor([0, 0]), cols).own is None


def test_other_columns_than_the_own_one():
    x, own = torch.randn(5, 4, dtype=torch.float64), torch.tensor([0, 3, 3, 1, 2])
    mask = ~F.one_hot(own, 4).bool()
    over = torch.randn(5, dtype=torch.float64)
    several: tuple[dict, ...] = (
        {},
        {"plus_one": True},
        {"plus_one": True, "over": over, "scale": 7.0},
        {"scale": 64.0},
    )
    for how in several:
        a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
        one, other = masked.log_sum_exp(a, own, **how), masked.log_sum_exp(b, mask, **how)
        torch.testing.assert_close(one, other)
        one.sum().backward()
        other.sum().backward()
        torch.testing.assert_close(a.grad, b.grad)


def test_few_positives_are_gathered(monkeypatch):
    z, y = clustered()
    expected = value_and_gradient(NTXent(), z, y)
    monkeypatch.setattr(masked, "FEW", 10**9)  # then none are few
    torch.testing.assert_close(value_and_gradient(NTXent(), z, y), expected)
    x, level = torch.randn(3, 40, dtype=torch.float64, requires_grad=True), torch.zeros(3, dtype=torch.float64)
    weight = torch.zeros(3, 40, dtype=torch.bool)
    weight[0, :2] = weight[2, 5] = True
    monkeypatch.setattr(masked, "FEW", 16)
    torch.autograd.gradcheck(lambda x, level: masked.softplus_below(x, level, weight), (x, level.requires_grad_()))
