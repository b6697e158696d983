"""Intervals from resampling whole groups (Field and Welsh, JRSS B 2007: the cluster bootstrap)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

DRAWS = 2**22  # classes drawn at once


def group_bootstrap(
    values: Float[Tensor, "n s"], groups: Int[Tensor, " n"], *, samples: int, confidence: float, seed: int
) -> tuple[Float[Tensor, " s"], Float[Tensor, " s"]]:
    """Percentile intervals of the means of the columns when groups, not rows, are drawn with replacement.

    Rows of one group rise and fall together (queries of one class do), so an interval from drawing rows would be too
    narrow. NaN is left out. With fewer than two groups, or no samples, there is no interval: NaN.
    """
    return percentiles(group_means(values, groups, samples=samples, seed=seed), confidence)


def group_means(
    values: Float[Tensor, "n s"], groups: Int[Tensor, " n"], *, samples: int, seed: int
) -> Float[Tensor, "b s"]:
    """Means of the columns in sets of groups drawn with replacement, a row for each set; none with fewer than two groups.

    A drawn set gives Σ_c k_c sum_c / Σ_c k_c size_c, k_c being how often group c was drawn: one matrix product for all
    columns. NaN is left out of both sums.
    """
    code = torch.unique(groups, return_inverse=True)[1].cpu()
    count = int(code.max()) + 1 if len(code) else 0
    columns = values.shape[1]
    if count < 2 or samples < 1:
        return torch.empty(0, columns, dtype=torch.float64)
    values = values.double().cpu()
    table = torch.cat([values.nan_to_num(0.0, torch.inf, -torch.inf), (~values.isnan()).double()], 1)
    total = torch.zeros(count, table.shape[1], dtype=torch.float64).index_add_(0, code, table)
    means, generator = [], torch.Generator().manual_seed(seed)
    for part in torch.arange(samples).split(max(1, DRAWS // count)):
        drawn = torch.randint(count, (len(part), count), generator=generator)
        cell = (drawn + count * torch.arange(len(part))[:, None]).flatten()
        times = torch.bincount(cell, minlength=len(part) * count).view(len(part), count)
        sums = times.double() @ total
        means.append(sums[:, :columns] / sums[:, columns:])
    return torch.cat(means)


def percentiles(drawn: Float[Tensor, "b s"], confidence: float) -> tuple[Float[Tensor, " s"], Float[Tensor, " s"]]:
    """The interval that holds the middle share of each column; NaN where there are no rows."""
    if not len(drawn):
        none = torch.full((drawn.shape[1],), torch.nan, dtype=torch.float64)
        return none, none.clone()
    tail = (1 - confidence) / 2
    low, high = torch.nanquantile(drawn, torch.tensor([tail, 1 - tail], dtype=torch.float64), dim=0)
    return low, high
