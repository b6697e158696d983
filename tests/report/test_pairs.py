"""Histograms of similarity and their equal-error threshold, against loops over every pair."""

import dataclasses

import numpy as np
import pytest
import torch

from isometry.report import Items
from isometry.report.pairs import BINS, Pairs, bins_of, equal_error, error_rates, histogram

from .conftest import record_of


def noise(n, classes, spread=1.0, seed=0):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=draw)
    return torch.randn(classes, 8, generator=draw)[labels] + spread * torch.randn(n, 8, generator=draw), labels


def by_loops(record):
    """Similarities of positive and of negative pairs, one by one."""
    queries, gallery = record.queries, record.searched
    own, others = record.identities()
    q, g = queries.unit(slice(None)), gallery.unit(slice(None))
    kinds = {True: [], False: []}
    for i in range(len(queries)):
        for j in range(len(gallery)):
            y, other = int(queries.labels[i]), int(gallery.labels[j])
            if y >= 0 and other >= 0 and own[i] != others[j]:
                kinds[y == other].append(float(q[i] @ g[j]))
    return np.array(kinds[True]), np.array(kinds[False])


def assert_counts(pairs, record):
    for count, values in zip((pairs.positive, pairs.negative), by_loops(record), strict=True):
        coarse, _ = np.histogram(values, bins=40, range=(-1, 1))
        assert count.view(40, -1).sum(1).tolist() == coarse.tolist()


def test_leave_one_out_counts_every_ordered_pair_but_the_item_itself():
    z, labels = noise(50, 6)
    labels[3] = -1
    record = record_of(z, labels, "abcdef")
    pairs = histogram(record)
    assert pairs.exact
    assert int((pairs.positive + pairs.negative).sum()) == 49 * 48
    assert_counts(pairs, record)


def test_queries_and_gallery_leave_out_the_same_id_only():
    z, labels = noise(60, 5)
    queries = Items(z=z[:20], labels=labels[:20], ids=torch.arange(20))
    gallery = Items(z=z[10:], labels=labels[10:], ids=torch.arange(10, 60))
    record = record_of(z[:20], labels[:20], "abcde", queries=queries)
    record = dataclasses.replace(record, gallery=gallery)
    pairs = histogram(record)
    assert int((pairs.positive + pairs.negative).sum()) == 20 * 50 - 10
    assert_counts(pairs, record)


def test_exact_duplicates_are_pairs_at_similarity_one():
    record = record_of(torch.ones(4, 3), torch.tensor([0, 0, 1, 1]), "ab")
    pairs = histogram(record)
    assert int(pairs.positive[BINS - 1]) == 4
    assert int(pairs.negative[BINS - 1]) == 8


@pytest.mark.parametrize("apart", [False, True])
def test_sampled_densities_are_those_of_all_pairs(apart):
    z, labels = noise(1500, 40)
    record = record_of(z, labels, [str(k) for k in range(40)])
    if apart:
        record = dataclasses.replace(record, gallery=Items(z=z.flip(0), labels=labels.flip(0)))
    exact, sampled = histogram(record), histogram(record, exact_pairs=0)
    assert exact.exact
    assert not sampled.exact
    for a, b in zip(exact[:2], sampled[:2], strict=True):
        gap = a.cumsum(0) / a.sum() - b.cumsum(0) / b.sum()
        assert float(gap.abs().max()) < 0.004


def test_sampling_finds_no_positive_pair_where_there_is_none():
    z, _ = noise(30, 3)
    pairs = histogram(record_of(z, torch.arange(30), [str(k) for k in range(30)]), exact_pairs=0)
    assert int(pairs.positive.sum()) == 0
    assert int(pairs.negative.sum()) > 0


def test_at_the_threshold_both_errors_are_equal():
    record = record_of(*noise(120, 6), "abcdef")
    found = equal_error(histogram(record))
    positive, negative = by_loops(record)
    missed, accepted = (positive < found.threshold).mean(), (negative >= found.threshold).mean()
    assert missed == pytest.approx(accepted, abs=0.01)
    assert found.rate == pytest.approx(missed, abs=0.01)
    thresholds = np.linspace(-1, 1, 8001)
    gaps = [abs((positive < t).mean() - (negative >= t).mean()) for t in thresholds]
    assert found.threshold == pytest.approx(thresholds[int(np.argmin(gaps))], abs=0.01)


def test_separate_classes_give_the_middle_of_the_gap_and_no_error():
    counts = torch.zeros(2, BINS, dtype=torch.int64)
    counts[0, bins_of(torch.tensor(0.8))] = 10
    counts[1, bins_of(torch.tensor(0.2))] = 10
    found = equal_error(Pairs(counts[0], counts[1], exact=True))
    assert found.threshold == pytest.approx(0.5, abs=0.001)
    assert found.rate == 0


def test_one_kind_of_pair_alone_has_no_threshold():
    counts = torch.zeros(BINS, dtype=torch.int64)
    assert equal_error(Pairs(counts + 1, counts, exact=True)) is None


def test_error_rates_run_from_accepting_all_to_missing_all():
    missed, accepted = error_rates(histogram(record_of(*noise(40, 4), "abcd")))
    assert (float(missed[0]), float(missed[-1])) == (0, 1)
    assert (float(accepted[0]), float(accepted[-1])) == (1, 0)
