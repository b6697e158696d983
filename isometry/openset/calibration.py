"""What was calibrated: from which score on a picture is named, and what that was measured on."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import torch

from isometry.bundle import Refused
from isometry.openset.scoring import Scales
from isometry.ops.conformal import Tail

FORMAT = 1
"""Version of what is kept; a newer one is refused."""
NAME = "calibration.json"
STEPS = 4000


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """The gallery as it was: what scores depend on.

    Attributes:
        model: SHA-256 of the bundle's manifest; "" where embeddings were given.
        similarity, kind: what embeddings are compared by, and how they are searched, as text.
        generation: the gallery's count of changes. size: how many pictures it had. classes: of how many classes.
    """

    model: str
    similarity: str
    kind: str
    generation: int
    size: int
    classes: int


@dataclass(frozen=True, kw_only=True)
class Known:
    """How pictures of the gallery's own classes fare.

    Attributes:
        source: which pictures these were.
        pictures, classes: how many.
        dir: share that is named, and named right, at the threshold; low, high: 95 % interval, classes drawn with replacement.
        misnamed: share that is named wrong. refused: share that is called unknown. FNIR = misnamed + refused.
        closed: share named right if nothing is refused.
    """

    source: str
    pictures: int
    classes: int
    dir: float
    low: float
    high: float
    misnamed: float
    refused: float
    closed: float


@dataclass(frozen=True, kw_only=True)
class Point:
    """What another threshold would do.

    Attributes:
        threshold: of the score. rate: of false matches that it promises, on average; 1 / (n + 1) at least.
        fpir: share of the held-out classes' pictures that it accepts, classes weighing alike. dir: of the known ones.
    """

    threshold: float
    rate: float
    fpir: float
    dir: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """A threshold for a gallery, and what is promised of it. See `isometry.openset.calibrate`.

    Attributes:
        rate: of false matches, at most. confidence: of that; None where it holds on average over calibrations.
        threshold: a picture is named where its score is at least this.
        tail: scores of the held-out classes that it is from. scales: what scores are relative to; None where they are
            similarities.
        classes, pictures: how many held-out ones. name: what they are called.
        smallest: the smallest rate that so many classes can promise.
        fpir: share of the held-out classes' pictures that is accepted, classes weighing alike.
        known: how known pictures fare; None where there are none to try.
        curve: what other thresholds would do, from strict to loose.
        closest: held-out classes that look most like one of the gallery: name, share accepted, whom they are taken for.
        stamp: the gallery as it was. held: SHA-256 of the held-out embeddings that are kept beside this; "" if not kept.
        notes: what was left out, and why.
    """

    rate: float
    confidence: float | None
    threshold: float
    tail: Tail
    scales: Scales | None
    classes: int
    pictures: int
    name: str
    smallest: float
    fpir: float
    known: Known | None
    curve: tuple[Point, ...]
    closest: tuple[tuple[str, float, str], ...]
    stamp: Stamp
    held: str = ""
    notes: tuple[str, ...] = ()

    def similarity_for(self, label: str) -> float:
        """From which similarity on a picture is taken for this class."""
        if self.scales is None:
            return self.threshold
        near, way = self.scales.of(label)
        return near + way * self.threshold

    @property
    def promise(self) -> str:
        """What is guaranteed, in words."""
        sure = "on average over calibrations" if self.confidence is None else f"with confidence {self.confidence:g}"
        return f"at most {self.rate:g} of the pictures of new unknown classes are given a name, {sure}"

    def as_json(self) -> dict[str, Any]:
        """Plain values, that `from_json` takes."""
        tail = self.tail.thinned(STEPS, self.threshold)
        plain = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("tail", "scales", "known", "curve", "stamp", "threshold")
        }
        return {
            "format": FORMAT,
            **plain,
            "threshold": _number(self.threshold),
            "tail": {
                "scores": tail.scores.tolist(),
                "total": tail.total.tolist(),
                "groups": tail.groups,
                "single": tail.single,
            },
            "scales": None
            if self.scales is None
            else {
                "classes": self.scales.classes,
                "near": self.scales.near.tolist(),
                "way": self.scales.way.tolist(),
                "fitted": self.scales.fitted,
            },
            "known": None if self.known is None else dataclasses.asdict(self.known),
            "curve": [{**dataclasses.asdict(one), "threshold": _number(one.threshold)} for one in self.curve],
            "stamp": dataclasses.asdict(self.stamp),
        }


def from_json(found: dict[str, Any]) -> Calibration:
    """What `as_json` wrote.

    Raises:
        Refused: for what it did not write, or a newer version did.
    """
    try:
        if found["format"] > FORMAT:
            raise Refused(f"The calibration has format {found['format']}, and this isometry reads {FORMAT}: upgrade.")
        tail, scales = found["tail"], found["scales"]
        scores = torch.tensor(tail["scores"], dtype=torch.float32)
        total = torch.tensor(tail["total"], dtype=torch.float64)
        plain = {k: v for k, v in found.items() if k != "format"}
        made = {
            "threshold": _from_number(found["threshold"]),
            "tail": Tail(scores, total, int(tail["groups"]), bool(tail["single"])),
            "scales": None
            if scales is None
            else Scales(
                classes=tuple(scales["classes"]),
                near=torch.tensor(scales["near"], dtype=torch.float32),
                way=torch.tensor(scales["way"], dtype=torch.float32),
                fitted=int(scales["fitted"]),
            ),
            "known": None if found["known"] is None else Known(**found["known"]),
            "curve": tuple(Point(**{**one, "threshold": _from_number(one["threshold"])}) for one in found["curve"]),
            "closest": tuple((str(a), float(b), str(c)) for a, b, c in found["closest"]),
            "stamp": Stamp(**found["stamp"]),
            "notes": tuple(found["notes"]),
        }
        return Calibration(**{**plain, **made})
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused(f"The calibration is damaged ({type(error).__name__}: {error}): calibrate again.") from None


def _number(value: float) -> float | None:
    """JSON has no −inf: a threshold that lets all pass is None."""
    return value if math.isfinite(value) else None


def _from_number(value: float | None) -> float:
    return -math.inf if value is None else float(value)
