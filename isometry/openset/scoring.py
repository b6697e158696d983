"""How a probe is scored against a whole gallery: the number that a threshold is compared with, and the class it speaks for."""

import functools
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from isometry.openset.gallery import Searchable
from isometry.protocols.retrieval import geometry

NEIGHBOURS = 50
"""Items that a probe is compared with class by class: the rule is the same in calibration and in use."""
TENTH, FLOOR, ITSELF = 0.1, 0.05, 8
CELLS = 2**23


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """The best match of each probe.

    Attributes:
        score: what a threshold is compared with; larger is closer.
        similarity: to the closest item of the class that it speaks for. id: that item. label: its class, "" if unknown.
    """

    score: Float[Tensor, " q"]
    similarity: Float[Tensor, " q"]
    id: Int64[Tensor, " q"]
    label: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scales:
    """How close strangers come to each class of a gallery.

    A class that many strangers look like asks for a higher similarity than one that is like nothing else. The relative
    similarity (s − near_c) / way_c has one threshold for all classes: 0 where the closest tenth of strangers begins, 1 about at
    a picture of the class itself. (The idea is that of Z-norm: Auckenthaler, Carey and Lloyd-Thomas, "Score normalization for
    text-independent speaker verification systems", Digital Signal Processing 2000, which has mean and deviation in their place;
    for similarities that end at 1 these name far fewer known pictures.)

    Attributes:
        near: similarity that the closest tenth of strangers has to the class. way: from there to a picture of the class
            itself, and a twentieth of the mean way, so that strangers who equal a class do not decide all.
        fitted: how many held-out classes they are from; these take no part in the threshold.
    """

    classes: tuple[str, ...]
    near: Float[Tensor, " c"]
    way: Float[Tensor, " c"]
    fitted: int

    def of(self, label: str) -> tuple[float, float]:
        """Both numbers of a class; the middle of all where it is not known."""
        place = self._place.get(label, -1)
        near, way = self._with_rest
        return float(near[place]), float(way[place])

    def relative(self, similarity: Float[Tensor, "q k"], labels: list[str]) -> Float[Tensor, "q k"]:
        """(s − near_c) / way_c; labels go row by row."""
        at = torch.tensor([self._place.get(label, -1) for label in labels]).view(similarity.shape)
        near, way = self._with_rest
        return (similarity - near[at]) / way[at]

    @functools.cached_property
    def _place(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.classes)}

    @functools.cached_property
    def _with_rest(self) -> tuple[Tensor, Tensor]:
        return torch.cat([self.near, self.near.median()[None]]), torch.cat([self.way, self.way.median()[None]])


def best(
    index: Searchable,
    z: Float[Tensor, "q d"],
    scales: Scales | None = None,
    *,
    own: Int64[Tensor, " q"] | None = None,
) -> Scored:
    """The best match of each embedding among all of the gallery; of several `own` items, none is a match of itself.

    Without scales the score is the similarity of the nearest item. With scales it is the largest relative one among the
    `NEIGHBOURS` nearest items; in both cases whatever the index finds, exactly or not.
    """
    if not len(index):
        raise ValueError("The gallery is empty: nothing can be matched.")
    k = min((1 if scales is None else NEIGHBOURS) + (own is not None), len(index))
    similarity, ids = index.search_vectors(z, k)
    if own is not None:
        similarity = similarity.masked_fill(ids == own[:, None], -torch.inf)
    distinct, place = ids.unique(return_inverse=True)
    held = index.items(distinct[distinct >= 0]).labels
    names = [""] * int((distinct < 0).sum()) + list(held)
    labels = [names[i] for i in place.flatten().tolist()]
    score = similarity if scales is None else scales.relative(similarity, labels)
    top = score.argmax(1)
    row = torch.arange(len(z))
    chosen = tuple(labels[i * k + j] for i, j in enumerate(top.tolist()))
    return Scored(score=score[row, top], similarity=similarity[row, top], id=ids[row, top], label=chosen)


@torch.no_grad()
def fit_scales(index: Searchable, z: Float[Tensor, "q d"], group: Int64[Tensor, " q"]) -> Scales:
    """Scales of every class of the gallery, from embeddings of strangers; each of their classes weighs alike.

    The whole gallery is gone through, some classes at a time.
    """
    ids = index.ids()
    labels = index.items(ids).labels
    classes = tuple(sorted(set(labels) - {""}))
    if not classes:
        raise ValueError("No picture of the gallery has a label, so there are no classes to have thresholds of.")
    place = {name: i for i, name in enumerate(classes)} | {"": len(classes)}
    code = torch.tensor([place[label] for label in labels])
    order = code.argsort(stable=True)
    ends = torch.bincount(code, minlength=len(classes))[: len(classes)].cumsum(0).tolist()
    weight = _weights(group)
    embed, compare = geometry(index.similarity)
    q = embed(z.float())
    near, own = torch.empty(len(classes)), torch.empty(len(classes))
    for c, (first, last) in enumerate(zip([0, *ends], ends, strict=False)):
        closest, of_itself = torch.full((len(q),), -torch.inf), []
        for rows in order[first:last].split(max(1, CELLS // len(q))):
            g = index.vectors(ids[rows]).float()
            closest = torch.maximum(closest, compare(q, g).amax(1).float())
            of_itself += [float(compare(one[None], one[None])) for one in g[:ITSELF]]
        near[c] = _quantile(closest, weight, 1 - TENTH)
        own[c] = sum(of_itself) / len(of_itself)
    way = (own - near).clamp_min(0)
    way = (way + FLOOR * way.mean()).clamp_min(1e-6)
    return Scales(classes=classes, near=near, way=way, fitted=len(group.unique()))


def _weights(group: Int64[Tensor, " q"]) -> Float64[Tensor, " q"]:
    """One over all groups, shared within each."""
    own, size = torch.unique(group, return_inverse=True, return_counts=True)[1:]
    return 1 / (len(size) * size[own].double())


def _quantile(values: Float[Tensor, " q"], weight: Float64[Tensor, " q"], share: float) -> float:
    """The lowest value that has at least this share of the weight at or below it."""
    ordered, order = values.sort()
    below = weight[order].cumsum(0)
    return float(ordered[min(int((below < share - 1e-9).sum()), len(ordered) - 1)])
