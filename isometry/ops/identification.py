"""Identification: which identity of a gallery a probe is, or none, from the closest item of each identity.

Definitions: Phillips, Grother and Micheals, "Evaluation methods in face recognition" (Handbook of Face Recognition,
2011); ISO/IEC 19795-1:2021. An identity is a class of the gallery, and as close as its closest item; where there is one
item a class this is the published case. Ties between identities count in expectation over their orders.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from isometry.ops.memory import in_bytes
from isometry.ops.ranking import Compare, relevant, tiles
from isometry.ops.roc import measurable

TILE = 4096  # gallery items at once
ROWS = 1024  # probes at once, at most


@dataclass(frozen=True)
class Identified:
    """Where each probe's own identity stands.

    Attributes:
        enrolled: whether the gallery holds another item of the probe's class.
        mate: similarity of the closest of them; −inf where there is none.
        above: how many identities are closer than that; the others are as far or farther.
        equal: how many other identities are exactly as close.
        best: similarity of the closest gallery item, of whatever class.
    """

    enrolled: Bool[Tensor, " n"]
    mate: Float[Tensor, " n"]
    above: Int[Tensor, " n"]
    equal: Int[Tensor, " n"]
    best: Float[Tensor, " n"]

    def found(self, k: int) -> Float[Tensor, " n"]:
        """The chance that a probe's own identity is among the first k, over the orders of equals; 0 if not enrolled."""
        share = (k - self.above).clamp_min(0).double() / (self.equal + 1)
        return share.clamp_max(1).where(self.enrolled, 0)

    def unknown(self) -> Float[Tensor, " u"]:
        """The closest similarity of each probe that is not enrolled, falling: the false accepts of each threshold."""
        return self.best[~self.enrolled].sort(descending=True).values


@torch.no_grad()
def identify(
    q: Float[Tensor, "n d"],
    y: Int[Tensor, " n"],
    ids: Int[Tensor, " n"],
    g: Float[Tensor, "m d"],
    y_g: Int[Tensor, " m"],
    ids_g: Int[Tensor, " m"],
    *,
    compare: Compare,
    memory: str | int = "512 MB",
) -> Identified:
    """Each probe against the identities of a gallery, in tiles; results on the CPU.

    Args:
        y, y_g: classes; −1 is unknown: such a probe is not enrolled, and such a gallery item is an identity of its own.
        ids, ids_g: a gallery item with the probe's id is the probe itself and is left out.

    Raises:
        ValueError: where the similarity is not a number.
    """
    names, of = torch.unique(y_g, return_inverse=True)
    alone = (y_g == -1).nonzero().squeeze(1)
    of[alone] = len(names) + torch.arange(len(alone), device=of.device)
    count = len(names) + len(alone)
    own = torch.searchsorted(names, y).clamp_max(len(names) - 1)
    enrolled = relevant(y, y_g, ids, ids_g) > 0
    parts = []
    for rows in torch.arange(len(q), device=q.device).split(_rows(in_bytes(memory), count, len(g))):
        closest = torch.full((len(rows), count), -math.inf, device=q.device)
        for cols, sim in tiles(q[rows], g, compare, TILE):
            sim = sim.masked_fill(ids[rows, None] == ids_g[None, cols], -math.inf)
            closest.scatter_reduce_(1, of[cols].expand_as(sim), sim, "amax")
        mate = closest.gather(1, own[rows, None]).where(enrolled[rows, None], -math.inf)
        equal = (closest == mate).sum(1) - 1
        parts.append([enrolled[rows], mate[:, 0], (closest > mate).sum(1), equal, closest.amax(1)])
    return Identified(*(torch.cat(part).cpu() for part in zip(*parts, strict=True)))


def detected(found: Identified, far: float) -> Bool[Tensor, " n"]:
    """Whether an enrolled probe is as close to its own identity as the threshold asks that lets `far` through.

    The threshold is the lowest at which the share of probes of unknown classes that reach it (with any gallery item) is
    at most `far`. At far = 1 it lets everything through, and no probe of an unknown class is needed.

    Raises:
        ValueError: where `far` is not in (0, 1], or below one of the probes of unknown classes there are; where no probe
            is enrolled.
    """
    if not found.enrolled.any():
        raise ValueError("No probe's class has another item in the gallery, so nothing can be identified.")
    if far == 1:
        return found.enrolled
    unknown = found.unknown()
    measurable(far, len(unknown), "probes of unknown classes (label −1, or no other item of the class in the gallery)")
    return found.enrolled & (passed(unknown, found.mate).double() / len(unknown) <= far)


def passed(unknown: Float[Tensor, " u"], threshold: Float[Tensor, " n"]) -> Int[Tensor, " n"]:
    """How many of `unknown`, falling, reach each threshold."""
    return torch.searchsorted(-unknown, -threshold, right=True)


def _rows(memory: int, identities: int, items: int) -> int:
    """How many probes at once: a row takes its identities, and a tile."""
    return max(1, min(ROWS, memory // (8 * identities + 32 * min(TILE, items))))
