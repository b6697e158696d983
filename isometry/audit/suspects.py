"""Pictures that their embedding calls odd: labels that neighbours contradict, and pictures that have no neighbours."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.audit.findings import Finding
from isometry.audit.mislabels import Mislabels

SURE, LIKELY = 0.9, 0.5
FAR = 5.0
"""Robust standard deviations (1.4826 times the median deviation) of the logarithm of the distance."""
KTH = 5


def wrong_labels(
    found: Mislabels, index: Int64[np.ndarray, " r"], labels: Sequence[str], classes: Sequence[str]
) -> list[Finding]:
    """Labels more likely wrong than right; row r of `found` is the picture at position `index[r]`."""
    made = []
    for row in (found.chance >= LIKELY).nonzero()[:, 0].tolist():
        chance, other, at = float(found.chance[row]), classes[int(found.other[row])], int(index[row])
        made.append(
            Finding(
                kind="mislabel", severity="high" if chance >= SURE else "medium", rows=(at,), labels=(labels[at],),
                score=chance, other=other, suggestion="look at it; relabel or keep it",
                detail=f"its neighbours speak for {other!r} (log odds {float(found.score[row]):.1f})",
            )
        )  # fmt: skip
    return made


def outliers(similarity: Float[Tensor, "r k"], index: Int64[np.ndarray, " r"], labels: Sequence[str]) -> list[Finding]:
    """Pictures whose fifth neighbour is far: the logarithm of its distance beside that of all others."""
    distance = far(similarity)
    return [
        Finding(
            kind="outlier", severity="low", rows=(int(index[row]),), labels=(labels[int(index[row])],),
            score=float(distance[row]), detail=f"{float(distance[row]):.1f} deviations farther than is usual",
            suggestion="look whether it belongs",
        )
        for row in (distance > FAR).nonzero()[:, 0].tolist()
    ]  # fmt: skip


def far(similarity: Float[Tensor, "r k"]) -> Float[Tensor, " r"]:
    """How far each picture lies from its fifth neighbour, in robust standard deviations of all; 0 where it has none.

    >>> far(torch.tensor([[0.9], [0.8], [0.9], [0.7], [-1.0]])).argmax()
    tensor(4)
    """
    if not similarity.numel():
        return torch.zeros(len(similarity))
    distance = (1 - similarity[:, : min(KTH, similarity.shape[1])]).clamp(1e-6, 2)
    there = similarity[:, : distance.shape[1]].isfinite()
    last = distance.masked_fill(~there, 0).amax(1)
    known = last > 0
    if not bool(known.any()):
        return torch.zeros(len(similarity))
    log = last.clamp_min(1e-6).log()
    middle = log[known].median()
    spread = 1.4826 * (log[known] - middle).abs().median()
    return torch.where(known, (log - middle) / spread.clamp_min(1e-3), 0.0)
