import itertools
import math
import pickle

import numpy as np
import pytest
import torch

import isometry
from isometry.data.published.nearest_lists import nearest_lists
from isometry.label_neighbours import label_neighbours
from isometry.losses import LogRatio
from isometry.relations import CloseTargets, GivenDistances, Joints, Layouts, close_targets, joints, same_class
from isometry.samplers import DenseTriplets

TARGETS = np.random.default_rng(0).normal(size=(60, 3))


def epochs(sampler, many):
    return np.array([batch for _ in range(many) for batch in sampler])


def test_a_batch_is_an_anchor_its_nearest_and_others():
    for batch in epochs(DenseTriplets(batch_size=12, neighbours=4).bind(TARGETS), 3):
        assert len(set(batch)) == 12
        d = np.linalg.norm(TARGETS - TARGETS[batch[0]], axis=1)
        assert list(batch[:5]) == list(np.argsort(d)[:5])


def test_each_item_is_the_anchor_once_in_a_cycle_and_stands_among_others_as_often():
    batches = epochs(DenseTriplets(batch_size=12, neighbours=0).bind(TARGETS), 12)
    assert sorted(batches[:, 0]) == list(range(60))
    often = np.bincount(batches[:, 1:].ravel(), minlength=60)
    assert often.mean() == 11
    assert often.min() >= 6


def test_epochs_and_seeds_differ_and_resume_is_exact():
    one = DenseTriplets(batch_size=10).bind(TARGETS)
    batches = epochs(one, 4)
    assert not np.array_equal(batches[:6], batches[6:12])
    assert not np.array_equal(epochs(DenseTriplets(batch_size=10, seed=1).bind(TARGETS), 1), batches[:6])
    again, other = DenseTriplets(batch_size=10).bind(TARGETS), DenseTriplets(batch_size=10).bind(TARGETS)
    passing = iter(again)
    for _ in range(4):
        next(passing)
    other.load_state_dict(again.state_dict())
    assert np.array_equal(epochs(other, 2), batches[4:12])


def test_ranks_share_every_batch():
    whole = epochs(DenseTriplets(batch_size=12).bind(TARGETS), 2)
    shares = [epochs(DenseTriplets(batch_size=12).bind(TARGETS, rank=rank, ranks=3), 2) for rank in range(3)]
    assert np.array_equal(np.concatenate(shares, axis=1), whole)


def test_items_without_a_label_are_left_out():
    targets = TARGETS.copy()
    targets[::3, 1] = np.nan
    batches = epochs(DenseTriplets(batch_size=10, neighbours=2).bind(targets), 4)
    assert not (batches % 3 == 0).any()


def test_log_ratio_of_the_anchor_is_the_mean_over_its_dense_triplets():
    batch = next(iter(DenseTriplets(batch_size=9, neighbours=3).bind(TARGETS)))
    y, z = TARGETS[batch], np.random.default_rng(1).normal(size=(9, 4))
    f, g = (((x - x[0]) ** 2).sum(1) for x in (z, y))
    dense = [(i, j) for i, j in itertools.permutations(range(1, 9), 2) if g[i] < g[j]]
    assert len(dense) == 28
    expected = sum((math.log(f[i] / f[j]) - math.log(g[i] / g[j])) ** 2 for i, j in dense) / len(dense)
    value = LogRatio()(torch.from_numpy(z), torch.from_numpy(y), rows=slice(1))
    assert value.item() == pytest.approx(expected)


def test_what_cannot_be_filled_or_divided():
    with pytest.raises(ValueError, match=r"cannot fill a batch from 60 items\. Use batch_size=60 or less"):
        DenseTriplets().bind(TARGETS)
    with pytest.raises(ValueError, match=r"reads numbers \[n\] or \[n t\]; got <U1"):
        DenseTriplets().bind(np.array(["a"]))
    with pytest.raises(ValueError, match="10 images in a batch: they cannot be divided over 3 ranks"):
        DenseTriplets(batch_size=10).bind(TARGETS, ranks=3)
    with pytest.raises(ValueError, match="0 ≤ neighbours < batch_size"):
        DenseTriplets(neighbours=150)
    assert len(DenseTriplets(batch_size=5, neighbours=1).bind(torch.arange(11))) == 2


