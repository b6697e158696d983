"""Streamed counts against all pairs in a list: every kind of label, both sides, any memory."""

import pytest
import torch

from isometry.ops import roc
from isometry.ops.pair_counts import EDGE, all_pairs, counted, genuine_scores
from isometry.ops.ranking import inner, minus_distance


def space(n, classes, sets=False, grid=True):
    """Embeddings on a coarse grid (many ties) or not; labels with unknown ones."""
    z = torch.randint(-2, 3, (n, 4)).float() if grid else torch.nn.functional.normalize(torch.randn(n, 8), dim=1)
    y = (torch.rand(n, classes) < 2 / classes) if sets else torch.randint(-1, classes, (n,)) + 0
    return z, y if sets else torch.where(y >= 0, y + 2**60, y)


def listed(side, other, compare):
    """Genuine and impostor scores by a double loop; pairs once where both sides are one."""
    genuine, impostor = [], []
    (z, y, ids), (g, y_g, ids_g) = side, other
    sim, ids, ids_g = compare(z.double(), g.double()).float(), ids.tolist(), ids_g.tolist()
    for i in range(len(z)):
        for j in range(i + 1 if other is side else 0, len(g)):
            a, b = y[i], y_g[j]
            known = (a.any() and b.any()) if a.ndim else (a != -1 and b != -1)
            if ids[i] == ids_g[j] or not known:
                continue
            same = bool((a & b).any()) if a.ndim else a == b
            (genuine if same else impostor).append(sim[i, j])
    return torch.stack(genuine), torch.stack(impostor)


def assert_same_path(found, expected):
    """Equal corners after every genuine step, and all thresholds there."""
    for kind in ("genuine", "impostor"):
        assert getattr(found, kind).sum() == getattr(expected, kind).sum()
    for one, other in ((found, expected), (expected, found)):
        scored = one.genuine > 0
        mine = torch.stack([count[1:][scored] for count in one.accepted()])
        if one is found:
            assert (one.low == one.high)[scored].all()
            kept = one.low[scored], mine
        else:
            torch.testing.assert_close(kept[0], other.low[other.genuine > 0], rtol=0, atol=0)
            torch.testing.assert_close(kept[1], mine, rtol=0, atol=0)


@pytest.mark.parametrize("memory", ["512 MB", "64 KB"])
@pytest.mark.parametrize("compare", [inner, minus_distance])
@pytest.mark.parametrize("sets", [False, True])
@pytest.mark.parametrize("both", [True, False])
def test_equals_the_list_of_all_pairs(both, sets, compare, memory):
    z, y = space(60, 15, sets)
    ids = torch.randperm(60) // 2  # some items are one and the same
    side = (z, y, ids)
    g = None if both else (*space(40, 15, sets), torch.arange(10, 50))
    pairs = all_pairs(*side, g, compare, memory)
    found = counted(pairs, genuine_scores(pairs)).steps
    assert_same_path(found, roc.steps(*listed(side, side if both else g, compare)))


def test_one_more_search_tells_apart_what_a_sample_of_edges_does_not():
    """With room for a few edges only, the gap that an answer falls into is counted again."""
    z, y = space(120, 4, grid=False)
    pairs = all_pairs(z, y, torch.arange(120), None, inner, 40 * EDGE)
    edges = genuine_scores(pairs)
    assert 10 <= len(edges) <= 40
    found = counted(pairs, edges).steps
    assert found.open().any()
    side = (z, y, torch.arange(120))
    genuine, impostor = listed(side, side, inner)
    whole = roc.steps(genuine, impostor)
    for read in (roc.auroc, roc.average_precision, roc.best_accuracy):
        reading = read(found)
        assert 0 < reading.error < 0.1
        assert abs(reading.value - read(whole).value) <= reading.error + 1e-12
    for read in (lambda s: roc.tar_at(s, 0.02), lambda s: roc.tar_at(s, 0.3), roc.eer):
        reading, again = read(found), 0
        while reading.gap is not None:
            ends = torch.tensor(reading.gap)
            reading = read(counted(pairs, torch.cat([ends, genuine_scores(pairs, *reading.gap)]).unique()).steps)
            again += 1
        assert again
        assert reading.value == pytest.approx(read(whole).value, abs=1e-12)
        assert reading.threshold == read(whole).threshold


