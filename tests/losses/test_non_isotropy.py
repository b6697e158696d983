"""Non-isotropy regularisation: its likelihood by the whole Jacobian, and what flow, proxies and embeddings learn of it."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.func import jacrev, vmap

import isometry
from isometry import losses
from isometry.heads.conditional import ConditionalGlow
from isometry.losses.non_isotropy import HIGHEST, exponential
from isometry.model import Embedder, parameter_groups
from isometry.scheme import reads
from tests.contract.catalogue import CLASSES, agree, batch, build, value_and_gradient

F64 = torch.float64


def awake(module, spread=0.3, seed=0):
    """The same with weights that are far from their start."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(spread * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return module


def glow(dim, given, **sizes):
    flow = ConditionalGlow(dim, given, **{"blocks": 2, "width": 4, "clamp": 2.0, **sizes})
    return flow.double(), torch.randn(6, dim, dtype=F64), torch.randn(6, given, dtype=F64)


@pytest.mark.parametrize(("dim", "given"), [(2, 1), (5, 5), (6, 3)])
def test_a_conditional_flow_starts_as_a_permutation_whatever_the_condition(dim, given):
    flow, x, c = glow(dim, given)
    z, log_det = flow(x, c)
    assert torch.equal(z.sort(1).values, x.sort(1).values)
    assert torch.equal(log_det, torch.zeros(6, dtype=F64))
    assert torch.equal(flow(x, -c)[0], z)


@pytest.mark.parametrize(("dim", "given"), [(2, 1), (5, 5), (6, 3)])
@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_determinant_and_inverse_are_those_of_the_jacobian_at_each_condition(dim, given, blocks):
    flow, x, c = glow(dim, given, blocks=blocks)
    awake(flow)
    z, log_det = flow(x, c)
    jacobian = vmap(jacrev(lambda row, at: flow(row[None], at[None])[0][0]))(x, c)
    assert jacobian.shape == (6, dim, dim)
    torch.testing.assert_close(log_det, torch.linalg.slogdet(jacobian).logabsdet, rtol=0, atol=1e-10)
    torch.testing.assert_close(flow.inverse(z, c), x, rtol=0, atol=1e-10)
    assert (flow(x, c.roll(1, 0))[0] - z).abs().amax(1).min() > 1e-5  # the condition is read


def test_every_dimension_is_moved_as_every_other_and_the_condition_say():
    flow, x, c = glow(5, 3)
    awake(flow)
    of_x, of_c = vmap(jacrev(lambda x, c: flow(x[None], c[None])[0][0], argnums=(0, 1)))(x, c)
    assert (of_x.abs() > 1e-12).all()
    assert (of_c.abs() > 1e-12).all()


def test_the_flow_is_differentiated_rightly():
    flow, x, c = glow(4, 2)
    awake(flow)
    inputs = (x[:2].requires_grad_(), c[:2].requires_grad_(), *flow.parameters())
    assert torch.autograd.gradcheck(lambda x, c, *_: flow(x, c), inputs, fast_mode=True)


def by_hand(loss, z, y):
    """½ ‖τ‖² − log |det ∂τ/∂x| of each row by the whole Jacobian, less the constant of the normal density."""
    x, w = F.normalize(z), F.normalize(loss.loss.reference.weight)
    found = []
    for row, label in zip(x, y.tolist(), strict=True):
        if label >= 0:
            c = w[label][None]
            jacobian = torch.autograd.functional.jacobian(lambda v, c=c: loss.flow(v[None], c)[0][0], row)
            density = torch.distributions.Normal(0, 1).log_prob(loss.flow(row[None], c)[0]).sum()
            found.append(-(density + torch.linalg.slogdet(jacobian).logabsdet) - len(row) / 2 * math.log(2 * math.pi))
    return torch.stack(found)


@pytest.mark.parametrize("host", ["ProxyAnchor()", "NormSoftmax()", "SupCon(reference=Proxies())"])
@pytest.mark.parametrize("exponential", [True, False])
def test_it_is_the_weighed_loss_and_the_likelihood_by_the_whole_jacobian(host, exponential):
    loss = awake(build(f"NonIsotropy(loss={host}, omega=0.3, exponential={exponential}, blocks=2, width=4)"))
    z, y, ids = batch("ProxyAnchor()")
    y[2] = -1
    nll = by_hand(loss, z, y)
    assert nll.std() > 0.05
    expected = 0.3 * loss.loss(z, y, ids=ids) + (nll.exp() if exponential else nll).mean()
    torch.testing.assert_close(loss(z, y, ids=ids), expected)
    assert loss.stats["nll"] == pytest.approx(nll.mean().item())