def nearest(metric, y):
    y = torch.as_tensor(y)
    return metric.distances(y, y).fill_diagonal_(torch.inf).argsort(dim=1, stable=True).numpy()


@pytest.mark.parametrize(
    "relate", [joints, Joints(coordinates=3), CloseTargets(radius=7.0)], ids=["named", "in space", "numbers"]
)
def test_near_is_what_the_relation_calls_near(relate):
    y = np.random.default_rng(4).normal(size=(40, 6)) * np.array([5.0, 1, 1, 1, 1, 1])
    near = nearest(getattr(relate, "metric", relate), y)
    for batch in epochs(DenseTriplets(batch_size=10, neighbours=4, relate=relate).bind(y), 10):
        assert list(batch[1:5]) == list(near[batch[0], :4])


def test_maps_are_neighbours_by_overlap():
    maps = torch.from_numpy(np.random.default_rng(5).integers(0, 3, (30, 4, 4)))
    near = nearest(Layouts(regions=3), maps)
    for batch in epochs(DenseTriplets(batch_size=10, neighbours=1, relate=Layouts(regions=3)).bind(maps), 10):
        assert len(set(batch)) == 10
        d = Layouts(regions=3).distances(maps[batch[:1]], maps[[batch[1], near[batch[0], 0]]])[0]
        assert d[0] == d[1]


def test_several_anchors_each_with_its_neighbours():
    near = nearest(CloseTargets(), TARGETS)[:, :3]
    batches = epochs(DenseTriplets(batch_size=30, neighbours=3, anchors=5).bind(TARGETS), 6)
    served = set()
    for batch in batches:
        assert len(set(batch)) == 30
        assert list(batch[1:4]) == list(near[batch[0]])
        dense = set(batch[:20])  # the groups, without what is in two of them, and others behind
        with_all = {i for i in dense if dense.issuperset(near[i])}
        assert len(with_all) >= 5
        served |= with_all
    assert served == set(range(60))


def test_all_anchors_of_an_epoch_are_different_items():
    rare = np.arange(60.0) ** 2
    batches = epochs(DenseTriplets(batch_size=20, neighbours=0, anchors=4).bind(rare), 5)
    assert sorted(batches[:, :4].ravel()) == list(range(60))


def test_neighbours_are_drawn_among_the_nearest():
    near = nearest(CloseTargets(), TARGETS)
    batches = epochs(DenseTriplets(batch_size=12, neighbours=3, pool=10).bind(TARGETS), 24)
    ranks = [[list(near[batch[0]]).index(i) for i in batch[1:4]] for batch in batches]
    assert {rank for three in ranks for rank in three} == set(range(10))
    assert all(three == sorted(three) and len(set(three)) == 3 for three in ranks)
    again = epochs(DenseTriplets(batch_size=12, neighbours=3, pool=10).bind(TARGETS), 24)
    assert np.array_equal(again, batches)
    assert len(epochs(DenseTriplets(batch_size=50, neighbours=5, pool=100).bind(TARGETS), 2)) == 2


def with_gaps():
    """60 items at given distances; a third have none to most others, and three none to any."""
    matrix = np.abs(np.subtract.outer(np.arange(60.0), np.arange(60.0))) ** 1.5
    matrix[::3, 2::3] = matrix[2::3, ::3] = np.nan
    matrix[[7, 13, 31]] = matrix[:, [7, 13, 31]] = np.nan
    return matrix


@pytest.mark.parametrize("pool", [None, 55])
def test_a_list_that_is_not_full_brings_no_items_that_are_none(pool):
    matrix = with_gaps()
    bound = DenseTriplets(batch_size=30, neighbours=5, pool=pool, anchors=2, relate=GivenDistances(matrix=matrix)).bind(
        np.arange(60)
    )
    anchors = []
    for batch in epochs(bound, 30):
        assert set(batch) <= set(range(60))
        assert len(set(batch)) == 30
        anchors.append(batch[0])
        if pool is None:
            row = np.where(np.arange(60) == batch[0], np.nan, matrix[batch[0]])
            near = [i for i in np.argsort(row, kind="stable")[:5] if not np.isnan(row[i])]
            assert sorted(row[batch[1 : 1 + len(near)]]) == sorted(row[near])
        elif batch[0] not in (7, 13, 31):
            assert not np.isnan(matrix[batch[0], batch[1:6]]).any()
    assert {7, 13, 31} & set(anchors)


