"""Open-set identification: a probe is named after the closest identity of the gallery, or refused.

Phillips, Grother and Micheals, "Evaluation methods in face recognition" (Handbook of Face Recognition, 2011), where DIR
is the detection and identification rate; ISO/IEC 19795-1:2021, where FNIR = 1 − DIR and FPIR is the rate of false alarms.
"""

from typing import Any

import torch
from torch import Tensor

from isometry.metrics.metric import at_least_one
from isometry.metrics.statistic import Estimate, Space, Statistic
from isometry.ops.bootstrap import percentiles
from isometry.ops.identification import Identified, detected, identify, passed

DRAWN = 2**22  # weights of probes at once


class DIR(Statistic):
    """The share of known probes that are named right, where at most so many unknown ones are taken for somebody.

    DIR(τ, k) = |{p known: rank(p) ≤ k and s(p) ≥ τ}| / |known|, where s(p) is the similarity to the closest gallery item
    of the probe's own class and rank(p) counts the identities (classes of the gallery) that are closer; τ is the lowest
    threshold at which |{p unknown: max_g s(p, g) ≥ τ}| / |unknown| ≤ far. A probe is unknown where its label is −1 or
    the gallery holds no other item of its class. In [0, 1]. Gallery items of label −1 are identities of their own.
    Identities that are equally close are ranked in expectation over their orders. With far = 1 everything is accepted:
    closed-set identification, and no unknown probe is needed.

    The rate of false alarms grows with the gallery: compare values of galleries of one size. The interval draws classes
    of probes with replacement and finds the threshold anew each time; the gallery stays as it is.

    Raises:
        ValueError: where `far` is less than one of the unknown probes there are: the data cannot measure it.

    >>> from isometry.ops.ranking import inner
    >>> g, probes = torch.eye(2), torch.tensor([[0.9, 0.0], [0.0, 0.1], [0.6, 0.5], [0.2, 0.1]])
    >>> found = identify(probes, torch.tensor([0, 1, 7, 8]), torch.arange(2, 6), g, torch.arange(2), torch.arange(2),
    ...                  compare=inner)
    >>> found.found(k=1) * detected(found, far=0.5)  # 0.2 of a stranger is above 0.1, and 0.6 may pass
    tensor([1., 0., 0., 0.], dtype=torch.float64)
    """

    far: float = 0.01
    k: int = 1

    def __post_init__(self) -> None:
        at_least_one(self.k, "DIR")

    def measure(self, space: Space) -> Estimate:
        return _measured(space, self.far, self.k)


class FNIR(Statistic):
    """The share of known probes that are refused or misnamed, where at most so many unknown ones are taken for somebody.

    1 − `DIR(far=fpir, k=k)`, in the terms of ISO/IEC 19795-1: the false-negative identification rate at a given
    false-positive identification rate. In [0, 1], smaller is better; intervals as there.

    Raises:
        ValueError: where `fpir` is less than one of the unknown probes there are: the data cannot measure it.
    """

    fpir: float = 0.01
    k: int = 1

    def __post_init__(self) -> None:
        at_least_one(self.k, "FNIR")

    def measure(self, space: Space) -> Estimate:
        dir = _measured(space, self.fpir, self.k)
        return Estimate(1 - dir.value, 1 - dir.high, 1 - dir.low)


def _measured(space: Space, far: float, k: int) -> Estimate:
    if space.y.ndim != 1 or space.y.is_floating_point():
        raise ValueError(f"Identities are classes [n], integers; got labels of shape {list(space.y.shape)}.")
    found: Identified = space.once("identified", lambda: _identified(space))
    named = found.found(k)
    value = float((named * detected(found, far))[found.enrolled].mean())
    drawn = _drawn(found, named, space.y[space.query].cpu(), far, space.samples, space.seed)
    low, high = percentiles(drawn[:, None], space.confidence)
    return Estimate(value, float(low), float(high))


def _identified(space: Space) -> Identified:
    sides: list[Any] = []
    for at in (space.query, space.gallery):
        sides += [space.embed(space.z[at]), space.y[at], space.ids[at]]
    return identify(*sides, compare=space.compare, memory=space.memory)


def _drawn(found: Identified, named: Tensor, y: Tensor, far: float, samples: int, seed: int) -> Tensor:
    """The rate in sets of classes drawn with replacement; probes of label −1 are drawn one by one."""
    apart = torch.where(y == -1, -2 - torch.arange(len(y)), y)
    group = torch.unique(apart, return_inverse=True)[1]
    count = int(group.max()) + 1
    if count < 2:
        return torch.empty(0, dtype=torch.float64)
    known, other = found.enrolled.nonzero().squeeze(1), (~found.enrolled).nonzero().squeeze(1)
    other = other[found.best[other].argsort(descending=True)]
    reach = passed(found.best[other], found.mate[known])
    rates, generator = [], torch.Generator().manual_seed(seed)
    for part in torch.arange(samples).split(max(1, DRAWN // len(y))):
        drawn = torch.randint(count, (len(part), count), generator=generator)
        cell = (drawn + count * torch.arange(len(part))[:, None]).flatten()
        times = torch.bincount(cell, minlength=len(part) * count).view(len(part), count).double()
        weight = times[:, group[known]]
        alarms = torch.nn.functional.pad(times[:, group[other]].cumsum(1), (1, 0))
        if far < 1:  # 0 / 0 is NaN: a set without unknown probes has no rate
            alarms = alarms / alarms[:, -1:]
            weight, total = weight * (alarms[:, reach] <= far), weight.sum(1).where(alarms[:, -1] == 1, torch.nan)
        else:
            total = weight.sum(1)
        rates.append(weight @ named[known] / total)
    return torch.cat(rates) if rates else torch.empty(0, dtype=torch.float64)
