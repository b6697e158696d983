"""The map: which items are shown, where, and which neighbours are theirs."""

import dataclasses

import pytest
import torch

from isometry.report import Items
from isometry.report.projection import NEIGHBOURS, project, sample

from .conftest import record_of


def test_all_items_are_shown_when_they_fit():
    assert sample(torch.arange(50) % 7, 50).tolist() == list(range(50))


def test_a_sample_holds_whole_classes_up_to_the_last_one():
    labels = torch.arange(5000) % 500
    chosen = sample(labels, 1000)
    sizes = torch.bincount(labels[chosen])
    assert len(chosen) == 1000
    assert len(chosen.unique()) == 1000
    assert sorted(sizes[sizes > 0].tolist()) == [10] * 100


def test_a_huge_class_does_not_crowd_out_the_others():
    labels = torch.cat([torch.zeros(100_000, dtype=torch.int64), 1 + torch.arange(200) % 4])
    sizes = torch.bincount(labels[sample(labels, 100)], minlength=5)
    assert int(sizes.max()) <= 20
    assert int((sizes > 0).sum()) == 5


def test_neighbours_are_the_nearest_shown_by_cosine(record):
    flat = project(record)
    z = torch.stack([point.items.unit(slice(point.i, point.i + 1))[0] for point in flat.points])
    for i in range(len(z)):
        order = sorted((j for j in range(len(z)) if j != i), key=lambda j, i=i: -float(z[i] @ z[j]))
        assert flat.near[i].tolist() == order[:NEIGHBOURS]


def test_an_item_in_both_sets_is_drawn_once(record):
    items = record.queries
    queries = Items(z=items.z[:40], labels=items.labels[:40], ids=torch.arange(40))
    gallery = Items(z=items.z[30:], labels=items.labels[30:], ids=torch.arange(30, 60))
    both = dataclasses.replace(
        record, queries=queries, gallery=gallery, group_names=(), per_query=record.per_query[:40],
        neighbours=record.neighbours[:40, :1] * 0, similarities=record.similarities[:40, :1],
    )  # fmt: skip
    points = project(both).points
    assert len(points) == 60
    assert sum(point.gallery for point in points) == 20


@pytest.mark.parametrize("n", [1, 2, 3, 5, 40])
@pytest.mark.parametrize("d", [1, 2, 8])
@pytest.mark.parametrize("collapsed", [False, True])
def test_any_size_and_a_collapsed_embedding_land_in_the_unit_square(n, d, collapsed):
    z = torch.ones(n, d) if collapsed else torch.randn(n, d)
    flat = project(record_of(z, torch.zeros(n, dtype=torch.int64), ["a"]))
    assert flat.xy.shape == (n, 2)
    assert bool(((flat.xy >= -1e-4) & (flat.xy <= 1 + 1e-4)).all())


def test_the_same_record_gives_the_same_map(record):
    assert torch.equal(project(record).xy, project(record).xy)
