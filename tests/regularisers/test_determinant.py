"""Determinant regularisation: invariances, limits, the hinge and what happens without it."""

import math

import pytest
import torch
from torch import nn

import isometry
from isometry.heads.bijections import Made
from isometry.model import Embedder
from isometry.ops import volume
from isometry.regularisers import (
    Conditioned,
    Determinant,
    Exact,
    Frobenius,
    Lanczos,
    LargestStretch,
    LogDet,
    Spherical,
)
from tests.regularisers.made import F64, FLOW, PLAIN, features, top, value


def jacobians(made, h):
    """J of F at x, x and z."""
    x = made.head.start(h).detach().requires_grad_()
    z, j = volume.jacobian(made.head.flow, x)
    return j, x, z


class Scaled(nn.Module):
    """A flow, c times as long."""

    def __init__(self, flow, c):
        super().__init__()
        self.inner, self.c = flow, c

    def flow(self, x):
        return self.c * self.inner.flow(x)

    def traced(self, x):
        made = self.inner.traced(x)
        return Made(self.c * made.z, made.log_det + x.shape[1] * math.log(self.c), [made])

    def pull(self, made):
        return self.inner.pull(made.kept[0]) / self.c


@pytest.mark.parametrize("head", [FLOW, "RealNVP(dim=7)", "NICE(dim=6)", "Glow(dim=6)"])
def test_spherical_volume_is_the_mean_log_singular_value_of_the_way_to_the_sphere(head):
    made, (h, y, ids) = top(head), features()
    _, x, z = jacobians(made, h)
    _, j = volume.jacobian(volume.on_sphere(made.head.flow), x)
    s = torch.linalg.svdvals(j)[:, : z.shape[1] - 1]
    found = value(made, h, y, ids, volume=Spherical(relative=False))
    torch.testing.assert_close(found, s.log().mean(), rtol=1e-9, atol=1e-9)
    relative = value(made, h, y, ids)
    torch.testing.assert_close(relative, (s.log().mean(1) + x.norm(dim=1).log()).mean(), rtol=1e-9, atol=1e-9)


def test_log_det_is_that_of_the_jacobian():
    made, (h, y, ids) = top(), features()
    j, _, _ = jacobians(made, h)
    torch.testing.assert_close(
        value(made, h, y, ids, volume=LogDet()), torch.linalg.slogdet(j).logabsdet.mean() / 6, rtol=1e-10, atol=1e-10
    )


def test_length_costs_log_det_and_no_spherical_volume():
    made, (h, y, ids) = top(), features()
    before = {v: value(made, h, y, ids, volume=v) for v in (LogDet(), Spherical(), Conditioned(), Frobenius())}
    made.head.first = Scaled(made.head.first, 5.0)
    for v, was in before.items():
        shift = math.log(5) if isinstance(v, LogDet) else 0
        torch.testing.assert_close(value(made, h, y, ids, volume=v), was + shift)


def test_a_flow_that_is_the_identity_has_volume_one():
    """R = 0 in units of x, and −log ‖x‖ without."""
    made, (h, y, ids) = top(start=True), features()
    x = made.head.start(h)
    for name in ("LogDet()", "Spherical()", "LargestStretch()", "Conditioned()"):
        found = value(made, h, y, ids, volume=isometry.parse(name))
        torch.testing.assert_close(found, torch.zeros((), dtype=F64), rtol=0, atol=1e-9)
    bare = value(made, h, y, ids, volume=Spherical(relative=False))
    torch.testing.assert_close(bare, -x.norm(dim=1).log().mean())


def test_turning_changes_no_volume():
    """Where J is orthogonal, R = −log ‖z‖, whichever way it turns."""
    made, (h, y, ids) = top("Linear(dim=6)", features=6), features(p=6)
    made.head.layer.weight.data = torch.linalg.qr(torch.randn(6, 6, dtype=F64))[0]
    bare = value(made, h, y, ids, volume=Spherical(relative=False))
    torch.testing.assert_close(bare, -made(h).z.norm(dim=1).log().mean())


