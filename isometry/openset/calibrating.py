"""Finding the threshold: from pictures of classes that the gallery does not hold, and what it costs those that it does."""

import hashlib
import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from isometry.openset.calibration import Calibration, Known, Point
from isometry.openset.gallery import Searchable
from isometry.openset.held import Held, held_of
from isometry.openset.kept import stamp
from isometry.openset.scoring import Scales, best, fit_scales
from isometry.ops.bootstrap import group_bootstrap
from isometry.ops.conformal import Tail, budget, smallest_rate
from isometry.protocols.retrieval import geometry

PROBES = 5000
"""Pictures of the gallery that are tried against all others, whole classes at random."""
POINTS = 200
SAME, ROWS = 1e-3, 2**14
"""How far an embedding may be from itself, as a share of its length: galleries may keep fewer digits. How many at once."""


class Tried(NamedTuple):
    """Pictures of known classes: their scores, whether their best match is of their class, their class's number, and what
    they are.
    """

    score: Float[Tensor, " q"]
    right: Bool[Tensor, " q"]
    group: Int64[Tensor, " q"]
    source: str


@torch.no_grad()
def calibrate(
    index: Any,
    held_out: Any,
    *,
    rate: float = 0.01,
    confidence: float | None = None,
    per_class: bool = False,
    fit: float = 0.5,
    label: str = "",
    part: str = "",
    seed: int = 0,
    workers: int = -1,
) -> Calibration:
    """The lowest threshold at which a picture of a new class is taken for one of the gallery's at most so often.

    A picture's score is that of its best match in the whole gallery, so a search among many is what the rate is of. Pictures
    of one class are dependent: every held-out class weighs alike, whatever it has of pictures. See `isometry.ops.conformal`.

    Args:
        index: a gallery: `isometry.index.read("gallery/")`, or `Vectors`.
        held_out: pictures with labels, as new ones will come: anything that `isometry.data.read` reads, or `Held`. Classes
            that the gallery does not hold, and that the model was not trained on, make the threshold; pictures of classes
            that it holds say how often known ones are refused. Pictures of unknown class are left out.
        rate: of false matches: the share of pictures of new unknown classes that get a name.
        confidence: None: the rate holds on average over calibrations. Else: with at least this confidence this threshold
            has at most this rate; it takes more classes.
        per_class: a similarity threshold for every class of the gallery, the rate being that of the whole gallery still:
            the share `fit` of the held-out classes, drawn with `seed`, says how close strangers come to each class, and the
            others set one threshold on the relative similarities.

    Raises:
        TooFew: where there are too few held-out classes for the rate; `.smallest` can be had.
        ValueError: for pictures without labels, or a gallery of nothing.
    """
    held = held_of(getattr(index, "model", None), held_out, label=label, part=part, workers=workers)
    names, code = held.codes()
    enrolled = set(index.items(index.ids()).labels) - {""}
    trained = set(getattr(getattr(index, "model", None), "classes", ()))
    known = torch.tensor([name in enrolled for name in names] + [False])[code]
    seen = torch.tensor([name in trained - enrolled for name in names] + [False])[code]
    new = ((code >= 0) & ~known & ~seen).nonzero()[:, 0]
    notes = _notes(held, code, seen, names)
    if not len(new):
        raise ValueError(
            f"{held.name} has no class that the gallery does not hold and the model was not trained on: thresholds are "
            "made of such classes, so bring pictures of some, with their labels."
        )
    scales = None
    if per_class:
        fitting, new = _divided(names, code, new, fit, seed)
        budget(Tail.of(torch.zeros(len(new)), code[new]), rate, confidence)  # refuses before the work
        scales = fit_scales(index, held.z[fitting], code[fitting])
        notes.append(f"{scales.fitted} more held-out classes say how close strangers come to each class of the gallery")
    found = best(index, held.z[new], scales)
    tail = Tail.of(found.score, code[new])
    threshold = tail.threshold(budget(tail, rate, confidence))
    tried, copied = _tried(index, held, known, scales, seed)
    if copied:
        notes.append(
            f"{copied:,} pictures of known classes are in the gallery itself: they find themselves, and were left out"
        )
    accepted = found.score >= threshold
    return Calibration(
        rate=rate,
        confidence=confidence,
        threshold=threshold,
        tail=tail,
        scales=scales,
        classes=tail.groups,
        pictures=len(new),
        name=held.name,
        smallest=smallest_rate(tail.groups, confidence),
        fpir=float(tail.at(torch.tensor([threshold]))) / tail.groups,
        known=_known(tried, threshold, seed),
        curve=_curve(tail, tried),
        closest=_closest(names, code[new], accepted, found.label),
        stamp=stamp(index, len(enrolled)),
        notes=tuple(notes),
    )


def _notes(held: Held, code: Tensor, seen: Tensor, names: tuple[str, ...]) -> list[str]:
    """What was left out."""
    notes = []
    if int((code < 0).sum()):
        notes.append(f"{int((code < 0).sum()):,} pictures without a label were left out")
    if bool(seen.any()):
        notes.append(
            f"{len(code[seen].unique()):,} classes that the model was trained on were left out: new ones are not like them"
        )
    if held.unreadable:
        notes.append(f"{held.unreadable:,} pictures could not be read")
    return notes


