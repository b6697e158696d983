"""Chances in a random order of equals, against exact fractions and sums item by item."""

import math
from fractions import Fraction

import pytest
import torch

from isometry.ops.equals import _rule, harmonic, mean_over_first, no_hit, precision_at_hits


def pairs(sizes, hits):
    return [(g, h) for g in sizes for h in sorted({h for h in (*hits, g // 7, g // 2, g - 1, g) if 1 <= h <= g})]


def test_no_hit_is_a_ratio_of_binomials():
    for g, h in pairs((1, 2, 5, 17, 40, 1000), (0, 1, 3, 33)):
        for k in {0, 1, min(g, 2), min(g, 100), g // 3, g}:
            exact = float(Fraction(math.comb(g - h, k), math.comb(g, k)))
            found = no_hit(torch.tensor(g), torch.tensor(h), torch.tensor(k)).item()
            assert found == pytest.approx(exact, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(
    ("g", "h", "k"), [(10**6, 3000, 10), (10**6, 5, 400_000), (10**9, 10**4, 10**3), (10**7, 2, 10**7 - 2)]
)
def test_no_hit_of_millions(g, h, k):
    few, many = min(h, k), max(h, k)
    exact = math.exp(math.fsum(math.log((g - many - i) / (g - i)) for i in range(few)))
    assert no_hit(torch.tensor(g), torch.tensor(h), torch.tensor(k)).item() == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("before", [0, 7, 10**6])
@pytest.mark.parametrize("way", [1, -1])
def test_the_mean_over_the_first_hit_is_its_sum(before, way):
    """1 / rank of the first hit (`way` 1), and of the last, seen from the end."""
    for g, h in pairs((1, 2, 3, 17, 64, 1000, 3000), (1, 2, 5, 40)):
        chance, parts = h / g, []
        value = (lambda x: 1 / (before + x)) if way > 0 else (lambda x, g=g: 1 / (before + g + 1 - x))
        for x in range(1, g - h + 2):
            parts.append(chance * value(x))
            chance *= (g - x - h + 1) / max(g - x, 1)
        found = mean_over_first(torch.tensor([g]), torch.tensor([h]), value).item()
        assert found == pytest.approx(math.fsum(parts), rel=1e-11)


def test_the_mean_over_the_first_hit_has_a_closed_form_at_the_top():
    """h / (g − h + 1) (H_g − H_{h−1}), for groups of millions; and its total chance is one."""
    g, h = torch.tensor([10**6, 3 * 10**6, 10**6, 10**7]), torch.tensor([1, 50, 4000, 9 * 10**6])
    closed = h.double() / (g - h + 1) * harmonic(h - 1, g)
    torch.testing.assert_close(mean_over_first(g, h, lambda x: 1 / x), closed, rtol=1e-10, atol=0)
    torch.testing.assert_close(
        mean_over_first(g, h, torch.ones_like), torch.ones(4, dtype=torch.float64), rtol=1e-10, atol=0
    )
    torch.testing.assert_close(mean_over_first(g, h, lambda x: x), (g + 1).double() / (h + 1), rtol=1e-10, atol=0)


@pytest.mark.parametrize("n", [1, 2, 16, 32, 1024, 2**20])
def test_the_quadrature_sums_polynomials_exactly(n):
    node, weight = _rule(n)
    for power in (0, 1, 2, 7):
        exact = sum((i / n) ** power for i in range(n)) if n <= 1024 else None
        if power == 1:
            exact = (n - 1) / 2
        if exact is not None:
            assert (weight * (node / n) ** power).sum().item() == pytest.approx(exact, rel=1e-11)
    assert weight.sum().item() == pytest.approx(n, rel=1e-12)


def test_precision_at_hits_of_a_part_of_a_group():
    """Two of four items are hits; one hit among three items before: the mean over the six orders, cut after each place."""
    places = [(a, b) for a in range(1, 5) for b in range(a + 1, 5)]
    for shown in range(5):
        each = [sum((2 + i) / (3 + p) for i, p in enumerate(pair) if p <= shown) for pair in places]
        given = [torch.tensor([[x]]) for x in (3, 1, 4, 2, shown)]
        assert precision_at_hits(*given).item() == pytest.approx(sum(each) / 6, rel=1e-12)


def test_harmonic_differences():
    assert harmonic(torch.tensor([0, 3, 1]), torch.tensor([1, 3, 3])).tolist() == pytest.approx([1, 0, 1 / 2 + 1 / 3])
    assert harmonic(torch.tensor(10**6), torch.tensor(10**6 + 2)).item() == pytest.approx(2e-6, rel=1e-5)
