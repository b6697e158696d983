"""Cumulative spectral gradient: the limits of the formula, a loop in float64, and draws that repeat."""

import math

import numpy as np
import pytest
import torch

from isometry.metrics.csg import CSG, BallVolume, BoxVolume, NoVolume
from isometry.ops.csg import common, cumulative_spectral_gradient, drawn, overlap
from tests.metrics.spaces import by_distance, classes, rotation, space

VOLUMES = [BoxVolume(), BallVolume(), NoVolume(), BoxVolume(floor=0.0)]


@pytest.mark.parametrize("count", [2, 3, 10])
def test_limits(count):
    """Nothing overlaps: 0. All classes look alike: C − 1. Relabelling changes nothing."""
    assert cumulative_spectral_gradient(torch.eye(count)) == pytest.approx(0, abs=1e-9)
    assert cumulative_spectral_gradient(torch.ones(count, count)) == pytest.approx(count - 1)
    half = torch.rand(count, count)
    w = (half + half.T) / 2
    order = torch.randperm(count)
    assert cumulative_spectral_gradient(w[order][:, order]) == pytest.approx(cumulative_spectral_gradient(w))


@pytest.mark.parametrize("w", [0.0, 0.3, 1.0])
def test_of_two_classes_it_is_their_overlap(w):
    assert cumulative_spectral_gradient(torch.tensor([[1.0, w], [w, 1.0]])) == pytest.approx(w, abs=1e-7)


def loop(x, y, k, volume):
    """The definition, item by item, of all items."""
    x, count = x.double().numpy(), int(y.max()) + 1
    s = np.zeros((count, count))
    for i in range(len(x)):
        far = np.linalg.norm(x - x[i], axis=1)
        near = sorted((j for j in range(len(x)) if j != i), key=lambda j: far[j])[:k]
        apart = np.abs(x[near] - x[i])
        v = {
            "BoxVolume()": max(1e-4, np.prod(2 * apart.max(0))),
            "BoxVolume(floor=0.0)": np.prod(2 * apart.max(0)),
            "BallVolume()": max(
                1e-4, math.pi ** (x.shape[1] / 2) / math.gamma(x.shape[1] / 2 + 1) * far[near].max() ** x.shape[1]
            ),
            "NoVolume()": 1,
        }[repr(volume)]
        for j in near:
            s[y[i], y[j]] += 1 / k / v
    s /= s.sum(1, keepdims=True)
    w = np.array([[1 - np.abs(a - b).sum() / np.abs(a + b).sum() for b in s] for a in s])
    values = np.linalg.eigvalsh(np.diag(w.sum(1)) - w)
    steps = [(values[i + 1] - values[i]) / (count - i) for i in range(count - 1)]
    return w, sum(max(steps[: i + 1]) for i in range(count - 1))


@pytest.mark.parametrize("volume", VOLUMES, ids=repr)
@pytest.mark.parametrize("k", [1, 4])
def test_equals_its_definition_where_all_items_are_drawn(volume, k):
    z, y = classes(5, 14, 2, 0.8)
    statistic, here = CSG(k=k, volume=volume), by_distance(z, y + 3)
    w, value = loop(z, y, k, volume)
    found = statistic.measure(here)
    np.testing.assert_allclose(next(statistic.overlaps(here)), w, atol=1e-6)
    assert found.value == pytest.approx(value, abs=1e-6)
    assert math.isnan(found.low)


@pytest.mark.parametrize("few", [1, 3, 30])
def test_what_two_classes_have_in_common_is_the_same_by_columns_and_by_distances(few):
    s = torch.rand(40, 40).double() * (torch.rand(40, 40).argsort(1) < few)
    s /= s.sum(1, keepdim=True)
    torch.testing.assert_close(common(s), torch.minimum(s[:, None], s[None]).sum(2))


