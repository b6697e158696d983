"""Are new pictures still like those that a gallery was calibrated with?"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import torch

from isometry.openset import questions
from isometry.openset.calibration import Calibration
from isometry.openset.held import Held, held_of
from isometry.openset.kept import kept, kept_pictures
from isometry.openset.questions import Finding
from isometry.openset.samples import PICTURES, UNITS, Pair, Side, drawn, typical
from isometry.ops.holm import holm
from isometry.ops.two_sample import divisions
from isometry.protocols.retrieval import geometry

LEVEL = 0.01
MIXED = 0.1
"""A difference of the shares of known classes that is worth a note."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Drift:
    """What the tests say.

    Attributes:
        tests: each with effect and p value. level: a corrected p below it is a drift.
        drifted: whether there is one. verdict: in one line.
        before, after: what was compared. notes: what p values assume.
    """

    tests: tuple[Finding, ...]
    level: float
    before: Side
    after: Side
    threshold: float
    notes: tuple[str, ...]

    @property
    def drifted(self) -> bool:
        return any(test.corrected < self.level for test in self.tests)

    @property
    def verdict(self) -> str:
        found = sorted((t for t in self.tests if t.corrected < self.level), key=lambda t: t.corrected)
        sizes = f"{len(self.after.held):,} new pictures against {len(self.before.held):,} of calibration"
        if not found:
            least = min((t.corrected for t in self.tests if not math.isnan(t.corrected)), default=1.0)
            return f"no drift found: {sizes}, smallest corrected p {least:.3g}"
        said = ", ".join(f"{t.name} ({t.before} → {t.after}, p {t.corrected:.3g})" for t in found)
        return f"drift: {said}; {sizes}"


@torch.no_grad()
def drift(
    index: Any,
    data: Any,
    *,
    calibration: Calibration | None = None,
    reference: Held | None = None,
    level: float = LEVEL,
    draws: int = 1999,
    label: str = "",
    part: str = "",
    seed: int = 0,
    workers: int = -1,
) -> Drift:
    """Compares new pictures with those that a gallery was calibrated with, by two-sample tests; p values by permutation.

    Best-match scores, whole embeddings, their length, the share of unknowns, sizes of pictures, and the share of
    unreadable files; p values corrected for all (Holm). What is permuted are units: classes where the new pictures have
    labels, with as many pictures of each as both sides have; without labels single pictures, one of each class of the
    calibration, and the new pictures are then taken for independent of each other.

    Args:
        data: new pictures; anything that `isometry.data.read` reads, or `Held`.
        calibration, reference: others than the gallery keeps.
        level: a corrected p value below it is a drift. draws: random divisions; the smallest p is 1 / (draws + 1).

    Raises:
        ValueError: where the gallery has no calibration, or no new picture can be read.
    """
    calibration = calibration or kept(index)
    held = reference or kept_pictures(index, calibration)[0]
    new = held_of(getattr(index, "model", None), data, label=label, part=part, workers=workers)
    each = max(1, min(typical(held), typical(new), PICTURES // min(UNITS, max(held.count(), new.count()))))
    before, after = (drawn(index, one, each, calibration.scales, seed) for one in (held, new))
    pair = Pair.of(before, after, divisions(before.units, after.units, draws=draws, seed=seed))
    found = [
        questions.scores(pair),
        questions.unknowns(pair, calibration.threshold),
        *questions.embeddings(pair, geometry(index.similarity)[0]),
        *questions.sizes_and_shapes(pair),
        questions.unreadable(held, new),
    ]
    corrected = holm(torch.tensor([test.p for test in found], dtype=torch.float64)).tolist()
    tests = tuple(dataclasses.replace(one, corrected=p) for one, p in zip(found, corrected, strict=True))
    notes = _notes(before, after, each, set(index.items(index.ids()).labels) - {""})
    return Drift(
        tests=tests, level=level, before=before, after=after, threshold=calibration.threshold, notes=notes
    )  # fmt: skip


def _notes(before: Side, after: Side, each: int, enrolled: set[str]) -> tuple[str, ...]:
    one = "class" if after.of == "classes" else "picture"
    drawn = (
        f"{before.units:,} classes of calibration and {after.units:,} new {after.of}, at most {each} pictures of each"
    )
    notes = [f"Units that are permuted: {drawn}."]
    old, new = (len(set(side.held.labels) & enrolled) / side.units for side in (before, after))
    if one == "class" and abs(old - new) > MIXED:
        notes.append(
            f"Of the classes of calibration the gallery holds {old:.0%}, of the new ones {new:.0%}: another mixture of known and "
            "unknown is a difference, too."
        )
    if one == "picture":
        notes.append(
            "The new pictures have no labels, so each counts as one: where several show one object, p values are too small."
        )
    return tuple(notes)