def _divided(names: tuple[str, ...], code: Tensor, new: Tensor, fit: float, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures of the classes that scales are fitted to, and of those that set the threshold: by a hash of seed and name, which
    has nothing to do with what a class looks like; the place among sorted names may have.
    """
    if not 0 < fit < 1:
        raise ValueError(f"fit is the share of held-out classes that scales are fitted to, between 0 and 1; got {fit}.")
    classes = code[new].unique().tolist()
    classes.sort(key=lambda c: hashlib.sha256(f"{seed} {names[c]}".encode(errors="surrogateescape")).digest())
    first = torch.tensor(classes[: max(1, round(fit * len(classes)))])
    inside = torch.isin(code[new], first)
    return new[inside], new[~inside]


def _tried(index: Searchable, held: Held, known: Tensor, scales: Scales | None, seed: int) -> tuple[Tried | None, int]:
    """Held-out pictures of known classes; where there are none, the gallery's own, each against all others.

    The second is how many held-out ones were left out, because they are pictures of the gallery.
    """
    rows = known.nonzero()[:, 0]
    inside = _inside(index, held.z[rows])
    rows, copied = rows[~inside], int(inside.sum())
    if len(rows):
        found, code = best(index, held.z[rows], scales), held.codes()[1][rows]
        labels, source = [held.labels[i] for i in rows.tolist()], f"pictures of known classes in {held.name}"
    else:
        ids, labels, code = _own(index, seed)
        if not len(ids):
            return None, copied
        z = index.vectors(ids)
        z = torch.nn.functional.pad(z, (0, index.dim - z.shape[1]))  # a similarity may have cut them short
        found, source = best(index, z, scales, own=ids), "the gallery's own pictures, each left out"
    right = torch.tensor([a == b for a, b in zip(found.label, labels, strict=True)])
    return Tried(found.score, right, code, source), copied


def _inside(index: Searchable, z: Float[Tensor, "q d"]) -> Bool[Tensor, " q"]:
    """Whether the best match of each embedding is the same embedding: then the picture is in the gallery."""
    if not len(z):
        return torch.zeros(0, dtype=torch.bool)
    ids = best(index, z).id
    same = torch.empty(len(z), dtype=torch.bool)
    for rows in torch.arange(len(z)).split(ROWS):
        z_own, z_found = geometry(index.similarity)[0](z[rows].float()), index.vectors(ids[rows]).float()
        same[rows] = (z_own - z_found).norm(dim=1) <= SAME * z_found.norm(dim=1)
    return same


def _own(index: Searchable, seed: int) -> tuple[Tensor, list[str], Tensor]:
    """Pictures of the gallery whose class has another: all, or those of classes drawn at random."""
    ids = index.ids()
    labels = index.items(ids).labels
    names = sorted(set(labels) - {""})
    place = {name: i for i, name in enumerate(names)} | {"": len(names)}
    code = torch.tensor([place[label] for label in labels])
    size = torch.bincount(code, minlength=len(names) + 1)
    size[-1] = 0
    several = (size >= 2).nonzero()[:, 0]
    order = several[torch.randperm(len(several), generator=torch.Generator().manual_seed(seed))]
    chosen = order[: max(1, int((size[order].cumsum(0) <= PROBES).sum()))]
    rows = torch.isin(code, chosen).nonzero()[:, 0]
    return ids[rows], [labels[i] for i in rows.tolist()], code[rows]


def _known(tried: Tried | None, threshold: float, seed: int) -> Known | None:
    if tried is None:
        return None
    named = tried.score >= threshold
    right = (named & tried.right).double()
    low, high = group_bootstrap(right[:, None], tried.group, samples=1000, confidence=0.95, seed=seed)
    return Known(
        source=tried.source,
        pictures=len(right),
        classes=len(tried.group.unique()),
        dir=float(right.mean()),
        low=_finite(low, 0.0),
        high=_finite(high, 1.0),
        misnamed=float((named & ~tried.right).double().mean()),
        refused=float((~named).double().mean()),
        closed=float(tried.right.double().mean()),
    )


def _finite(value: Tensor, otherwise: float) -> float:
    """An end of an interval; where classes are too few for one, the end of all that is possible."""
    return float(value) if math.isfinite(float(value)) else otherwise


def _curve(tail: Tail, tried: Tried | None) -> tuple[Point, ...]:
    """From the strictest threshold that the classes can promise anything of, to the loosest that refuses any stranger."""
    n = tail.groups
    rates = torch.logspace(math.log10(1 / (n + 1)), 0, POINTS, dtype=torch.float64)
    thresholds = tail.thresholds(rates * (n + 1) - 1)
    thresholds = thresholds[thresholds.isfinite()].unique().flip(0)
    total = tail.at(thresholds)
    shares: list[float | None] = [None] * len(thresholds)
    if tried is not None:
        right = tried.score[tried.right].sort().values
        shares = ((len(right) - torch.searchsorted(right, thresholds)).double() / len(tried.score)).tolist()
    rows = zip(thresholds.tolist(), total.tolist(), shares, strict=True)
    return tuple(Point(threshold=t, rate=(1 + s) / (n + 1), fpir=s / n, dir=share) for t, s, share in rows)


def _closest(
    names: tuple[str, ...], code: Tensor, accepted: Tensor, taken: tuple[str, ...], rows: int = 12
) -> tuple[tuple[str, float, str], ...]:
    """Held-out classes by the share of their pictures that is accepted, and whom those are taken for most."""
    classes, own, size = torch.unique(code, return_inverse=True, return_counts=True)
    share = torch.zeros(len(classes), dtype=torch.float64).index_add_(0, own, accepted.double()) / size
    found = []
    for c in share.argsort(descending=True, stable=True)[:rows].tolist():
        if not float(share[c]):
            break
        mine = [taken[i] for i in (accepted & (own == c)).nonzero()[:, 0].tolist()]
        found.append((names[int(classes[c])], float(share[c]), max(sorted(set(mine)), key=mine.count)))
    return tuple(found)
