"""Gaps, radii and stretch: loops in float64, laws, and cases worked by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import isometry
from isometry.diagnostics import Side, geometry, values
from isometry.diagnostics.pairs import distances, partners, stretches
from isometry.diagnostics.segments import anisotropy, longest_quarter, onto_sphere, steepest
from isometry.diagnostics.sides import sample
from isometry.ops import safe


def head_of(p=6, d=4, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(p, 12), nn.GELU(), nn.Linear(12, d))


def side_of(head, classes=7, each=6, p=6, noise=0.5, seed=0):
    """Classes of features in a random order, some labels unknown, and what the head makes of them."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.arange(classes).repeat_interleave(each)
    h = torch.randn(classes, p, generator=draw)[y] + noise * torch.randn(len(y), p, generator=draw)
    x = torch.rand(len(y), 1, 5, 5, generator=draw)
    order = torch.randperm(len(y), generator=draw)
    y = y.clone()
    y[::9] = -1
    with torch.no_grad():
        return Side(x=x[order], h=h[order], z=head(h)[order], y=y[order])


def both(head):
    return {"seen": side_of(head, seed=1), "unseen": side_of(head, seed=2)}


def loops(side):
    """Every value of a side that needs no pairs drawn, from its definition."""
    z, y = side.z.double().numpy(), side.y.numpy()
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    keep = np.flatnonzero(y >= 0)
    alike, unlike, radius = [], [], {"radius": [], "radius_rms": [], "radius_max": []}
    for i in keep:
        same = [np.linalg.norm(u[i] - u[j]) for j in keep if j != i and y[j] == y[i]]
        other = [np.linalg.norm(u[i] - u[j]) for j in keep if y[j] != y[i]]
        if same:
            alike.append(max(same))
            unlike.append(min(other))
    for c in np.unique(y[keep]):
        rows = u[y == c]
        if len(rows) > 1:
            middle = rows.mean(0) / np.linalg.norm(rows.mean(0))
            far = np.linalg.norm(rows - middle, axis=1)
            radius["radius"].append(np.quantile(far, 0.9))
            radius["radius_rms"].append(np.sqrt((far**2).mean()))
            radius["radius_max"].append(far.max())
    alike, unlike = np.array(alike), np.array(unlike)
    return {
        "images": len(keep),
        "classes": len(np.unique(y[keep])),
        "separated": (alike < unlike).mean(),
        "farthest": alike.mean(),
        "nearest": unlike.mean(),
        "gap": (unlike - alike).mean(),
        "worst_farthest": alike.max(),
        "worst_nearest": unlike.min(),
        **{name: np.mean(found) for name, found in radius.items()},
    }


def test_values_equal_their_definitions():
    head = head_of()
    sides = both(head)
    found = geometry(**sides, head=head)
    for name, side in sides.items():
        measured = vars(getattr(found, name))
        for what, value in loops(side).items():
            assert measured[what] == pytest.approx(value, abs=2e-6), (name, what)
    seen, unseen = loops(sides["seen"]), loops(sides["unseen"])
    assert found.ratio == pytest.approx(unseen["radius"] / seen["radius"], rel=1e-5)
    assert found.room == pytest.approx(seen["gap"] / (2 * unseen["radius"]), rel=1e-5)
    table = found.values()
    assert table["r*/r"] == pytest.approx(table["r*"] / table["r"])
    assert table["separated"] == found.unseen.separated


@pytest.mark.parametrize("given", ["x", "h"])
def test_stretch_and_certificate_equal_loops_over_the_pairs(given):
    side = side_of(head_of())
    side = Side(z=side.z, y=side.y, h=side.h, x=side.x if given == "x" else None)
    side = side.take((side.y >= 0).nonzero()[:, 0])
    rows, to = partners(side.y, side.h, 0)
    u = (side.z.double() / side.z.double().norm(dim=1, keepdim=True)).numpy()
    inputs = getattr(side, given).double().flatten(1).numpy()
    ratio = np.array(
        [
            [np.linalg.norm(u[i] - u[j]) / np.linalg.norm(inputs[i] - inputs[j]) for j in row]
            for i, row in zip(rows.tolist(), to.tolist(), strict=True)
        ]
    )
    found = geometry(seen=side, unseen=side, seed=0).unseen
    stretch = found.whole if given == "x" else found.head
    assert stretch.median == pytest.approx(np.quantile(ratio, 0.5), rel=1e-5)
    assert stretch.q95 == pytest.approx(np.quantile(ratio, 0.95), rel=1e-5)
    assert stretch.largest == pytest.approx(ratio.max(), rel=1e-5)
    y = side.y.numpy()
    slack = []
    for i, most in zip(rows.tolist(), ratio.max(1), strict=True):
        far = [np.linalg.norm(u[i] - u[j]) for j in range(len(y)) if j != i and y[j] == y[i]]
        near = [np.linalg.norm(u[i] - u[j]) for j in range(len(y)) if y[j] != y[i]]
        slack.append((min(near) - max(far)) / (2 * most))
    assert found.certificate == pytest.approx(np.median(slack), abs=1e-5)


