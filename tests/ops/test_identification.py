"""Identification against loops over identities, with ties, several items a class, unknown and own items."""

import math

import pytest
import torch

from isometry.ops.identification import detected, identify, passed
from isometry.ops.ranking import inner, minus_distance


def loops(q, y, ids, g, y_g, ids_g, compare):
    """Enrolled, mate, above, equal and best of each probe."""
    sim, rows = compare(q.double(), g.double()).float().tolist(), []
    for i in range(len(q)):
        closest = {}
        for j in range(len(g)):
            if ids_g[j] != ids[i]:
                name = ("alone", j) if y_g[j] == -1 else int(y_g[j])
                closest[name] = max(closest.get(name, -math.inf), sim[i][j])
        mate = closest.get(int(y[i]), -math.inf)
        others = [s for name, s in closest.items() if name != int(y[i])]
        rows.append((mate > -math.inf, mate, sum(s > mate for s in others), sum(s == mate for s in others),
                     max(closest.values(), default=-math.inf)))  # fmt: skip
    return rows


@pytest.mark.parametrize("memory", ["512 MB", "2 KB"])
@pytest.mark.parametrize("compare", [inner, minus_distance])
def test_equals_loops_over_identities(compare, memory):
    q, g = torch.randint(-2, 3, (60, 3)).float(), torch.randint(-2, 3, (50, 3)).float()
    y, y_g = torch.randint(-1, 14, (60,)) + 2**60, torch.randint(-1, 10, (50,)) + 2**60
    y[y < 2**60], y_g[y_g < 2**60] = -1, -1
    ids, ids_g = torch.arange(60), torch.randperm(80)[:50] + 20
    found = identify(q, y, ids, g, y_g, ids_g, compare=compare, memory=memory)
    for i, (enrolled, mate, above, equal, best) in enumerate(loops(q, y, ids, g, y_g, ids_g, compare)):
        assert found.enrolled[i] == enrolled
        assert found.best[i] == best
        if enrolled:
            assert (found.mate[i], found.above[i], found.equal[i]) == (mate, above, equal)


def test_worked_by_hand():
    """Gallery of four people, probes of three of them and two strangers; similarities as in the table."""
    table = torch.tensor([
        [0.9, 0.2, 0.1, 0.3],  # person 0: first, at 0.9
        [0.5, 0.6, 0.7, 0.1],  # person 1: second (0.7 is closer), at 0.6
        [0.1, 0.2, 0.4, 0.1],  # person 2: first, at 0.4
        [0.5, 0.1, 0.1, 0.2],  # stranger: 0.5
        [0.3, 0.3, 0.1, 0.2],  # stranger: 0.3
    ])  # fmt: skip
    y, people = torch.tensor([0, 1, 2, 8, 9]), torch.arange(4)
    found = identify(table, y, torch.arange(4, 9), torch.eye(4), people, people, compare=inner)
    assert found.found(1).tolist() == [1, 0, 1, 0, 0]
    assert found.found(2).tolist() == [1, 1, 1, 0, 0]
    assert detected(found, 0.5).tolist() == [True, True, True, False, False]  # 0.4 lets one of two strangers in
    found.mate[2] = 0.3
    assert detected(found, 0.5).tolist() == [True, True, False, False, False]  # at 0.3 both would pass
    assert detected(found, 1.0).tolist() == [True, True, True, False, False]
    assert passed(found.unknown(), torch.tensor([0.6, 0.5, 0.4, 0.3, 0.2])).tolist() == [0, 1, 1, 2, 2]


def test_equals_are_ranked_in_expectation():
    """All identities equally close: rank 1 with probability 1 of 8, among the first 3 with 3 of 8."""
    y = torch.arange(8)
    found = identify(torch.ones(8, 2), y, y, torch.ones(8, 2), y, y + 8, compare=inner)
    assert found.found(1).tolist() == [1 / 8] * 8
    assert found.found(3).tolist() == [3 / 8] * 8
    assert found.found(20).tolist() == [1] * 8


def test_more_items_of_an_identity_count_once():
    g = torch.tensor([[1.0, 0.0]] * 5 + [[0.0, 1.0]])
    y_g = torch.tensor([0] * 5 + [1])
    probe, ids = torch.tensor([[1.0, 0.9]]), torch.tensor([9])
    found = identify(probe, torch.tensor([1]), ids, g, y_g, torch.arange(6), compare=inner)
    assert (found.above[0], found.equal[0]) == (1, 0)


def test_what_cannot_be_measured_is_refused():
    y = torch.arange(8)
    found = identify(torch.randn(8, 2), y, y, torch.randn(8, 2), y, y + 8, compare=inner)
    with pytest.raises(ValueError, match=r"less than one of 0 probes of unknown classes"):
        detected(found, 0.5)
    assert detected(found, 1.0).all()
    apart = identify(torch.randn(8, 2), y + 20, y, torch.randn(8, 2), y, y + 8, compare=inner)
    with pytest.raises(ValueError, match="nothing can be identified"):
        detected(apart, 0.5)


@pytest.mark.parametrize("count", [3, 7, 20, 1000])
def test_a_rate_that_is_a_whole_number_of_probes_lets_them_through(count):
    """Strangers at 1, 2, … `count`; at a rate of i / count i of them pass, and i known probes above."""
    z, strangers = torch.arange(1, count + 1)[:, None].float(), torch.arange(count) + 10
    known, y = torch.arange(count)[:, None] + 0.5, torch.zeros(count, dtype=torch.int64)
    y, ids = torch.cat([y, strangers]), torch.arange(2 * count) + 1
    found = identify(torch.cat([known, z]), y, ids, torch.ones(1, 1), y[:1], ids[:1] - 1, compare=inner)
    for i in range(1, min(count, 50)):
        assert detected(found, i / count).sum() == i
