"""The spectrum of a space: numpy's decomposition as oracle, and spaces whose spectrum is known."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from isometry.metrics.spectrum import PCF, EffectiveRank, SpectralDecay
from isometry.ops.spectrum import singular_values
from tests.metrics.spaces import by_distance, rotation, space

SHAPES = [(50, 8), (8, 50), (1, 5), (300, 1), (20, 20)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("centred", [False, True])
def test_singular_values_are_those_of_numpy(shape, centred):
    x = torch.randn(shape) * torch.logspace(0, -3, shape[1]) + 2
    rows = x.double().numpy()
    expected = torch.from_numpy(np.linalg.svd(rows - rows.mean(0) * centred, compute_uv=False))
    found = singular_values(x, centred=centred)
    assert len(found) == min(shape)
    torch.testing.assert_close(found, expected, atol=2e-5 * float(x.norm()) / min(shape) ** 0.5, rtol=1e-5)


@pytest.mark.parametrize("drop", [0, 1, 3])
def test_decay_equals_its_definition(drop):
    z = torch.randn(200, 6) * torch.tensor([5.0, 3, 2, 1, 0.5, 0.1])
    unit = z.double() / z.double().norm(dim=1, keepdim=True)
    s = np.linalg.svd(unit.numpy(), compute_uv=False)[drop:]
    s = s / s.sum()
    expected = sum(1 / len(s) * math.log(1 / len(s) / value) for value in s)
    assert SpectralDecay(drop=drop).measure(space(z)).value == pytest.approx(expected, abs=1e-6)


def test_by_hand():
    """Singular values 3 and 1."""
    here = by_distance(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
    assert SpectralDecay().measure(here).value == pytest.approx(0.14384, abs=1e-5)
    assert EffectiveRank().measure(here).value == pytest.approx(
        math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    )
    assert SpectralDecay(drop=1).measure(here).value == 0


def test_directions_used_alike():
    here = space(torch.eye(7).repeat(3, 1))
    assert SpectralDecay().measure(here).value == pytest.approx(0, abs=1e-9)
    assert EffectiveRank().measure(here).value == pytest.approx(7)
    assert PCF(variance=1.0).measure(here).value == pytest.approx(6 / 7)  # centred, they sum to nothing
    assert PCF(variance=0.5).measure(here).value == pytest.approx(3 / 7)


def test_principal_components_are_those_of_scikit_learn():
    z = torch.randn(300, 10) * torch.linspace(3, 0.1, 10) + 4
    ratio = PCA().fit(z.double().numpy()).explained_variance_ratio_.cumsum()
    for variance in (0.3, 0.5, 0.9, 0.99):
        expected = (1 + int((ratio < variance).sum())) / 10
        assert PCF(variance=variance).measure(by_distance(z)).value == pytest.approx(expected)


@pytest.mark.parametrize("statistic", [SpectralDecay(), EffectiveRank(), PCF()], ids=repr)
def test_rotations_and_scale_change_nothing(statistic):
    z = torch.randn(100, 6) * torch.tensor([3.0, 2, 2, 1, 0.5, 0.5]) + 0.5
    value = statistic.measure(by_distance(z)).value
    assert statistic.measure(by_distance(4 * z @ rotation(6))).value == pytest.approx(value, rel=1e-5)
    assert statistic.measure(space(z)).value == pytest.approx(
        statistic.measure(space(z * torch.rand(100, 1).exp())).value, rel=1e-5
    )


def test_a_collapsed_space_and_one_that_fills_fewer_dimensions():
    for z in (torch.full((30, 4), 0.7), torch.randn(4).expand(30, 4) * torch.rand(30, 1).exp()):
        assert SpectralDecay().measure(space(z)).value == math.inf
        assert EffectiveRank().measure(space(z)).value == pytest.approx(1)
        assert PCF().measure(space(z)).value == 0
    flat = torch.randn(50, 2) @ torch.randn(2, 6)
    assert SpectralDecay().measure(space(flat)).value == math.inf
    assert EffectiveRank().measure(space(flat)).value <= 2
    assert PCF(variance=1.0).measure(space(flat)).value == pytest.approx(2 / 6)


def test_has_no_interval_and_refuses_what_means_nothing():
    found = SpectralDecay().measure(space(torch.randn(9, 3)))
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    with pytest.raises(ValueError, match=r"SpectralDecay\(drop=3\) leaves none"):
        SpectralDecay(drop=3).measure(space(torch.randn(9, 3)))
    with pytest.raises(ValueError, match="0 or more"):
        SpectralDecay(drop=-1)
    with pytest.raises(ValueError, match="all are"):
        EffectiveRank().measure(space(torch.zeros(5, 3)))
    with pytest.raises(ValueError, match="at most 1"):
        PCF(variance=1.5)