def test_partners_are_of_three_kinds_in_equal_numbers():
    side = side_of(head_of(), classes=9, each=5)
    y = side.y.masked_fill(side.y == -1, 99)
    y[y == 8] = torch.arange(100, 100 + int((y == 8).sum()))  # classes of one item have no partner of their own
    rows, to = partners(y, side.h, 3)
    size = torch.bincount(y)[y]
    assert rows.tolist() == (size > 1).nonzero()[:, 0].tolist()
    assert (y[to[:, 0]] == y[rows]).all()
    assert (to != rows[:, None]).all()
    far = torch.cdist(side.h.double(), side.h.double()).fill_diagonal_(torch.inf)
    assert torch.equal(to[:, 1], far.argmin(1)[rows])
    assert len(to[:, 0].unique()) == len(rows)
    assert torch.equal(partners(y, side.h, 3)[1], to)
    assert not torch.equal(partners(y, side.h, 4)[1], to)


def test_separated_is_the_share_of_queries_with_r_precision_one():
    for noise in (0.1, 0.8):
        side = side_of(nn.Identity(), noise=noise)
        known = side.y >= 0
        found = geometry(seen=side, unseen=side).unseen.separated
        whole = isometry.evaluate(side.z[known], side.y[known], "RPrecision()", samples=0)["RPrecision()"].per_query
        assert found == pytest.approx(float((whole == 1).double().mean()))
    assert 0 < found < 1


def test_no_pair_is_stretched_more_than_the_steepest_place_between():
    head = head_of()
    side = side_of(head)
    f = onto_sphere(head)
    rows, to = partners(side.y.masked_fill(side.y == -1, 50), side.h, 0)
    with torch.no_grad():
        pairs = stretches(side.h, f(side.h), rows, to)
    i, j = side.h[rows.repeat_interleave(3)], side.h[to.flatten()]
    quarters = longest_quarter(f, i, j)
    at, between = steepest(f, i, j, at=tuple(np.linspace(0.05, 1, 20)), steps=40, seed=0)
    steep = torch.maximum(at, between)
    assert (pairs.flatten() <= quarters + 1e-4).all()
    assert (quarters <= steep * (1 + 1e-3) + 1e-3).all()
    assert float(steep.median()) < 4 * float(pairs.median())


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e3])
def test_scale_and_rotation_of_embeddings_change_nothing(scale):
    head = head_of()
    turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(5)))[0]
    turned = nn.Sequential(head, nn.Linear(4, 4, bias=False))
    with torch.no_grad():
        turned[1].weight.copy_(scale * turn)
    one, other = (values(**both(made), head=made) for made in (head, turned))
    assert one.keys() == other.keys()
    assert len(one) == 11
    for name, value in one.items():
        assert other[name] == pytest.approx(value, rel=1e-3, abs=1e-5), name


def test_the_unit_of_stretch_is_that_of_the_inputs():
    head = head_of()
    side = side_of(head)
    small = Side(z=side.z, y=side.y, h=side.h / 10, x=(side.x * 255).round().to(torch.uint8))
    bytes_as_numbers = Side(z=side.z, y=side.y, h=side.h, x=(side.x * 255).round() / 255)
    a, b = geometry(seen=small, unseen=small).seen, geometry(seen=bytes_as_numbers, unseen=small).seen
    assert a.head.q95 == pytest.approx(10 * b.head.q95, rel=1e-5)
    assert a.whole.q95 == pytest.approx(b.whole.q95, rel=1e-5)
    assert a.separated == b.separated


