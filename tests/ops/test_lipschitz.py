"""Local Lipschitz constants: whole Jacobians as oracle, maps whose constants are known, and the mean value inequality."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from isometry.ops import safe
from isometry.ops.lipschitz import stretch_at, stretch_between, stretch_of_pairs


def exact(f, x):
    """From the singular values of the whole Jacobian of each row."""
    rows = []
    for one in x:
        jacobian = torch.func.jacrev(lambda row: f(row[None])[0])(one)
        rows.append(torch.linalg.matrix_norm(jacobian.reshape(-1, one.numel()), 2))
    return torch.stack(rows)


def network(*widths):
    layers = [layer for a, b in itertools.pairwise(widths) for layer in (nn.Linear(a, b), nn.Tanh())]
    return nn.Sequential(*layers[:-1]).double()


def test_of_a_linear_map_it_is_the_largest_singular_value():
    weight = torch.randn(5, 8).double()
    found = stretch_at(lambda x: x @ weight.T + 3, torch.randn(4, 8).double(), steps=100)
    torch.testing.assert_close(found, torch.linalg.matrix_norm(weight, 2).expand(4), rtol=1e-4, atol=0)


def test_equals_the_whole_jacobian_and_is_approached_from_below():
    f, x = network(6, 20, 4), torch.randn(7, 6).double()
    truth = exact(f, x)
    torch.testing.assert_close(stretch_at(f, x, steps=150), truth, rtol=1e-4, atol=0)
    before = torch.zeros(7).double()
    for steps in (1, 2, 5, 20):
        found = stretch_at(f, x, steps=steps)
        assert (found <= truth * (1 + 1e-9)).all()
        assert (found >= before - 1e-12).all()
        before = found


def test_of_the_normalisation_it_is_one_over_the_length():
    """z = (3, 4, 0): singular values 0.2, 0.2, 0."""
    found = stretch_at(normalize, torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 0.5]]).double())
    torch.testing.assert_close(found, torch.tensor([0.2, 2.0]).double())


def test_end_to_end_through_convolutions_and_batch_norm():
    model = (
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).double().eval()
    )
    images = torch.randn(3, 1, 6, 6).double()

    def f(x):
        return normalize(model(x))

    torch.testing.assert_close(stretch_at(f, images, steps=100), exact(f, images), rtol=1e-4, atol=0)


def test_no_pair_is_stretched_more_than_the_segment_between():
    f = network(5, 16, 16, 3)
    x, other = torch.randn(2, 30, 5).double()
    between = stretch_between(f, x, other, at=[i / 20 for i in range(21)], steps=20)
    both, ends = torch.cat([x, other]), torch.arange(30)
    pairs = stretch_of_pairs(both, f(both).detach(), ends, ends + 30)
    assert (pairs <= between.amax(1) * (1 + 1e-2)).all()
    assert (pairs > 0.1 * between.amin(1)).any()


def test_close_pairs_measure_the_derivative():
    f, x = network(4, 9, 3), torch.randn(1, 4).double()
    near = torch.cat([x, x + 1e-5 * torch.randn(4000, 4)])
    pairs = stretch_of_pairs(near, f(near).detach(), torch.zeros(4000, dtype=torch.int64), torch.arange(1, 4001))
    assert pairs.max() == pytest.approx(float(stretch_at(f, x, steps=300)), rel=0.05)


def test_pairs_that_coincide_and_maps_that_stand_still():
    x, z = torch.tensor([[0.0], [0.0], [0.0]]), torch.tensor([[1.0], [1.0], [5.0]])
    found = stretch_of_pairs(x, z, torch.tensor([0, 0]), torch.tensor([1, 2]))
    assert found[0].isnan()
    assert found[1] == math.inf
    assert (stretch_at(lambda x: x * 0, torch.randn(3, 2)) == 0).all()


def test_repeats_with_its_seed_and_refuses_what_is_no_map_of_rows():
    f, x = network(4, 3), torch.randn(5, 4).double()
    assert torch.equal(stretch_at(f, x, steps=2), stretch_at(f, x, steps=2))
    assert not torch.equal(stretch_at(f, x, steps=2), stretch_at(f, x, steps=2, seed=1))
    with pytest.raises(ValueError, match="one row for each of 5 rows"):
        stretch_at(lambda x: x.sum(0), x)
    for once in (safe.normalize, lambda x: x + safe.normalize(x)):
        with pytest.raises(ValueError, match="differentiated once only"):
            stretch_at(once, x)
    with pytest.raises(ValueError, match="1 or more steps"):
        stretch_at(f, x, steps=0)
