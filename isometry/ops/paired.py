"""Tests of two runs on the same queries, by class (Fisher 1935; Good 2005; Phipson and Smyth, SAGMB 2010).

What is given is always the difference of the two runs, query by query: a run is its own control, and what makes some
queries hard for both falls out.
"""

import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from isometry.ops.bootstrap import DRAWS
from isometry.ops.seeds import quantile

EXACT = 16
"""Up to so many groups all patterns of signs are counted."""


def group_sums(
    values: Float[Tensor, "n s"], groups: Int[Tensor, " n"]
) -> tuple[Float[Tensor, "c s"], Float[Tensor, "c s"]]:
    """Sums over the rows of each group, and how many rows went into them; float64. NaN is left out."""
    code = torch.unique(groups, return_inverse=True)[1].cpu()
    values, known = values.double().cpu(), ~values.isnan().cpu()
    none = torch.zeros(int(code.max()) + 1 if len(code) else 0, values.shape[1], dtype=torch.float64)
    return none.index_add(0, code, values.where(known, 0)), none.index_add(0, code, known.double())


def sign_flip(
    differences: Float[Tensor, "n s"], groups: Int[Tensor, " n"], *, draws: int = 9999, seed: int = 0
) -> Float[Tensor, " s"]:
    """p values, two-sided, that the runs are alike: in each group the two might as well have changed places.

    With D_c the sum of the differences in group c, p is the share of patterns of signs with |Σ_c ±D_c| ≥ |Σ_c D_c|. All
    patterns are counted for up to 16 groups that differ at all, so p is exact; else `draws` random ones and the one
    that was seen, so p is never 0 and never too small on average. One group, or none that differs, gives 1. Give each
    row a group of its own if rows are independent: p is far too small if they are not.

    >>> sign_flip(torch.tensor([[0.2], [0.3], [0.1], [0.4], [0.4]]), torch.tensor([0, 0, 1, 2, 3]))
    tensor([0.1250], dtype=torch.float64)
    """
    sums = group_sums(differences, groups)[0]
    sums = sums[(sums != 0).any(1)]
    seen = sums.sum(0).abs() - 1e-7 * sums.abs().sum(0)  # what ties but for rounding counts as a tie
    if not len(sums):
        return torch.ones(sums.shape[1], dtype=torch.float64)
    if len(sums) <= EXACT:
        pattern = torch.arange(2 ** (len(sums) - 1))[:, None] >> torch.arange(len(sums)) & 1  # the last stays +
        return (_flipped(pattern, sums) >= seen).double().mean(0)
    generator = torch.Generator().manual_seed(seed)
    above, place = torch.zeros(sums.shape[1], dtype=torch.float64), torch.arange(8, dtype=torch.uint8)
    for part in torch.arange(draws).split(max(1, DRAWS // len(sums))):
        drawn = torch.randint(256, (len(part), -(-len(sums) // 8), 1), generator=generator, dtype=torch.uint8)
        pattern = (drawn >> place & 1).flatten(1)[:, : len(sums)]
        above += (_flipped(pattern, sums) >= seen).sum(0)
    return (above + 1) / (draws + 1)


def _flipped(pattern: Integer[Tensor, "b c"], sums: Float[Tensor, "c s"]) -> Float[Tensor, "b s"]:
    """|Σ_c ±D_c|, minus where the pattern is 1."""
    return (sums.sum(0) - 2 * (pattern.double() @ sums)).abs()


def group_error(differences: Float[Tensor, "n s"], groups: Int[Tensor, " n"]) -> Float[Tensor, " s"]:
    """Standard errors of the means of the columns when groups, not rows, are the sample; NaN with fewer than two.

    √(C/(C−1) Σ_c (D_c − n_c D̄)²) / n, for C groups of n_c rows with sums D_c: the linearised ratio estimator. It has
    C − 1 degrees of freedom, and is s/√n if each row is its own group.

    >>> group_error(torch.tensor([[1.0], [2.0], [4.0]]), torch.arange(3))
    tensor([0.8819], dtype=torch.float64)
    """
    sums, sizes = group_sums(differences, groups)
    count = (sizes > 0).sum(0)
    residual = sums - sizes * (sums.sum(0) / sizes.sum(0))
    error = (residual.square().sum(0) * count / (count - 1)).sqrt() / sizes.sum(0)
    return error.where(count > 1, torch.nan)


def detectable(error: float, freedom: float, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest true difference that a two-sided test at level `alpha` finds with this probability.

    (t_{1−α/2} + t_{power}) · error, with t of `freedom` degrees: the usual approximation of the noncentral t. A
    comparison that finds nothing says only that the difference is probably smaller than this.

    >>> round(detectable(0.01, 99), 4)
    0.0283
    """
    return (quantile(freedom, 1 - alpha / 2) + quantile(freedom, power)) * error
