"""Chances in a random order of equals: `size` items of which `hits` are relevant, every order as likely as any other.

What makes values of retrieval metrics exact under ties (McSherry and Najork, "Computing information retrieval
performance measures efficiently in the presence of tied scores", ECIR 2008). All in float64 and free of loops over items:
the work for a group grows with the logarithm of its size, the memory not at all. Binomial coefficients are taken by
Stirling's series with the large terms cancelled by hand, so they are as accurate for groups of millions as for small
ones. Sums over the places of a group are Gauss quadratures for sums (discrete Chebyshev polynomials: Abramowitz and
Stegun, 22.17) on intervals that double in length away from both ends.
"""

import functools
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

NODES = 16  # of the quadrature on one interval; shorter intervals are summed item by item


def no_hit(size: Tensor, hits: Tensor, drawn: Tensor) -> Tensor:
    """C(size − hits, drawn) / C(size, drawn): the chance that none of the first `drawn` items is a hit.

    >>> no_hit(torch.tensor(10), torch.tensor(3), torch.tensor(2))
    tensor(0.4667, dtype=torch.float64)
    """
    possible = drawn <= size - hits
    few, many = torch.minimum(hits, drawn).double(), torch.maximum(hits, drawn).double()
    few, many = torch.where(possible, few, 0), torch.where(possible, many, 0)
    top = size.double() + 1
    log = (top - few - 0.5) * torch.log1p(-few / top) + few * torch.log1p(-many / top)
    log = log - (top - many - few - 0.5) * torch.log1p(-few / (top - many))
    log = log + _rest(top - few) - _rest(top) + _rest(top - many) - _rest(top - many - few)
    return torch.where(possible, log.exp(), 0)


def harmonic(after: Tensor, upto: Tensor) -> Tensor:
    """Σ 1/i for after < i ≤ upto.

    >>> harmonic(torch.tensor(1), torch.tensor(3))
    tensor(0.8333, dtype=torch.float64)
    """
    return torch.digamma(upto.double() + 1) - torch.digamma(after.double() + 1)


def precision_at_hits(
    start: Int[Tensor, "n t"],
    found: Int[Tensor, "n t"],
    size: Int[Tensor, "n t"],
    hits: Int[Tensor, "n t"],
    shown: Int[Tensor, "n t"],
) -> Float[Tensor, "n t"]:
    """The mean of Σ P(i) over the places i of hits among the first `shown` items of groups (McSherry and Najork, 2008).

    `start` items come before a group, `found` hits among them. With a hit at the group's place x, each of the x − 1
    items before it is one with chance (h − 1) / (g − 1): (h/g) Σ_x (found + 1 + (x − 1)(h − 1)/(g − 1)) / (start + x).
    """
    again = (hits - 1).clamp_min(0) / (size - 1).clamp_min(1).double()
    each = (found + 1 - (start + 1) * again) * harmonic(start, start + shown) + shown * again
    return hits / size.clamp_min(1).double() * each


def mean_inverse_rank(
    start: Int[Tensor, " n"], size: Int[Tensor, " n"], hits: Int[Tensor, " n"], *, last: bool = False
) -> Float[Tensor, " n"]:
    """The mean of 1 / rank of a group's first hit, or last, where `start` items come before the group; to about 11 digits.

    >>> mean_inverse_rank(torch.tensor([0]), torch.tensor([3]), torch.tensor([1]))  # (1 + 1/2 + 1/3) / 3
    tensor([0.6111], dtype=torch.float64)
    """
    kinds, which = torch.stack([start, size.clamp_min(1), hits.clamp_min(1)], 1).unique(dim=0, return_inverse=True)
    start, size, hits = kinds.unbind(1)
    end = (start + size + 1)[:, None]
    mean = mean_over_first(size, hits, lambda x: 1 / (end - x if last else start[:, None] + x))
    return mean[which]


def mean_over_first(
    size: Int[Tensor, " n"], hits: Int[Tensor, " n"], value: Callable[[Float[Tensor, "n k"]], Float[Tensor, "n k"]]
) -> Float[Tensor, " n"]:
    """The mean of `value(x)` over the place x of the first hit, from 1; at least one item is a hit.

    Σ_x C(size − x, hits − 1) / C(size, hits) value(x). `value` is smooth in x between 1 and size, such as 1 / (s + x).

    >>> mean_over_first(torch.tensor([3]), torch.tensor([1]), lambda x: 1 / x)  # (1 + 1/2 + 1/3) / 3
    tensor([0.6111], dtype=torch.float64)
    """
    span, size, hits = size - hits + 1, size[:, None], hits[:, None]
    near = (span + 1) // 2
    total = torch.zeros(len(span), dtype=torch.float64, device=span.device)
    for count, start, way in ((near, torch.ones_like(span), 1), (span - near, span, -1)):
        for offset, weight in _intervals(count):
            place = torch.where(weight > 0, start[:, None] + way * offset, 1)
            chance = no_hit(size, hits, place - 1) * hits / (size - place + 1)
            total += (weight * chance * value(place)).sum(1)
    return total


def _rest(x: Tensor) -> Tensor:
    """log Γ(x) − ((x − ½) log x − x + ½ log 2π), for x ≥ 1."""
    near = x.clamp(1, 16)
    exact = torch.lgamma(near) - (near - 0.5) * near.log() + near - 0.9189385332046727
    y = 1 / x.clamp_min(16)
    series = y * (1 / 12 - y**2 * (1 / 360 - y**2 * (1 / 1260 - y**2 / 1680)))
    return torch.where(x < 16, exact, series)


def _intervals(count: Int[Tensor, " n"]) -> Iterator[tuple[Tensor, Tensor]]:
    """Places and weights `[n k]` that sum a smooth function over 0, 1, … count − 1, interval by interval."""
    count = count[:, None]
    yield torch.zeros_like(count, dtype=torch.float64), (count > 0).double()
    for bit in range(int(count.max()).bit_length() if count.numel() else 0):
        node, weight = (x.to(count.device) for x in _rule(2**bit))
        above = count >> (bit + 1)
        yield 2**bit + node, weight * (above > 0)
        yield (above << (bit + 1)) + node, weight * ((above > 0) & (count >> bit & 1 > 0))


@functools.cache
def _rule(n: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights with Σ_{i<n} f(i) = Σ_k weight_k f(node_k) for polynomials of degree below 2 NODES."""
    if n <= NODES:
        return torch.arange(n, dtype=torch.float64), torch.ones(n, dtype=torch.float64)
    k = torch.arange(1, NODES, dtype=torch.float64)
    beside = (k * k * (n * n - k * k) / (4 * (4 * k * k - 1))).sqrt()
    matrix = torch.diag(torch.full((NODES,), (n - 1) / 2, dtype=torch.float64)) + beside.diag(1) + beside.diag(-1)
    node, vector = torch.linalg.eigh(matrix)
    return node, n * vector[0].square()