def test_draws_differ_repeat_with_their_seed_and_have_an_interval():
    z, y = classes(4, 80, 2, 0.8)
    statistic = CSG(draws=20)
    found = statistic.measure(by_distance(z, y))
    assert found.low < found.value < found.high
    assert found == statistic.measure(by_distance(z, y))
    assert found != statistic.measure(by_distance(z, y, seed=100))
    whole = CSG(draws=80).measure(by_distance(z, y)).value
    assert found.value == pytest.approx(whole, abs=0.25 * whole)


def test_draws_are_of_each_class_and_no_item_twice():
    size = torch.tensor([3, 50, 7])
    rows = drawn(size, 7, seed=0)
    assert len(rows.unique()) == len(rows) == 3 + 7 + 7
    assert torch.bincount(torch.repeat_interleave(torch.arange(3), size)[rows]).tolist() == [3, 7, 7]
    chosen = torch.stack([drawn(torch.tensor([6]), 2, seed=s) for s in range(600)])
    assert torch.bincount(chosen.flatten()).float().sub(200).abs().max() < 60


def test_apart_is_0_one_heap_is_c_less_1_and_more_overlap_is_more():
    y = torch.arange(900) % 3
    apart = by_distance(50 * torch.eye(3)[y] + torch.randn(900, 3), y)
    heap = by_distance(torch.randn(900, 3), y)
    near, far = (by_distance(d * torch.eye(3)[y] + torch.randn(900, 3), y) for d in (1.0, 2.5))
    value = {
        name: CSG().measure(s).value for name, s in {"apart": apart, "far": far, "near": near, "heap": heap}.items()
    }
    assert value["apart"] == pytest.approx(0, abs=1e-9)
    assert value["apart"] < value["far"] < value["near"] < value["heap"]
    assert value["heap"] == pytest.approx(2, abs=0.3)
    assert CSG().measure(by_distance(torch.ones(900, 3), y)).value == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize("volume", VOLUMES, ids=repr)
def test_rotations_change_nothing_but_boxes(volume):
    z, y = classes(4, 30, 2, 0.9)
    moved = CSG(volume=volume).measure(by_distance(z @ rotation(2) + 1, y)).value
    same = moved == pytest.approx(CSG(volume=volume).measure(by_distance(z, y)).value, abs=1e-6)
    assert same is not isinstance(volume, BoxVolume)


def test_volumes_of_many_dimensions_do_not_overflow():
    """In 400 dimensions a box of sides 10 is 10^400, and one of sides 0.1 is 10^-400."""
    z, y = classes(3, 20, 400, 1.0)
    for scale in (0.01, 100.0):
        for volume in VOLUMES:
            assert math.isfinite(CSG(volume=volume).measure(by_distance(scale * z, y)).value)
    weigh = overlap(torch.tensor([0, 0, 1]), torch.tensor([[0], [1], [1]]), torch.tensor([900.0, -900.0, 0.0]), 2)
    torch.testing.assert_close(weigh, torch.ones(2, 2).double())  # the denser item of class 0 decides


def test_unknown_labels_and_lengths_are_left_out():
    z, y = classes(4, 12, 6, 0.5)
    more = torch.cat([z, torch.randn(9, 6)]), torch.cat([y, torch.full((9,), -1)])
    value = CSG().measure(space(z, y)).value
    assert CSG().measure(space(*more)).value == pytest.approx(value)
    assert CSG().measure(space(z * torch.rand(48, 1).exp(), y)).value == pytest.approx(value)


def test_what_has_no_overlap_is_refused_in_one_line():
    z, y = classes(3, 2, 2, 0.5)
    with pytest.raises(ValueError, match="CSG needs 2 or more classes"):
        CSG().measure(space(z, torch.zeros(6, dtype=torch.int64)))
    with pytest.raises(ValueError, match=r"CSG\(k=6\) needs more than 6 items"):
        CSG(k=6).measure(space(z, y))
    with pytest.raises(ValueError, match="pairs of 3 classes"):
        CSG().measure(space(z, y, memory="100 B"))
    with pytest.raises(ValueError, match="1 or more"):
        CSG(draws=0)