def test_fewer_others_than_neighbours():
    y = np.array([0.0, 1.0, 3.0, np.nan, 7.0])
    for batch in epochs(DenseTriplets(batch_size=4, neighbours=3).bind(y), 4):
        assert sorted(batch) == [0, 1, 2, 4]


def test_lists_that_are_kept_are_mined(tmp_path):
    label_neighbours(TARGETS, CloseTargets(), 10, folder=tmp_path / "near")
    lists = str(tmp_path / "near")
    made = DenseTriplets(batch_size=12, neighbours=4, lists=lists)
    assert repr(isometry.parse(repr(made))) == repr(made)
    found, plain = made.bind(TARGETS), DenseTriplets(batch_size=12, neighbours=4).bind(TARGETS)
    assert np.array_equal(epochs(found, 3), epochs(plain, 3))
    with pytest.raises(ValueError, match="found from other labels"):
        made.bind(TARGETS + 1)
    with pytest.raises(ValueError, match="lists of 10 neighbours, and 11 are asked for"):
        DenseTriplets(batch_size=12, neighbours=4, pool=11, lists=lists).bind(TARGETS)
    with pytest.raises(ValueError, match="lists 60 items, and there are 59"):
        made.bind(TARGETS[1:])
    with pytest.raises(FileNotFoundError, match=r"no about\.json"):
        DenseTriplets(batch_size=12, lists=str(tmp_path)).bind(TARGETS)


def test_published_lists_are_mined_as_they_are(tmp_path):
    index = (np.arange(60)[:, None] + [7, 9, 11]) % 60
    for name, rows in (("list_nn.pkl", index), ("dist_nn.pkl", np.tile([1.0, 2.0, 3.0], (60, 1)))):
        (tmp_path / name).write_bytes(pickle.dumps({"trn": rows}, protocol=2))
    nearest_lists(tmp_path, 3, folder=tmp_path / "near")
    y = np.where(np.arange(60) == 20, np.nan, 1.0)
    for batch in epochs(DenseTriplets(batch_size=9, neighbours=3, lists=str(tmp_path / "near")).bind(y), 9):
        near = [i for i in index[batch[0]] if i != 20]
        assert list(batch[1 : 1 + len(near)]) == near
        assert 20 not in batch


def test_large_data_keep_their_neighbours_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ISOMETRY_CACHE", str(tmp_path))
    y = np.random.default_rng(6).integers(0, 500, 60_000).astype(np.float32)
    one = next(iter(DenseTriplets(neighbours=3).bind(y)))
    assert (y[one[1:4]] == y[one[0]]).all()
    (kept,) = tmp_path.iterdir()
    assert {path.name for path in kept.iterdir()} == {"nn_idx.npy", "nn_dist.npy", "about.json"}
    assert next(iter(DenseTriplets(neighbours=3).bind(y))) == one
    assert list(tmp_path.iterdir()) == [kept]
    (kept / "about.json").write_text("")  # as a full disk leaves it
    assert next(iter(DenseTriplets(neighbours=3).bind(y))) == one


def test_it_is_written_and_read_as_text():
    for text in ("DenseTriplets()", "DenseTriplets(neighbours=20, relate=Joints(radius=3.0), anchors=4, pool=30)"):
        sampler = isometry.parse(text)
        assert repr(sampler) == text
        assert sampler.reads == "targets"
    assert DenseTriplets().relate is close_targets


def test_relations_without_a_distance_and_groups_beyond_the_batch():
    with pytest.raises(ValueError, match=r"mines by a distance between labels, and .*same_class.* has none"):
        DenseTriplets(relate=same_class)
    with pytest.raises(ValueError, match=r"anchors · \(1 \+ neighbours\) ≤ batch_size"):
        DenseTriplets(batch_size=20, anchors=4)
    with pytest.raises(ValueError, match="among the `pool` nearest"):
        DenseTriplets(neighbours=5, pool=4)
