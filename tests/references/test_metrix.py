"""Mix-up of embeddings: mixtures with interpolated labels, in any loss."""

import math

import pytest
import torch
import torch.nn.functional as F

import isometry
from isometry import losses, miners, references
from isometry.samples import Samples
from tests.contract.catalogue import agree, batch, build, value_and_gradient

F64 = torch.float64
MIXED = "MultiSimilarity(reference=Metrix(), miner=all_pairs)"


def mixtures(n=18, seed=1, **settings):
    z, y, ids = batch("MultiSimilarity()", n=n, seed=seed)
    return F.normalize(z), y, references.Metrix(**settings)(Samples(z, y, ids))


def test_a_mixture_lies_between_its_parts_with_its_labels_and_shares():
    z, y, mixed = mixtures()
    n = len(z)
    share = mixed.weight[:n]
    torch.testing.assert_close(mixed.weight[n:], 1 - share)
    assert torch.equal(mixed.z[:n], mixed.z[n:])
    assert torch.equal(mixed.y[:n], y)
    rest = (mixed.z[:n] - share[:, None] * z) / (1 - share[:, None])
    partner = (rest @ z.T).argmax(1)
    torch.testing.assert_close(rest, z[partner])
    assert torch.equal(mixed.y[n:], y[partner])
    assert sorted(partner.tolist()) == list(range(n))
    assert (partner != torch.arange(n)).all()


def test_the_loss_is_that_of_interpolated_labels():
    """τ(σ⁺(Σ y ρ⁺) + σ⁻(Σ (1 − y) ρ⁻)) of multi-similarity, with y = λ [same as i] + (1 − λ) [same as j]."""
    z, y, mixed = mixtures()
    n, share = len(z), mixed.weight[:18]
    s = z @ F.normalize(mixed.z[:n]).T
    label = share * (y[:, None] == mixed.y[:n]) + (1 - share) * (y[:, None] == mixed.y[n:])
    pull = (label * (-2 * (s - 0.5)).exp()).sum(1).log1p() / 2
    push = ((1 - label) * (40 * (s - 0.5)).exp()).sum(1).log1p() / 40
    raw, y, ids = batch("MultiSimilarity()")
    torch.testing.assert_close(build(MIXED)(raw, y, ids=ids), (pull + push).mean())


def test_a_share_of_one_makes_the_positive_again(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "median", lambda x, dim: torch.max(torch.ones_like(x), dim))
    z, y, mixed = mixtures()
    n = len(z)
    torch.testing.assert_close(mixed.z[:n], z)
    assert (mixed.weight[n:] == 0).all()
    mixture = losses.SupCon()(z, y, against=(mixed.z[:n], mixed.y[:n]))
    monkeypatch.undo()
    torch.testing.assert_close(mixture, losses.SupCon()(z, y, against=(z, y)))


def test_shares_are_beta_two_two():
    ids = torch.arange(60_000)
    mixed = references.Metrix(seed=4)(Samples(torch.randn(60_000, 2), ids % 7, ids))
    share = mixed.weight[:60_000].double()
    assert abs(float(share.mean()) - 1 / 2) < 4 * math.sqrt(1 / 20 / 60_000)
    assert abs(float(share.var()) - 1 / 20) < 0.001
    for x in (0.1, 0.3, 0.7):  # its distribution function is 3 x² − 2 x³
        assert abs(float((share < x).double().mean()) - (3 * x**2 - 2 * x**3)) < 4 * 0.5 / math.sqrt(60_000)


def test_draws_are_the_same_in_any_order_and_new_each_step():
    loss, (z, y, ids) = build(MIXED), batch(MIXED)
    order = torch.randperm(len(z))
    value, grad, _ = value_and_gradient(loss, z, y, ids=ids)
    agree((value, grad[order], []), value_and_gradient(loss, z[order], y[order], ids=ids[order]))
    with isometry.memory_budget(5 * 36 * 8):
        agree((value, grad, []), value_and_gradient(loss, z, y, ids=ids))
    loss.observe(z, y, ids)
    assert loss(z, y, ids=ids) != value
    other = build(MIXED)
    other.load_state_dict(loss.state_dict())
    assert other(z, y, ids=ids) == loss(z, y, ids=ids)


def test_gradients_flow_to_both_parts():
    loss, (z, y, ids) = build(MIXED), batch(MIXED, n=9)
    assert torch.autograd.gradcheck(lambda x: loss(x, y, ids=ids), z.requires_grad_())
    assert value_and_gradient(loss, z.detach(), y, ids=ids, rows=slice(1))[1].abs().sum(1).min() > 0


def test_mixtures_with_the_unknown_count_for_nothing():
    loss, (z, y, ids) = build("SupCon(reference=Metrix(partners=3))"), batch(MIXED)
    y[[2, 5]] = -1
    _, grad, _ = value_and_gradient(loss, z, y, ids=ids)
    assert grad[[2, 5]].abs().max() == 0
    assert grad.abs().sum() > 0
    assert torch.isfinite(loss(z[:1], y[:1], ids=ids[:1]))
    assert loss(z[:0], y[:0], ids=ids[:0]) == 0


def test_several_partners_make_as_many_mixtures():
    _, _, mixed = mixtures(partners=3)
    assert len(mixed.z) == len(mixed.weight) == 3 * 2 * 18
    assert len(mixed.ids.unique()) == len(mixed.ids)
    with pytest.raises(ValueError, match="partners"):
        references.Metrix(partners=0)


def test_the_published_sum_is_written_as_a_sum():
    total = isometry.parse("MultiSimilarity() + 0.4 * MultiSimilarity(reference=Metrix(), miner=all_pairs)")
    z, y, ids = batch(MIXED)
    part = losses.MultiSimilarity(reference=references.Metrix(), miner=miners.all_pairs)
    expected = losses.MultiSimilarity()(z, y, ids=ids) + 0.4 * part(z, y, ids=ids)
    torch.testing.assert_close(total(z, y, ids=ids), expected)
