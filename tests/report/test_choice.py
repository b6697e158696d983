"""Which queries and classes are shown: the counts are worked out by hand."""

import math

import torch

from isometry.report import choice
from isometry.report.confusion import confused, hardest, mistakes, relevant

from .conftest import record_of


def by_hand():
    """Classes a (3 items), b (2), c (2), d (1). The first item of a finds two b; the first of b finds an a."""
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 3])
    neighbours = torch.tensor([[3, 4, 1], [0, 2, 3], [0, 1, 3], [0, 4, 1], [3, 0, 1], [6, 0, 1], [5, 0, 1], [0, 1, 2]])
    sims = torch.linspace(0.9, 0.7, 3).repeat(8, 1)
    values = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, math.nan])
    record = record_of(torch.randn(8, 4), labels, "abcd", neighbours=neighbours, similarities=sims, per_query=values)
    return record


def test_relevant_counts_leave_out_the_query_itself():
    assert relevant(by_hand()).tolist() == [2, 2, 2, 1, 1, 1, 1, 0]


def test_mistakes_are_counted_within_the_first_r():
    seen = mistakes(by_hand())
    assert seen.slots.tolist() == [6, 2, 2, 0]
    assert {tuple(pair): int(count) for pair, count in zip(seen.pairs.tolist(), seen.counts, strict=True)} == {
        (0, 1): 2,
        (1, 0): 1,
    }


def test_the_most_confused_pair_and_its_two_shares():
    record = by_hand()
    (pair,) = confused(record, mistakes(record))
    assert (pair.a, pair.b) == (0, 1)
    assert (pair.a_to_b, pair.b_to_a) == (2 / 6, 1 / 2)


def test_hardest_classes_are_those_of_the_lowest_mean():
    record = by_hand()
    first, second, third = hardest(record, mistakes(record))
    assert (first.label, first.value, first.queries, first.taken_for, first.share) == (1, 0.5, 2, 0, 0.5)
    assert (second.label, third.label) == (0, 2)
    assert third.taken_for is None


def test_best_and_worst_take_one_query_a_class_and_skip_the_unscored():
    record = by_hand()
    assert choice.best(record) == [1, 4, 5]
    assert choice.worst(record) == [0, 3, 5]


def test_random_queries_are_scored_distinct_and_the_same_each_time(record):
    chosen = choice.at_random(record, rows=59)
    assert sorted(chosen) == [i for i in range(60) if i != 7]
    assert chosen == choice.at_random(record, rows=59)
    assert chosen[:8] == choice.at_random(record)