@pytest.mark.parametrize("exponential", [True, False])
def test_gradient_reaches_embeddings_proxies_and_flow_and_is_the_derivative(exponential):
    loss = awake(build(f"NonIsotropy(exponential={exponential}, omega=0.0, blocks=2, width=4)"))
    z, y, ids = batch("ProxyAnchor()", n=9)
    inputs = (z.requires_grad_(), *loss.parameters())
    assert torch.autograd.gradcheck(lambda z, *_: loss(z, y, ids=ids), inputs, fast_mode=True)
    _, grad, grads = value_and_gradient(loss, z, y, ids=ids)
    assert (grad.abs().sum(1) > 0).all()
    present = y.unique()
    assert (grads[0][present].abs().sum(1) > 0).all()
    assert all(g.abs().sum() > 0 for g in grads[1:])


def test_a_trained_flow_obeys_the_laws_of_batches_too():
    """The contract tests see it at its start, where it only permutes."""
    loss, (z, y, ids) = awake(build("NonIsotropy()"), spread=0.1), batch("ProxyAnchor()")
    whole = value_and_gradient(loss, z, y, ids=ids)
    with isometry.memory_budget(5 * len(z) * 8):
        agree(value_and_gradient(loss, z, y, ids=ids), whole)
    order = torch.randperm(len(z))
    value, grad, grads = value_and_gradient(loss, z[order], y[order], ids=ids[order])
    agree((value, grad, grads), (whole[0], whole[1][order], whole[2]))
    weight = torch.ones(len(z), dtype=F64)
    weight[[0, 3]] = 2
    twice = torch.cat([torch.arange(len(z)), torch.tensor([0, 3])])
    torch.testing.assert_close(loss(z, y, ids=ids, weight=weight), loss(z[twice], y[twice], ids=ids[twice]))
    some = torch.arange(0, len(z), 2)
    torch.testing.assert_close(loss(z, y, ids=ids, rows=some), loss(z[some], y[some], ids=ids[some]))


def clouds(shape, n=64):
    """Two classes on the sphere, each a cloud of this shape around its centre; the second's is turned."""
    g = torch.Generator().manual_seed(0)
    turned = torch.linalg.qr(torch.randn(6, 6, generator=g))[0]
    noise = torch.randn(2, n, 6, generator=g) * torch.tensor(shape)
    centres = F.normalize(torch.randn(2, 1, 6, generator=g), dim=2)
    return torch.cat([centres[0] + noise[0], centres[1] + noise[1] @ turned]), torch.arange(2).repeat_interleave(n)


def fitted(z, y, known=None, steps=150):
    """The mean likelihood, a nat a row, of fresh points after a flow was trained on z, and the loss."""
    torch.manual_seed(0)
    loss = losses.NonIsotropy(num_classes=2, dim=6, omega=0.0, exponential=False, blocks=3, width=32, clamp=1.0)
    with torch.no_grad():
        loss.loss.reference.weight.copy_(torch.stack([z[y == c].mean(0) for c in (0, 1)]))
    optimizer = torch.optim.Adam(loss.flow.parameters(), lr=3e-3)
    told = y if known is None else known
    for _ in range(steps):
        optimizer.zero_grad()
        loss(z, told).backward()
        optimizer.step()
    return loss


def test_a_flow_fits_clouds_of_any_shape_and_tells_an_uneven_one_from_itself_turned():
    """At its start ℓ is ½. Turned about its centre, an uneven cloud is no longer likely; an even one is as likely."""
    drops = {}
    for name, shape in {"even": [0.1] * 6, "uneven": [0.3, 0.3, 0.1, 0.05, 0.02, 0.02]}.items():
        z, y = clouds(shape)
        loss = fitted(z, y)
        with torch.no_grad():
            here = loss.nll(z, y).mean()
            centre = torch.stack([z[y == c].mean(0) for c in (0, 1)])[y]
            g = torch.Generator().manual_seed(1)
            apart = (z - centre) @ torch.linalg.qr(torch.randn(6, 6, generator=g))[0]
            drops[name] = float(loss.nll(centre + apart, y).mean() - here)
        assert here < 0.5 - 2
    assert drops["uneven"] > 3 * max(drops["even"], 1)