def test_means_are_ordered():
    """Geometric mean, root mean square, largest: of the same singular values, point by point and so on average."""
    made, (h, y, ids) = top(), features()
    geometric = value(made, h, y, ids)
    rms = value(made, h, y, ids, volume=Frobenius(probes=32))
    largest = value(made, h, y, ids, volume=LargestStretch(steps=60))
    assert geometric < rms < largest
    assert value(made, h, y, ids, volume=LogDet()) < value(
        made, h, y, ids, volume=LargestStretch(steps=60, sphere=False, relative=False)
    )
    blend = value(made, h, y, ids, volume=Conditioned(gamma=0.25, steps=60))
    torch.testing.assert_close(blend, 0.75 * geometric + 0.25 * largest)


def test_the_volume_of_nice_does_not_depend_on_where_one_looks():
    made, (h, y, ids) = top("NICE(dim=6)"), features()
    h.requires_grad_()
    found = value(made, h, y, ids, volume=LogDet())
    slope = torch.autograd.grad(found, h, allow_unused=True)[0]
    assert slope is None or not slope.any()
    torch.testing.assert_close(found, value(made, 2 * h + 1, y, ids, volume=LogDet()))
    assert torch.autograd.grad(value(made, h, y, ids), h)[0].abs().max() > 0


@pytest.mark.parametrize("head", PLAIN)
@pytest.mark.parametrize("shape", [(9, 6), (4, 6)])
def test_heads_that_are_no_flows_are_exact_too(head, shape):
    p, d = shape
    made, (h, y, ids) = top(head, features=p), features(p=p)
    x = h.clone().requires_grad_()
    for f, name, count in ((made.head, "LogDet()", min(p, d)), (volume.on_sphere(made.head), "Spherical()", 0)):
        _, j = volume.jacobian(f, x)
        s = torch.linalg.svdvals(j)[:, : count or min(d - 1, p)].log().mean(1)
        expected = s.mean() if count else (s + h.norm(dim=1).log()).mean()
        found = value(made, h, y, ids, volume=isometry.parse(name))
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("head", [FLOW, *PLAIN])
@pytest.mark.parametrize("name", ["LogDet", "Spherical"])
def test_lanczos_agrees_with_the_whole_jacobian(head, name):
    """On the mean of 4 points with 64 probes each; a flow, and a linear head, are exact by themselves."""
    made, (h, y, ids) = top(head, start=True), features(n=4)
    by = {"exact": Exact(), "lanczos": Lanczos(probes=64, steps=6)}
    found = {k: value(made, h, y, ids, volume=getattr(isometry.regularisers, name)(by=e)) for k, e in by.items()}
    torch.testing.assert_close(found["lanczos"], found["exact"], rtol=0, atol=0.15)


def test_the_hinge_lets_a_volume_go_below_its_start_by_so_much_and_no_farther():
    made, (h, y, ids) = top(start=True), features()
    flow, loss = made.head.first, Determinant(volume=LogDet(), floor=-0.5)
    for c, expected in ((1.0, 0.5), (2.0, 0.5 + math.log(2)), (0.7, 0.5 + math.log(0.7)), (0.5, 0.0), (1e-3, 0.0)):
        made.head.first = Scaled(flow, c)
        assert loss(made(h), y, ids=ids).item() == pytest.approx(expected)
    again = Determinant(volume=LogDet(), floor=-0.5)
    again.load_state_dict(loss.state_dict())
    assert again(made(h), y, ids=ids) == 0


def test_other_heads_start_where_they_start():
    made, (h, y, ids) = top("Linear(dim=6)"), features()
    loss = Determinant()
    assert loss(made(h), y, ids=ids).item() == pytest.approx(1)
    before = value(made, h, y, ids)
    nn.init.normal_(made.head.layer.weight)
    torch.testing.assert_close(loss(made(h), y, ids=ids), value(made, h, y, ids) - before + 1)


def collapse(floor):
    """R, and the spread of the directions, after some steps on R alone."""
    made, (h, y, ids) = top("RealNVP(dim=6, blocks=2)", start=True), features(n=24)
    loss, optimizer = Determinant(floor=floor), torch.optim.Adam(made.parameters(), lr=0.002)
    for _ in range(120):
        optimizer.zero_grad()
        loss(made(h), y, ids=ids).backward()
        optimizer.step()
    u = nn.functional.normalize(made(h).z.detach())
    return loss.stats["volume"], 1 - float(u.mean(0).norm())


