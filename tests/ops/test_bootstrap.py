"""Intervals from drawing classes."""

import torch

from isometry.ops.bootstrap import group_bootstrap


def test_covers_the_truth_as_often_as_it_says():
    """Classes with means of their own: 95 % intervals hold the population mean in 95 % of 300 studies, give or take."""
    held, narrow = 0, 0
    for seed in range(300):
        random = torch.Generator().manual_seed(seed)
        mean = 0.6 + 0.1 * torch.randn(60, generator=random)
        groups = torch.arange(60).repeat_interleave(10)
        values = mean[groups] + 0.1 * torch.randn(600, generator=random)
        low, high = group_bootstrap(values[:, None], groups, samples=300, confidence=0.95, seed=seed)
        held += bool(low <= 0.6 <= high)
        error = 1.96 * values.std() / 600**0.5  # as if the rows were independent
        narrow += bool((values.mean() - 0.6).abs() <= error)
    assert 0.91 <= held / 300 <= 0.98
    assert narrow / 300 < 0.75


def test_equals_drawing_classes_in_a_loop():
    groups = torch.tensor([5, 5, 9, -3, -3, -3, 2**60])
    values = torch.rand(7, 2)
    low, high = group_bootstrap(values, groups, samples=4000, confidence=0.8, seed=0)
    random, means = torch.Generator().manual_seed(1), []
    for _ in range(4000):
        classes = torch.tensor([5, 9, -3, 2**60])[torch.randint(4, (4,), generator=random)]
        rows = torch.cat([(groups == c).nonzero().squeeze(1) for c in classes])
        means.append(values[rows].mean(0))
    expected = torch.quantile(torch.stack(means).double(), torch.tensor([0.1, 0.9], dtype=torch.float64), dim=0)
    torch.testing.assert_close(torch.stack([low, high]), expected, atol=0.03, rtol=0)


def test_one_class_has_no_interval():
    low, high = group_bootstrap(torch.rand(5, 1), torch.zeros(5, dtype=torch.int64), samples=9, confidence=0.9, seed=0)
    assert low.isnan().all()
    assert high.isnan().all()


def test_repeats_with_its_seed_whatever_the_names_of_the_classes():
    groups, values = torch.randint(20, (200,)), torch.rand(200, 1)
    first = group_bootstrap(values, groups, samples=50, confidence=0.9, seed=4)
    assert first == group_bootstrap(values, groups * 10**15, samples=50, confidence=0.9, seed=4)
    assert first != group_bootstrap(values, groups, samples=50, confidence=0.9, seed=5)
