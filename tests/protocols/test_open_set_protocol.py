"""The open-set protocol: a gallery of known people, probes of known and unknown ones."""

import math

import pytest
import torch

from isometry.protocols.open_set import open_set
from isometry.protocols.retrieval import evaluate


def people(known=20, unknown=40, noise=0.6):
    centre = torch.randn(known, 6)
    probes = torch.cat([centre + noise * torch.randn(known, 6), torch.randn(unknown, 6)])
    return probes, torch.cat([torch.arange(known), torch.arange(unknown) + 500]), (centre, torch.arange(known))


def test_worked_by_hand():
    """Known probes at .9 (first), .6 (second) and .4 (first); strangers at .5 and .3; see the table."""
    table = torch.tensor([[0.9, 0.2, 0.1, 0.3], [0.5, 0.6, 0.7, 0.1], [0.1, 0.2, 0.4, 0.1], [0.5, 0.1, 0.1, 0.2],
                          [0.3, 0.3, 0.1, 0.2]])  # fmt: skip
    found = open_set(table, [0, 1, 2, 8, -1], against=(torch.eye(4), [0, 1, 2, 3]), similarity="dot")
    assert found.dir(far=1.0) == pytest.approx(2 / 3)
    assert found.dir(far=1.0, k=2) == 1
    assert found.dir(far=0.5) == pytest.approx(2 / 3)
    assert found.threshold(far=0.5) == pytest.approx(0.4)
    assert found.at(0.4) == (0.5, pytest.approx(1 / 3))
    assert found.at(0.45) == (0.5, pytest.approx(2 / 3))
    assert found.at(0.55, k=2) == (0.0, pytest.approx(1 / 3))
    threshold, fpir, fnir = found.curve()
    assert threshold.tolist() == pytest.approx([0.9, 0.6, 0.4])
    assert fpir.tolist() == [0, 0, 0.5]
    assert fnir.tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3])


def test_the_curve_and_the_rates_agree():
    z, y, gallery = people()
    found = open_set(z, y, against=gallery)
    for k in (1, 3):
        for threshold, fpir, fnir in zip(*found.curve(k=k), strict=True):
            assert found.at(float(threshold), k=k) == (fpir, fnir)
    for far in (0.05, 0.2, 1.0):
        fpir, fnir = found.at(found.threshold(far=far))
        assert fpir <= far
        assert fnir == pytest.approx(1 - found.dir(far=far))


def test_equals_the_statistic():
    z, y, gallery = people()
    with pytest.warns(UserWarning, match="not scored"):
        results = evaluate(z, y, "Recall(k=1), DIR(far=0.1)", against=gallery)
    found = open_set(z, y, against=gallery)
    assert results["DIR(far=0.1)"].value == pytest.approx(found.dir(far=0.1))
    assert results["Recall(k=1)"].value == pytest.approx(found.dir(far=1.0))


def test_every_item_against_all_others():
    y = torch.tensor([0, 0, 1, 1, 2, -1])
    z = torch.nn.functional.one_hot(y.clamp_min(0) + 3 * (y < 0)).float() + 0.1
    found = open_set(z, y)
    assert found.probes.enrolled.tolist() == [True] * 4 + [False] * 2
    assert found.dir(far=0.5) == 1


def test_nobody_unknown():
    z, y, gallery = people(unknown=0)
    found = open_set(z, y, against=gallery)
    assert math.isnan(found.at(0.5)[0])
    with pytest.raises(ValueError, match="cannot measure"):
        found.dir(far=0.1)


def test_a_threshold_that_accepts_nobody():
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = open_set(torch.cat([z, z]), [0, 1, 8, 9], against=(z, [0, 1]))
    assert found.threshold(far=0.5) == math.inf
    assert found.dir(far=0.5) == 0


def test_bad_input_is_refused():
    z, y, gallery = people()
    with pytest.raises(ValueError, match="NaN or Inf"):
        open_set(z * torch.nan, y, against=gallery)
    with pytest.raises(ValueError, match="Identities are classes"):
        open_set(z, torch.ones(60, 3, dtype=torch.bool), against=(gallery[0], torch.ones(20, 3, dtype=torch.bool)))
