"""From which similarity on two pictures are taken to be of one class, for stated rates of false matches.

Thresholds are read off all pairs of validation classes, which were not trained on, and then tried on pairs of the test
classes, which nothing was chosen by. The rates of the validation pairs are those of these pairs: a bound that holds for new
classes with a stated confidence is not claimed here.
"""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.evaluation import Embeddings
from isometry.ops import roc
from isometry.ops.pair_counts import Pairs, all_pairs, counted, genuine_scores
from isometry.protocols.retrieval import geometry

RATES = (1e-1, 1e-2, 1e-3)
IMAGES = 10_000


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A pair is taken for the same where its similarity is at least `score`.

    Attributes:
        rate: the share of false matches that was asked for, at most.
        score: in units of the similarity, larger is closer: a distance d is the similarity −d.
        fmr, tar: shares of impostor and of genuine validation pairs that it accepts.
        test_fmr, test_tar: the same of test pairs; None where it was not tried.
    """

    rate: float
    score: float
    fmr: float
    tar: float
    test_fmr: float | None = None
    test_tar: float | None = None


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What pairs a share is of."""

    classes: int
    images: int
    genuine: int
    impostor: int


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Calibrated thresholds. Attributes: similarity, as text; rows, from the loosest to the strictest; the pairs of
    validation and of test that they were read off and tried on; notes: what could not be had, and why.
    """

    similarity: str = "cosine"
    rows: tuple[Threshold, ...] = ()
    validation: Counts | None = None
    test: Counts | None = None
    notes: tuple[str, ...] = ()

    def at(self, rate: float) -> Threshold:
        """The threshold for this rate of false matches.

        Raises:
            ValueError: where there is none for it.
        """
        for row in self.rows:
            if math.isclose(row.rate, rate):
                return row
        have = ", ".join(f"{row.rate:g}" for row in self.rows) or "none"
        raise ValueError(f"There is no threshold for a false-match rate of {rate:g}; there is {have}.")

    def as_json(self) -> dict[str, Any]:
        """Plain values, that `from_json` takes."""
        return dataclasses.asdict(self)


def from_json(found: dict[str, Any]) -> Thresholds:
    """What `as_json` wrote."""
    counts = {k: None if found[k] is None else Counts(**found[k]) for k in ("validation", "test")}
    rows = tuple(Threshold(**row) for row in found["rows"])
    return Thresholds(similarity=found["similarity"], rows=rows, notes=tuple(found["notes"]), **counts)


@torch.no_grad()
def calibrate(
    validation: Embeddings,
    test: Embeddings | None = None,
    *,
    similarity: str = "cosine",
    rates: Iterable[float] = RATES,
    images: int = IMAGES,
    seed: int = 0,
    memory: str | int = "512 MB",
) -> Thresholds:
    """The loosest threshold for each rate of false matches, on validation pairs; and what it does on test pairs.

    A pair is two images of known label: a query and a gallery item where the data name these, else any two, once. Genuine
    pairs share the class (or a label of their sets). A threshold is the lowest score of a genuine pair that keeps the share
    of accepted impostors at most at the rate; equal scores are accepted together. All pairs are counted, exactly; of more
    than `images` images, those of classes drawn at random with `seed`. Rates below one impostor pair are left out.

    >>> from isometry.data import read
    >>> z = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
    >>> data = read((torch.zeros(4, 1, 2, 2), [0, 0, 1, 1]))
    >>> [(t.rate, round(t.score, 2), t.fmr, t.tar) for t in calibrate(Embeddings(z, data), rates=(0.5, 0.25, 0.1)).rows]
    [(0.5, 0.8, 0.0, 1.0), (0.25, 0.8, 0.0, 1.0)]
    """
    notes = []
    held = _drawn(validation, images, seed, "validation", notes)
    pairs = _pairs(held, similarity, memory)
    found = counted(pairs, genuine_scores(pairs)).steps
    if not int(found.genuine.sum()) or not int(found.impostor.sum()):
        why = "no thresholds: the validation images have no genuine or no impostor pair"
        return Thresholds(similarity=similarity, notes=(why,))
    kept: dict[float, float] = {}
    for rate in sorted(rates, reverse=True):
        try:
            roc.measurable(rate, int(found.impostor.sum()), "impostor pairs of validation")
        except ValueError as error:
            notes.append(f"no threshold for {rate:g}: {error}")
            continue
        score = _loosest(pairs, found, rate)
        if math.isfinite(score):
            kept[rate] = score
        else:
            notes.append(f"no threshold for {rate:g}: it would accept no genuine validation pair")
    scores = torch.tensor(list(kept.values()))
    shares, of = _shares(pairs, scores), _counts(held, found)
    tried, of_test = torch.empty(0, 2), None
    if test is not None:
        tested = _drawn(test, images, seed, "test", notes)
        others = _pairs(tested, similarity, memory)
        steps = counted(others, scores.unique()).steps
        if int(steps.genuine.sum()) and int(steps.impostor.sum()):
            tried, of_test = _shares(others, scores), _counts(tested, steps)
    rows = []
    for i, (rate, score) in enumerate(kept.items()):
        fmr, tar = shares[i].tolist()
        test_fmr, test_tar = tried[i].tolist() if of_test else (None, None)
        rows.append(Threshold(rate=rate, score=score, fmr=fmr, tar=tar, test_fmr=test_fmr, test_tar=test_tar))
    return Thresholds(similarity=similarity, rows=tuple(rows), validation=of, test=of_test, notes=tuple(notes))


def _loosest(pairs: Pairs, found: roc.Steps, rate: float) -> float:
    """The lowest genuine score that this rate allows; scores about it are counted again until they are told apart."""
    reading = roc.largest_tar(found, rate)
    while (gap := reading.gap) is not None:
        ends = torch.tensor(gap)
        inside = genuine_scores(pairs, *gap)
        reading = roc.largest_tar(counted(pairs, torch.cat([ends[ends.isfinite()], inside]).unique()).steps, rate)
        if reading.gap == gap:
            break
    return reading.threshold


def _shares(pairs: Pairs, scores: Float[Tensor, " t"]) -> Float[Tensor, "t 2"]:
    """FMR and TAR of accepting from each score on."""
    found = counted(pairs, scores.unique()).steps
    accepted = (found.low[None] >= scores[:, None]).double()
    counts = torch.stack([found.impostor, found.genuine], 1).double()
    return accepted @ counts / counts.sum(0)


def _pairs(found: Embeddings, similarity: str, memory: str | int) -> Pairs:
    z, data = found
    embed, compare = geometry(similarity)
    rows, (query, gallery) = embed(z.float()), found.roles()
    y = data.labels if data.multi is None else data.multi

    def side(at: Int[Tensor, " k"]) -> tuple[Tensor, Tensor, Tensor]:
        return rows[at], y[at], data.ids[at]

    return all_pairs(*side(query), None if gallery is None else side(gallery), compare, memory)


def _counts(found: Embeddings, steps: roc.Steps) -> Counts:
    known = found.data.labels >= 0
    return Counts(
        classes=len(found.data.present()),
        images=int(known.sum()),
        genuine=int(steps.genuine.sum()),
        impostor=int(steps.impostor.sum()),
    )


def _drawn(found: Embeddings, images: int, seed: int, part: str, notes: list[str]) -> Embeddings:
    """All, or whole classes in a random order for as long as there is room, two at least."""
    labels, present = found.data.labels, found.data.present()
    known = labels[labels >= 0]
    if len(known) <= images:
        return found
    order = present[torch.randperm(len(present), generator=torch.Generator().manual_seed(seed))]
    room = int((torch.bincount(known)[order].cumsum(0) <= images).sum())
    kept = order[: max(room, 2)]
    rows = torch.isin(labels, kept).nonzero()[:, 0]
    notes.append(f"{part} pairs are those of {len(kept):,} of {len(present):,} classes, drawn at random (seed {seed})")
    return Embeddings(found.z[rows], found.data.select(rows))
