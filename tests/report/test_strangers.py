"""Who is named where half of the classes are strangers, against loops over probes."""

import dataclasses

import pytest
import torch

from isometry.report import Items, render
from isometry.report.strangers import DIVISIONS
from isometry.report.strangers import strangers as measured

from .conftest import record_of


def noise(n=72, classes=8, spread=0.6, seed=0):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    return torch.randn(classes, 8, generator=draw)[labels] + spread * torch.randn(n, 8, generator=draw), labels


def by_loops(record, half, rate):
    """The share of probes of `half` that are named right, where at most `rate` of the other probes reach the threshold."""
    queries, gallery = record.queries, record.searched
    own, others = record.identities()
    sim = queries.unit(slice(None)) @ gallery.unit(slice(None)).T
    scores, rights, outside = [], [], []
    for i, y in enumerate(queries.labels.tolist()):
        open_to = [
            j for j, other in enumerate(gallery.labels.tolist()) if other in half and int(own[i]) != int(others[j])
        ]
        best = max(open_to, key=lambda j: float(sim[i, j]))
        if y in half:
            scores.append(float(sim[i, best]))
            rights.append(int(gallery.labels[best]) == y)
        else:
            outside.append(float(sim[i, best]))
    shares = [
        sum(right and score >= threshold for score, right in zip(scores, rights, strict=True)) / len(scores)
        for threshold in [*scores, 2.0]
        if sum(other >= threshold for other in outside) / len(outside) <= rate
    ]
    return max(shares)


def halves(names):
    """The divisions that are drawn, in their order."""
    draw = torch.Generator().manual_seed(0)
    names = names[torch.randperm(len(names), generator=draw)]
    draw.manual_seed(1)
    for _ in range(DIVISIONS):
        order = names[torch.randperm(len(names), generator=draw)].tolist()
        yield from (set(order[: len(order) // 2]), set(order[len(order) // 2 :]))


def test_the_curve_is_that_of_loops_over_probes():
    z, labels = noise()
    record = record_of(z, labels, "abcdefgh")
    found = measured(record)
    for rate in (float(found.rate[0]), 0.1, 0.5, 1.0):
        rate = float(found.rate[found.rate <= rate + 1e-12][-1])
        shares = torch.tensor([by_loops(record, half, rate) for half in halves(torch.arange(8))])
        assert found.at(rate) == pytest.approx([float(v) for v in (shares.mean(), shares.min(), shares.max())])
    assert (found.classes, found.probes, found.items, found.sampled) == (8, 72, 36, False)


def test_more_strangers_let_in_means_no_fewer_names():
    found = measured(record_of(*noise(), "abcdefgh"))
    assert (found.named.diff() >= -1e-12).all()
    assert float(found.named[-1]) == pytest.approx(found.closed)
    assert (found.low <= found.named + 1e-12).all()
    assert (found.named <= found.high + 1e-12).all()


def test_a_query_is_not_found_in_a_gallery_that_holds_it():
    z, labels = noise()
    shared = record_of(z, labels, "abcdefgh", queries=Items(z=z, labels=labels, ids=torch.arange(72)))
    apart = dataclasses.replace(shared, gallery=Items(z=z, labels=labels, ids=torch.arange(72)))
    assert measured(apart).closed == measured(shared).closed < 1
    copies = dataclasses.replace(shared, gallery=Items(z=z, labels=labels, ids=torch.arange(72) + 72))
    assert measured(copies).closed == 1


def test_large_sets_are_drawn_by_whole_classes_and_large_classes_in_part():
    z, labels = noise(8_000, 800)
    found = measured(record_of(z, labels, [str(k) for k in range(800)]))
    assert (found.classes, found.probes, found.sampled) == (400, 4_000, True)
    z, labels = noise(8_000, 4)
    found = measured(record_of(z, labels, "abcd"))
    assert (found.classes, found.probes, found.sampled) == (4, 4_000, True)


@pytest.mark.parametrize("labels", [torch.arange(60) % 3, torch.arange(60), torch.full((60,), -1)])
def test_without_enough_classes_there_is_no_section(labels):
    record = record_of(torch.randn(60, 4), labels, [str(k) for k in range(60)])
    assert measured(record) is None
    assert 'id="strangers"' not in render(record)


def test_the_page_has_the_curve_and_rates_that_the_data_can_measure(record):
    page = render(record)
    assert '<section id="strangers"><h2>Strangers</h2>' in page
    assert ">10 % of strangers named" in page
    assert ">1 % of strangers named" not in page, "thirty strangers cannot measure one in a hundred"
