"""Naming pictures, or saying that they are of none of the gallery's classes."""

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.bundle import Match
from isometry.openset.calibration import Calibration
from isometry.openset.kept import CHANGED, Stale, kept, standing
from isometry.openset.scoring import best

UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a picture shows.

    Attributes:
        label: the class it is taken for; "unknown" where none is close enough, and "" where the picture that it matches has
            no label. known: whether it is close enough.
        score: similarity to the closest picture of the class that is closest. nearest: that class, also where refused.
        threshold: from which similarity on it would be taken for that class.
        p: how often a picture of a new class scores as high as this: P(p ≤ u) ≤ u for each u, if it is of one.
        matches: the most similar pictures.
    """

    label: str
    score: float
    known: bool
    threshold: float
    p: float
    nearest: str
    matches: tuple[Match, ...] = ()


def match(
    index: Any,
    images: Any,
    *,
    k: int = 5,
    calibration: Calibration | None = None,
    stale: bool = False,
    batch_size: int = 256,
    workers: int = 0,
) -> list[Identity]:
    """Who each picture shows, or "unknown", by the gallery's calibration.

    Args:
        index: a gallery. images: as `Index.search` takes them.
        k: how many of the most similar pictures to give as well.
        calibration: another than the gallery's own.
        stale: use a calibration that is refused because the gallery has changed since; its rate then promises nothing.

    Raises:
        ValueError: where the gallery has no calibration, or pictures cannot be read.
        Stale: where the gallery has changed too much since it was calibrated.
    """
    calibration = calibration or kept(index)
    beware(index, calibration, stale=stale)
    return match_vectors(
        index, index.model(images, batch_size=batch_size, workers=workers), k=k, calibration=calibration
    )


@torch.no_grad()
def match_vectors(index: Any, z: Float[Tensor, "q d"], *, calibration: Calibration, k: int = 5) -> list[Identity]:
    """The same for embeddings; whether the calibration is of this gallery is not asked."""
    found = best(index, z, calibration.scales)
    p = calibration.tail.p(found.score)
    near = index.matches(*index.search_vectors(z, k)) if k else [[] for _ in range(len(z))]
    rows = zip(found.score.tolist(), found.similarity.tolist(), found.label, p.tolist(), near, strict=True)
    return [
        Identity(
            label=label if score >= calibration.threshold else UNKNOWN,
            score=similarity,
            known=score >= calibration.threshold,
            threshold=calibration.similarity_for(label),
            p=chance,
            nearest=label,
            matches=tuple(matches),
        )
        for score, similarity, label, chance, matches in rows
    ]


def beware(index: Any, calibration: Calibration, *, stale: bool = False) -> None:
    """Warns where the gallery has changed a little since it was calibrated, and refuses where it has changed much.

    Raises:
        Stale: unless `stale`.
    """
    found = standing(index, calibration)
    if found.refused and not stale:
        raise Stale(
            f"The calibration is not of this gallery as it is now ({found.message}): isometry calibrate GALLERY --again makes "
            "it anew of the pictures it was made of, and --stale uses it as it is."
        )
    if found.message:
        warnings.warn(
            f"The gallery has changed since it was calibrated ({found.message}), so the rate of {calibration.rate:g} is not "
            f"promised any more; isometry calibrate GALLERY --again mends it, and beyond {CHANGED:.0%} it must.",
            stacklevel=3,
        )