def test_the_condition_matters():
    """A flow told the class fits both clouds better than one that is told the other, or nothing."""
    z, y = clouds([0.3, 0.3, 0.1, 0.05, 0.02, 0.02])
    loss, blind = fitted(z, y), fitted(z, y, known=torch.zeros_like(y))
    with torch.no_grad():
        told, wrong = loss.nll(z, y).mean(), loss.nll(z, 1 - y).mean()
        assert told < wrong - 2
        assert told < blind.nll(z, torch.zeros_like(y)).mean() - 0.3


def test_the_exponential_goes_on_as_its_tangent_where_no_float_would_hold_it():
    x = torch.tensor([-3.0, 0.0, HIGHEST, HIGHEST + 4, 1000.0], dtype=F64, requires_grad=True)
    y = exponential(x)
    torch.testing.assert_close(y[:3], x[:3].exp())
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(slope, x.clamp_max(HIGHEST).exp())
    assert exponential(torch.tensor([1e4])).isfinite().all()


def test_the_likelihood_is_bounded_by_the_clamp():
    loss = build("NonIsotropy(exponential=False, omega=0.0, clamp=0.5)")
    for p in loss.flow.parameters():
        torch.nn.init.constant_(p, 50.0)
    z, _, _ = batch("ProxyAnchor()")
    assert (loss.flow(z, z)[1].abs() <= 5 * 5 * 0.5 + 1e-9).all()


def test_proxies_and_flow_learn_at_rates_of_their_own():
    model = Embedder.parse("ConvNet(widths=(4, 8), size=8)", "Average()", "Linear(dim=8)")
    text = "NonIsotropy(loss=ProxyAnchor(reference=Proxies(lr_multiple=4000.0)), lr_multiple=50.0)"
    loss = isometry.parse(text, num_classes=4, dim=8)
    assert repr(loss) == text
    groups = parameter_groups(model, loss, lr=1e-5)
    rates = {g["lr"]: len(g["params"]) for g in groups if g["name"] == "loss"}
    assert rates == pytest.approx({1e-5 * 4000: 1, 1e-5 * 50: sum(1 for _ in loss.flow.parameters())})


def test_several_centres_are_read_by_their_mean():
    loss = awake(build("NonIsotropy(loss=SoftTriple(reference=Proxies(centres=3)), omega=0.0)"), spread=0.1)
    z, y, ids = batch("ProxyAnchor()")
    one = build("NonIsotropy(omega=0.0)")
    one.flow.load_state_dict(loss.flow.state_dict())
    one.loss.reference.weight.data.copy_(loss.loss.reference.weight.mean(1))
    torch.testing.assert_close(loss(z, y, ids=ids), one(z, y, ids=ids))


def test_it_is_added_to_other_terms_and_reads_classes():
    text = "NonIsotropy() + 0.1 * KoLeo()"
    both, (z, y, ids) = build(text), batch("ProxyAnchor()")
    torch.testing.assert_close(both(z, y, ids=ids), both.terms[0](z, y) + 0.1 * both.terms[1](z, y))
    assert reads(both) == "labels"
    assert repr(both) == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: build("NonIsotropy(loss=MultiSimilarity())"), "has none: take ProxyAnchor"),
        (lambda: build("NonIsotropy(clamp=0)"), "above 0"),
        (lambda: isometry.parse("NonIsotropy()", num_classes=2, dim=1), "1 dimensions"),
        (lambda: build("NonIsotropy()")(torch.zeros(2, 5), torch.zeros(2)), "whole numbers"),
        (lambda: build("NonIsotropy()")(torch.zeros(2, 5), torch.zeros(2, CLASSES).long()), "whole numbers"),
        (
            lambda: losses.NonIsotropy(num_classes=2, dim=2)(torch.zeros(1, 2), torch.zeros(1).long(), against=()),
            "leave",
        ),
    ],
)
def test_what_it_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()
