"""Who is named where half of the classes are strangers: open-set identification, from the embeddings of a report."""

from typing import NamedTuple

import torch
from torch import Tensor

from isometry.ops.identification import Identified, identify, passed
from isometry.ops.ranking import inner

from .record import Record

DIVISIONS = 5  # of the classes into halves, each taken both ways
ITEMS = 4_000  # probes, and items of the gallery, at most: whole classes are drawn
EACH = ITEMS // 4  # of one class, at most
POINTS = 60  # of the curve
CLASSES = 4  # at least: two in the gallery, two outside


class Strangers(NamedTuple):
    """What a threshold does, over divisions of the classes.

    Attributes:
        rate: shares of strangers that are given a name, rising from one probe to all, `[p]`.
        named: shares of known probes whose closest item is of their class and reaches that threshold: mean over divisions `[p]`.
        low, high: the smallest and the largest of the divisions `[p]`.
        closed: mean share that is named right when none is refused.
        classes, probes, items: of all classes that took part, all their probes, and the gallery of one division on average.
        sampled: whether classes were left out because all would be too many.
    """

    rate: Tensor
    named: Tensor
    low: Tensor
    high: Tensor
    closed: float
    classes: int
    probes: int
    items: int
    sampled: bool

    def at(self, rate: float) -> tuple[float, float, float]:
        """Mean, least and greatest share named right at a rate: the last point of the curve that does not exceed it."""
        k = int((self.rate <= rate + 1e-12).sum()) - 1
        return float(self.named[k]), float(self.low[k]), float(self.high[k])


def strangers(record: Record) -> Strangers | None:
    """DIR against FPIR with every second class left out of the gallery; None with too few classes or strangers.

    A class is known in one half of the divisions and a stranger in the other; a probe never finds itself.
    """
    probes, gallery = record.queries, record.searched
    own, others = record.identities()
    noise = torch.Generator().manual_seed(0)
    there = torch.unique(probes.labels[probes.labels >= 0])
    there = there[torch.isin(there, gallery.labels)]
    names, sampled = _some(there[torch.randperm(len(there), generator=noise)], probes.labels, gallery.labels)
    if len(names) < CLASSES:
        return None
    rows = _drawn(probes.labels, names, noise)
    columns = rows if record.gallery is None else _drawn(gallery.labels, names, noise)
    q, y, mine = probes.unit(rows), probes.labels[rows], own[rows]
    g, y_g, theirs = gallery.unit(columns), gallery.labels[columns], others[columns]
    found: list[Identified] = []
    noise = noise.manual_seed(1)  # the same divisions, however the pictures were drawn
    for _ in range(DIVISIONS):
        order = names[torch.randperm(len(names), generator=noise)]
        for half in (order[: len(names) // 2], order[len(names) // 2 :]):
            at = torch.isin(y_g, half)
            found.append(identify(q, y, mine, g[at], y_g[at], theirs[at], compare=inner))
    found = [one for one in found if one.enrolled.any() and not one.enrolled.all()]
    if not found:
        return None
    least = 1 / min(int((~one.enrolled).sum()) for one in found)
    rate = torch.logspace(torch.tensor(least).log10().item(), 0, POINTS, dtype=torch.float64)
    named = torch.stack([_named(one, rate) for one in found])
    return Strangers(
        rate,
        named.mean(0),
        named.amin(0),
        named.amax(0),
        closed=float(torch.stack([one.found(1)[one.enrolled].mean() for one in found]).mean()),
        classes=len(names),
        probes=len(rows),
        items=len(columns) // 2,
        sampled=sampled,
    )


def _some(names: Tensor, *labels: Tensor) -> tuple[Tensor, bool]:
    """The first of the classes that together have at most `ITEMS` probes and items; whether any picture was left out."""
    if not len(names):
        return names, False
    counts = torch.stack([torch.bincount(y[y >= 0], minlength=int(names.max()) + 1)[names] for y in labels])
    within = (counts.clamp_max(EACH).cumsum(1) <= ITEMS).all(0)
    return names[within], bool((~within).any() or (counts > EACH).any())


def _drawn(labels: Tensor, names: Tensor, noise: torch.Generator) -> Tensor:
    """Where the classes' items are, in order; at most `EACH` of one class, by chance."""
    rows = torch.isin(labels, names).nonzero().squeeze(1)
    mixed = rows[torch.randperm(len(rows), generator=noise)]
    mixed = mixed[labels[mixed].argsort(stable=True)]
    y = labels[mixed]
    within = torch.arange(len(y)) - torch.searchsorted(y, y)
    return mixed[within < EACH].sort().values


def _named(found: Identified, rate: Tensor) -> Tensor:
    """The share of known probes that are named right at each rate of strangers named."""
    unknown = found.unknown()
    alarms = passed(unknown, found.mate[found.enrolled]).double() / len(unknown)
    right = found.found(1)[found.enrolled]
    return torch.stack([right[alarms <= most + 1e-12].sum() for most in rate]) / len(right)