def test_without_the_hinge_a_small_volume_is_bought_by_collapse():
    """The volume has no lower bound: un-hinged it falls on, until all points lie in one direction; hinged it stays."""
    hinged, spread = collapse(-1.0)
    free, little = collapse(None)
    assert -2 < hinged < -1
    assert free < -4
    assert little < 0.01 * spread


def test_detached_trains_the_head_alone():
    made, (h, y, ids) = top(), features()
    for detach in (False, True):
        h = h.detach().requires_grad_()
        Determinant(detach=detach, floor=None)(made(h), y, ids=ids).backward()
        assert (h.grad is None or not h.grad.any()) == detach
        assert any(p.grad is not None and p.grad.any() for p in made.head.parameters())


def test_the_whole_model_leaves_running_statistics_alone():
    torch.manual_seed(0)
    model = Embedder.parse("ConvNet(widths=(4, 8), size=8)", "Average()", "Linear(dim=6)")
    pictures, y = (torch.rand(6, 1, 8, 8) * 255).to(torch.uint8), torch.arange(6) // 2
    made = model(pictures)
    before = {k: v.clone() for k, v in model.named_buffers()}
    loss = Determinant(of=isometry.regularisers.model, volume=Frobenius())
    loss(made, y).backward()
    torch.testing.assert_close(dict(model.named_buffers()), before, rtol=0, atol=0)
    assert all(p.grad.abs().sum() > 0 for p in model.trunk.parameters())


def test_the_whole_of_a_trained_head_is_the_head():
    made, (h, y, ids) = top("Linear(dim=6)"), features()
    whole = value(made, h, y, ids, of=isometry.regularisers.model)
    torch.testing.assert_close(whole, value(made, h, y, ids))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Determinant()", "given embeddings alone"),
        ("Determinant(of=second)", "no second flow"),
        ("Dueling()", "no second flow"),
        ("OnBranch()", "take a head with branches"),
        ("Determinant(of=model)", "gradient caching"),
    ],
)
def test_what_cannot_be_looked_at_is_said_in_one_line(text, wrong):
    made, (h, y, ids) = top(), features()
    term = isometry.parse(text, num_classes=4, dim=6)
    seen = made(h)._replace(images=None)
    with pytest.raises(ValueError, match=wrong) as error:
        term(made(h).z if "alone" in wrong else seen, y, ids=ids)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["Lanczos(probes=0)", "Conditioned(gamma=-1)", "Frobenius(probes=0)", "LargestStretch(steps=0)",
             "SpectralNorm(steps=0)", "Intra(reach=0)", "Either(neighbours=0)"]
)  # fmt: skip
def test_settings_out_of_range_are_refused(text):
    with pytest.raises(ValueError, match=r"more|reach"):
        isometry.parse(text)


def test_every_so_many_steps_is_the_same_on_average():
    made, (h, y, ids) = top(), features()
    steadily, seldom = (isometry.parse(f"Determinant(every={k}, floor=None)") for k in (1, 3))
    found = []
    for _ in range(6):
        for term in (steadily, seldom):
            term.observe(made(h), y, ids)
        found.append([float(term(made(h), y, ids=ids).detach()) for term in (steadily, seldom)])
    always, now_and_then = zip(*found, strict=True)
    assert now_and_then[1:3] == now_and_then[4:] == (0, 0)
    assert sum(now_and_then) == pytest.approx(sum(always), rel=1e-12)
    with pytest.raises(ValueError, match="every is 1 or more"):
        isometry.parse("Determinant(every=0)")


def test_a_head_that_normalises_is_looked_at_before_it_does():
    made = [isometry.parse(f"Linear(dim=4, normalise={n})", in_features=6) for n in (False, True)]
    made[1].load_state_dict(made[0].state_dict())
    h, y = torch.randn(9, 6, generator=torch.Generator().manual_seed(0)), torch.arange(9)
    seen = []
    for linear in made:
        model = torch.nn.Module()
        model.head = linear
        term = isometry.parse("Determinant(floor=None, every=1)")
        seen.append(float(term(linear.embedded(h)._replace(model=model), y).detach()))
    assert seen[0] == pytest.approx(seen[1], rel=1e-5)
