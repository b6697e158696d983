"""Template pooling: the published loop in float64, and what the rule promises."""

import numpy as np
import pytest
import torch

from isometry.protocols.templates import pool


def by_loop(z, template, medium, weight):
    """The published rule, word for word: mean over each medium, sum over media, unit length."""
    rows = z * weight[:, None]
    pooled = []
    for t in sorted(set(template.tolist())):
        mine = template == t
        media = [rows[mine & (medium == m)].mean(0) for m in sorted(set(medium[mine].tolist()))]
        total = np.sum(media, axis=0)
        pooled.append(total / np.linalg.norm(total))
    return np.stack(pooled)


@pytest.mark.parametrize("memory", ["512 MB", 1000])
def test_equals_the_published_loop(memory):
    rng = np.random.default_rng(0)
    n = 300
    z, weight = rng.normal(size=(n, 8)) * rng.uniform(0.1, 20, (n, 1)), rng.uniform(0.1, 1, n)
    template, medium = rng.integers(1, 40, n) * 1000, rng.integers(0, 7, n)  # the same media in many templates
    pooled, names = pool(z, template, medium, weight=weight, memory=memory)
    np.testing.assert_allclose(pooled.numpy(), by_loop(z, template, medium, weight), atol=1e-6)
    assert names.tolist() == sorted(set(template.tolist()))
    plain, _ = pool(z, template, medium)
    np.testing.assert_allclose(plain.numpy(), by_loop(z, template, medium, np.ones(n)), atol=1e-6)


def test_a_video_counts_as_one_photograph():
    frames = torch.tensor([[1.0, 0.0]]).repeat(99, 1)
    z = torch.cat([frames, torch.tensor([[0.0, 1.0]])])
    pooled, _ = pool(z, torch.zeros(100, dtype=torch.int64), torch.tensor([5] * 99 + [6]))
    torch.testing.assert_close(pooled, torch.full((1, 2), 0.5**0.5))


def test_length_is_confidence():
    pooled, _ = pool([[3.0, 0.0], [0.0, 4.0]], [0, 0], [0, 1])
    torch.testing.assert_close(pooled, torch.tensor([[0.6, 0.8]]))


def test_the_weighted_mean_divides_by_the_number_of_images():
    pooled, _ = pool([[2.0, 0.0], [2.0, 0.0], [0.0, 1.0]], [0, 0, 0], [0, 0, 1], weight=[1.0, 0.0, 1.0])
    torch.testing.assert_close(pooled, torch.full((1, 2), 0.5**0.5))  # (1 · 2 + 0 · 2) / 2 and 1


def test_the_order_of_images_does_not_matter():
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(60, 5, generator=rng)
    template, medium = torch.randint(0, 9, (60,), generator=rng), torch.randint(0, 4, (60,), generator=rng)
    order = torch.randperm(60, generator=rng)
    torch.testing.assert_close(pool(z, template, medium)[0], pool(z[order], template[order], medium[order])[0])


def test_what_cancels_out_stays_zero():
    pooled, _ = pool([[1.0, 0.0], [-1.0, 0.0]], [0, 0], [0, 1])
    assert pooled.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("template", "medium", "weight"),
    [([0, 0], [0, 1, 2], None), ([0.0, 0.0, 1.0], [0, 1, 2], None), ([0, 0, 1], [0, 1, 2], [1.0])],
)
def test_says_what_does_not_fit(template, medium, weight):
    with pytest.raises(ValueError, match=r"Pooling takes embeddings \[n d\]"):
        pool(torch.ones(3, 2), template, medium, weight=weight)
