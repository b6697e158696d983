"""Differences of two methods when seeds and test classes are both a sample (Cornfield and Tukey, Ann. Math. Stat. 1956).

Every class is measured with every seed, so the two are crossed: a seed shifts all classes, a class differs in all seeds,
and what is left belongs to the one measurement. With freedom of the variance after Satterthwaite (Biometrics 1946).
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.ops.paired import detectable
from isometry.ops.seeds import quantile


class Crossed(NamedTuple):
    """Tests of k differences, float64 `[k]` each.

    Attributes:
        difference: mean over seeds and queries. error: its standard error; freedom: degrees of freedom of that.
        low, high: Student's interval. p: two-sided. detectable: the smallest true difference found with probability .8.
    """

    difference: Tensor
    error: Tensor
    freedom: Tensor
    low: Tensor
    high: Tensor
    p: Tensor
    detectable: Tensor


def crossed(
    differences: Float[Tensor, "k s c"], sizes: Float[Tensor, " c"] | Float[Tensor, "k c"], *, confidence: float = 0.95
) -> Crossed:
    """Tests whether the mean over all queries differs from 0, for seeds and classes that were not tried as well.

    With D_sc the mean difference over the n_c queries of class c with seed s, the mean D̄ weighs classes by n_c. In its
    linearisation U_sc = D̄ + (n_c C/N)(D_sc − D̄) all classes weigh alike, and

        var D̄ = (M_seed + max(0, M_class − M_rest)) / (S C),

    M being the mean squares of seeds, of classes and of the rest. It is never below what the seeds alone say. Its
    freedom is that of the sum of the mean squares that are in it.

    What the p means depends on what was a sample. One seed: classes alone, for these two trainings; another seed might
    change the sign. One class, or none: NaN. A class with NaN in any seed is left out of that difference.

    Args:
        differences: means of the classes. sizes: queries of each class, which may differ from row to row.

    >>> generator = torch.Generator().manual_seed(0)
    >>> noise = 0.01 * torch.randn(1, 5, 200, generator=generator, dtype=torch.float64)
    >>> found = crossed(noise + 0.004, torch.ones(200, dtype=torch.float64))
    >>> round(float(found.difference), 4), round(float(found.error), 4), float(found.p) < 0.001
    (0.0041, 0.0003, True)
    """
    values, size = differences.double().cpu(), sizes.double().cpu().expand(len(differences), -1)
    known = ~values.isnan().any(1) & (size > 0)
    values, size = values.where(known[:, None], 0.0), size.where(known, 0.0)
    seeds, classes = values.shape[1], known.sum(1).double()
    weight = size / size.sum(1, keepdim=True)
    mean = (values * weight[:, None]).sum(2).mean(1)
    above = (values - mean[:, None, None]) * (weight * classes[:, None])[:, None]  # U − D̄
    by_seed, by_class = above.sum(2) / classes[:, None], above.mean(1)
    of_seed = classes * by_seed.square().sum(1) / (seeds - 1) if seeds > 1 else torch.zeros_like(mean)
    of_class = seeds * by_class.square().sum(1) / (classes - 1)
    rest = (above - by_seed[:, :, None] - by_class[:, None]).where(known[:, None], 0.0).square().sum((1, 2))
    of_rest = rest / ((seeds - 1) * (classes - 1)) if seeds > 1 else torch.zeros_like(mean)
    more = of_class > of_rest
    variance = of_seed + (of_class - of_rest).where(more, 0.0)
    parts = of_class.square() / (classes - 1)
    if seeds > 1:
        parts = (parts + of_rest.square() / ((seeds - 1) * (classes - 1))).where(more, 0.0)
        parts = parts + of_seed.square() / (seeds - 1)
    error = (variance / (seeds * classes)).sqrt().where(classes > 1, torch.nan)
    return student_test(mean.where(classes > 0, torch.nan), error, variance.square() / parts, confidence)


def over_seeds(differences: Float[Tensor, "k s"], *, confidence: float = 0.95) -> Crossed:
    """The t test over paired seeds alone: for statistics of the whole space, which no class has a share in.

    NaN is left out. The classes are taken as they are: another choice of test classes may give another answer.
    """
    values = differences.double().cpu()
    count = (~values.isnan()).sum(1).double()
    mean = values.nanmean(1)
    spread = (values - mean[:, None]).nan_to_num().square().sum(1) / (count - 1)
    return student_test(mean, (spread / count).sqrt().where(count > 1, torch.nan), count - 1, confidence)


def student_test(difference: Tensor, error: Tensor, freedom: Tensor, confidence: float) -> Crossed:
    """Student's test of differences with these errors; without any error p is 1 for no difference, else 0."""
    from scipy.special import stdtr

    exact = error == 0
    p = 2 * torch.as_tensor(stdtr(freedom.numpy(), -(difference.abs() / error).numpy()))
    p = torch.where(exact, (difference == 0).double(), p)
    share = (1 + confidence) / 2
    reach = torch.tensor([quantile(f, share) for f in freedom.tolist()], dtype=torch.float64) * error
    found = [detectable(e, f) for e, f in zip(error.tolist(), freedom.tolist(), strict=True)]
    least = torch.tensor(found, dtype=torch.float64)
    reach, least = reach.where(~exact, 0.0), least.where(~exact, 0.0)
    return Crossed(difference, error, freedom, difference - reach, difference + reach, p, least)