def test_sample_of_edges_is_even():
    z, y = space(400, 2, grid=False)
    pairs = all_pairs(z, y, torch.arange(400), None, inner, 200 * EDGE)
    all_of_them = genuine_scores(all_pairs(z, y, torch.arange(400), None, inner, "512 MB"))
    place = torch.searchsorted(all_of_them, genuine_scores(pairs)).double() / len(all_of_them)
    assert place.diff().max() < 0.12


def test_equal_vectors_have_equal_scores_wherever_they_stand():
    row = torch.nn.functional.normalize(torch.randn(1, 127), dim=1)
    pairs = all_pairs(row.repeat(1501, 1), torch.arange(1501) // 3, torch.arange(1501), None, inner, "8 MB")
    found = counted(pairs, genuine_scores(pairs)).steps
    assert (len(found.low), found.genuine.item(), found.impostor.item()) == (1, 1500, 1501 * 1500 // 2 - 1500)


def test_counts_pass_two_to_the_31():
    found = roc.Steps(torch.zeros(2), torch.zeros(2), torch.tensor([2**40, 0]), torch.tensor([0, 2**40]))
    assert roc.auroc(found).value == 1


def test_a_similarity_that_is_no_number_is_refused():
    def broken(q, g):
        return (q @ g.T).log()

    pairs = all_pairs(torch.randn(20, 3), torch.arange(20) // 2, torch.arange(20), None, broken, "1 MB")
    with pytest.raises(ValueError, match="NaN"):
        counted(pairs, torch.zeros(1))


def test_unknown_labels_make_no_pairs():
    z, y = torch.randn(6, 2), torch.tensor([-1, -1, 0, 0, 1, -1])
    pairs = all_pairs(z, y, torch.arange(6), None, inner, "1 MB")
    found = counted(pairs, genuine_scores(pairs)).steps
    assert (int(found.genuine.sum()), int(found.impostor.sum())) == (1, 2)


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("memory", ["512 MB", "256 KB"])
def test_without_a_group_are_the_pairs_that_do_not_touch_its_classes(both, memory):
    z, y = space(50, 12, grid=False)
    side = (z, y, torch.randperm(50))
    g = side if both else (*space(40, 12, grid=False), torch.arange(30, 70))
    pairs = all_pairs(*side, None if both else g, inner, memory, groups=5, seed=1)
    found = counted(pairs, edges := genuine_scores(pairs))
    assert_same_path(found.steps, roc.steps(*listed(side, g, inner)))
    assert len(found.without) == 5
    plain = all_pairs(*side, None if both else g, inner, memory)
    assert torch.equal(edges, genuine_scores(plain))
    assert not counted(plain, edges).without
    genuine, impostor = (len(scores) for scores in listed(side, g, inner))
    assert sum(genuine - int(steps.genuine.sum()) for steps in found.without) == genuine  # each touches one group
    assert impostor <= sum(impostor - int(steps.impostor.sum()) for steps in found.without) <= 2 * impostor


def test_groups_of_one_class_each_leave_that_class_out():
    z, y = space(60, 6, grid=False)
    side = (z, y, torch.arange(60))
    pairs = all_pairs(*side, None, inner, "512 MB", groups=99)
    found = counted(pairs, genuine_scores(pairs))
    areas = []
    for out in range(6):
        rest = tuple(t[y != out + 2**60] for t in side)
        areas.append(roc.auroc(roc.steps(*listed(rest, rest, inner))).value)
    assert sorted(roc.auroc(steps).value for steps in found.without) == pytest.approx(sorted(areas), abs=1e-12)
