"""Do two samples come from one distribution? Exact p values by permuting whole units.

A unit is what is exchangeable: a class with its pictures, or a picture. Each unit weighs the same, and its rows share its
weight. Statistics are evaluated for the division as it is, and for random divisions of all units into two sides of the same
sizes; p is the share of divisions, the one seen among them, that are at least as far apart (Lehmann and Romano, "Testing
Statistical Hypotheses", 15.2). It holds for any statistic, in any dimension, if units are exchangeable where nothing differs.
"""

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

ROWS = 2**24  # numbers at once


def divisions(first: int, second: int, *, draws: int = 999, seed: int = 0) -> Float64[Tensor, "b u"]:
    """Weights of units: 1 / first on one side, −1 / second on the other. Row 0 is the division as it is: `first` units, then
    `second`; the others are drawn at random.

    >>> divisions(1, 2, draws=3).abs().sum(1).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """
    if first < 1 or second < 1:
        raise ValueError(f"Two samples are compared, each of a unit at least; got {first} and {second}.")
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(draws, first + second, generator=generator).argsort(1)
    rank = torch.cat([torch.arange(first + second)[None], order])
    return torch.where(rank < first, 1 / first, -1 / second).double()


def p_value(found: Float64[Tensor, " b"]) -> float:
    """The share of divisions whose statistic is at least that of the first.

    >>> p_value(torch.tensor([3.0, 1.0, 3.0, 2.0], dtype=torch.float64))
    0.5
    """
    return float((found >= found[0] - 1e-12 - 1e-9 * found[0].abs()).double().mean())


def kolmogorov_smirnov(
    values: Float[Tensor, " n"], unit: Int[Tensor, " n"], weights: Float64[Tensor, "b u"]
) -> Float64[Tensor, " b"]:
    """sup_t |F(t) − G(t)| of the weighted distributions of both sides, for each division; 0 … 1.

    >>> kolmogorov_smirnov(torch.tensor([1.0, 2.0, 2.0]), torch.arange(3), divisions(1, 2, draws=0)).tolist()
    [1.0]
    """
    steps, place = values.unique(return_inverse=True)
    size = torch.bincount(unit, minlength=weights.shape[1])
    parts = []
    for some in weights.split(max(1, ROWS // max(len(values), 1))):
        at = some[:, unit] / size[unit]
        jump = torch.zeros(len(some), len(steps), dtype=torch.float64).index_add_(1, place, at)
        parts.append(jump.cumsum(1).abs().amax(1))
    return torch.cat(parts)


def shift(
    values: Float[Tensor, "n d"], unit: Int[Tensor, " n"], weights: Float64[Tensor, "b u"]
) -> Float64[Tensor, " b"]:
    """‖mean of one side − mean of the other‖, for each division; a mean weighs units alike."""
    return torch.linalg.vector_norm(weights @ unit_means(values, unit, weights.shape[1]), dim=1)


def unit_means(values: Float[Tensor, "n d"], unit: Int[Tensor, " n"], units: int) -> Float64[Tensor, "u d"]:
    """The mean of the rows of each unit."""
    total = torch.zeros(units, values.shape[1], dtype=torch.float64).index_add_(0, unit, values.double())
    return total / torch.bincount(unit, minlength=units)[:, None]


def distances(z: Float[Tensor, "n d"], unit: Int[Tensor, " n"], units: int) -> Float64[Tensor, "u u"]:
    """The mean Euclidean distance between rows of two units, for every pair of units.

    Memory is that of the result, so units are few: draw them.
    """
    total = torch.zeros(units, units, dtype=torch.float64)
    z = z.double()
    z = z - z.mean(0)  # for a product of matrices in float64, which leaves 1e-8 of the spread between equals
    for rows in torch.arange(len(z)).split(max(1, ROWS // (4 * max(len(z), 1)))):
        near = torch.cdist(z[rows], z, compute_mode="use_mm_for_euclid_dist")
        total.index_add_(0, unit[rows], torch.zeros(len(rows), units, dtype=torch.float64).index_add_(1, unit, near))
    size = torch.bincount(unit, minlength=units).double()
    return total / size[:, None] / size


def energy(between: Float64[Tensor, "u u"], weights: Float64[Tensor, "b u"]) -> Float64[Tensor, " b"]:
    """2 E‖X − Y‖ − E‖X − X'‖ − E‖Y − Y'‖ for each division; 0 where, and only where, the distributions are one.

    Székely and Rizzo, "Energy statistics: a class of statistics based on distances" (JSPI 2013). `between` is `distances`.

    >>> apart = distances(torch.tensor([[0.0], [0.0], [1.0], [1.0]]), torch.arange(4), 4)
    >>> energy(apart, divisions(2, 2, draws=0)).tolist()
    [2.0]
    """
    return -((weights @ between) * weights).sum(1)


def energy_share(between: Float64[Tensor, "u u"], weights: Float64[Tensor, " u"]) -> float:
    """The energy statistic over 2 E‖X − Y‖: 0 … 1 (the coefficient H of Székely and Rizzo)."""
    one, other = weights.clamp_min(0), (-weights).clamp_min(0)
    across = float(2 * one @ between @ other)
    return float(energy(between, weights[None])[0]) / across if across > 0 else 0.0