def test_inputs_that_coincide_tell_nothing():
    x = torch.tensor([[0.0], [0.0], [1.0], [3.0]])
    rows, to = torch.arange(4), torch.tensor([[1, 2, 3], [0, 2, 3], [3, 0, 1], [0, 1, 2]])
    u = torch.tensor([[0.0], [1.0], [1.0], [2.0]])
    found = stretches(x, u, rows, to)
    assert found.isnan().tolist() == [[True, False, False]] * 2 + [[False] * 3] * 2
    assert found[2].tolist() == [0.5, 1, 0]
    assert distances(x, rows, to[:, 0]).tolist() == [0, 0, 2, 3]


@pytest.mark.parametrize("count", [8, 30, 41, 200])
def test_samples_are_whole_classes_and_stay_the_same(count):
    y = torch.arange(20).repeat_interleave(2)
    shuffled = y[torch.randperm(40, generator=torch.Generator().manual_seed(0))]
    found = sample(y, count)
    assert len(found) == min(count, 40)
    assert (torch.bincount(y[found])[y[found].unique()] == 2).all()
    assert torch.equal(y[found].unique(), shuffled[sample(shuffled, count)].unique())
    assert set(y[sample(y, 8)].tolist()) <= set(y[sample(y, 30)].tolist())


def test_large_classes_share_a_sample():
    y = torch.arange(10).repeat_interleave(1000)
    found = sample(y, 160)
    assert torch.bincount(y[found]).unique().tolist() == [0, 20]
    assert len(found) == 160
    assert len(sample(torch.tensor([-1, -1, 3]), 2)) == 1


def test_nothing_sampled_gives_the_full_values():
    sides = both(head_of())
    assert values(**sides, images=42) == values(**sides, images=0)
    assert values(**sides, images=20) != values(**sides, images=0)


def test_anisotropy_is_that_of_the_singular_values():
    x = torch.randn(3, 2)
    stretched = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        stretched.weight.copy_(torch.tensor([[10.0, 0.0], [0.0, 0.1]]))
    assert anisotropy(stretched, x).tolist() == pytest.approx([10.0] * 3, rel=1e-4)
    assert anisotropy(onto_sphere(nn.Identity()), torch.randn(3, 5)).tolist() == pytest.approx([1.0] * 3, rel=1e-4)
    head, h = head_of(6, 4), torch.randn(2, 6)
    for i in range(2):
        s = torch.linalg.svdvals(torch.autograd.functional.jacobian(lambda row: onto_sphere(head)(row[None])[0], h[i]))
        expected = float(s[0] / s[:3].double().prod() ** (1 / 3))
        assert float(anisotropy(onto_sphere(head), h)[i]) == pytest.approx(expected, rel=1e-3)


def test_a_head_that_can_be_differentiated_once_leaves_sigma_out_and_says_why():
    inner = head_of()
    head = lambda h: safe.normalize(inner(h))  # noqa: E731
    found = geometry(**both(head), head=head)
    assert "L between" not in found.values()
    assert "L95 head" in found.values()
    assert "anisotropy" in found.values()
    assert math.isfinite(found.unseen.head.quarters)
    assert math.isnan(found.unseen.head.at)
    assert any("differentiated once" in reason for reason in found.unseen.left_out)
    assert found.as_json()["unseen"]["head"]["between"] is None


def test_without_inputs_there_are_gaps_and_radii_only():
    side = side_of(head_of())
    bare = Side(z=side.z, y=side.y)
    assert set(values(seen=bare, unseen=bare)) == {"r", "r*", "r*/r", "gap", "room", "separated"}


def test_of_a_head_on_features_both_stretches_are_one():
    head = head_of()
    side = side_of(head)
    rows = Side(x=side.h, h=side.h, z=side.z, y=side.y)
    found = values(seen=rows, unseen=rows, head=head)
    assert found["L95"] == found["L95 head"]
    assert found["r*/r"] == 1


def test_what_cannot_be_looked_at_is_refused_in_one_line():
    z, y = torch.randn(4, 2), torch.tensor([0, 0, 1, 1])
    with pytest.raises(ValueError, match="diverged"):
        Side(z=z * torch.inf, y=y)
    with pytest.raises(ValueError, match="2 or more classes"):
        values(seen=Side(z=z, y=torch.zeros_like(y)), unseen=Side(z=z, y=y))
    with pytest.raises(ValueError, match="each of 4 classes has one"):
        values(seen=Side(z=z, y=torch.arange(4)), unseen=Side(z=z, y=y))
    with pytest.raises(ValueError, match="has no x"):
        Side(z=z, y=y).inputs(y)
