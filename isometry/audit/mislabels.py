"""Labels that the neighbourhood contradicts, with a chance that they are wrong.

The score of a picture is the logarithm of how much more its neighbours in the embedding speak for the best other class than
for its own,

    s = max_{c ≠ y} ln V(c) − ln V(y),    V(c) = n_c^{−1/2} Σ_{j of class c} e^{z_i·z_j / T},

on the unit sphere, the picture itself and its copies left out. V(y) is over the nearest of its own class, however far they
are; V(c) over the classes among the k nearest. The root of the class size n_c keeps large classes from winning by number.

The chance comes from labels that are wrong on purpose, of two kinds: each picture (or 4,000 of them) is scored under the
label of any other picture, and under the class that speaks most against it, which scores −s. With f₁ the density of such
scores and f₀ of the scores as labelled, the chance of a wrong label at score s is π f₁(s) / f₀(s) (the local false discovery
rate, Efron, JASA 2004, turned round); the ratio is made monotone by isotonic regression, and π, the share of wrong labels,
is the largest that leaves no place where fewer pictures lie than wrong ones would (Scott, AISTATS 2015). The larger chance of
the two kinds counts, the second only where its π is at most a fifth: else the embedding cannot tell such labels. π is an
upper bound for its kind, up to chance: where right labels look as odd as wrong ones do, the chance is too high. Where π of the
first kind is above a half, labels look no better than those of other pictures, and no chance is stated.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.ops.neighbours import nearest

NEIGHBOURS = 40
HEAT = 0.05
PLANTED = 4000
MOST = 0.2
"""A share π of labels exchanged for the next class above which the embedding cannot tell such labels: they are left out."""
HOPELESS = 0.5
"""A share π of labels of any other picture above which the embedding does not know the classes: no label is called wrong."""
SPARSE = 0.2
"""The share of the planted labels that a place must hold at least for π to be read off there."""


class Mislabels(NamedTuple):
    """For each picture, by row.

    Attributes:
        score: s, larger is worse; −inf where nothing can be said (no label, no other of its class), and where no neighbour
            speaks against it.
        chance: that the label is wrong, between 0 and 1.
        other: the class that the neighbours speak for; −1 where there is none.
        neighbours: the nearest pictures, −1 where there are fewer.
        similarity: their cosine.
        share: π of the labels that a neighbour speaks against, of the kind of which more may be wrong.
            Above `HOPELESS` the embedding does not tell the classes apart, and every chance is 0.
    """

    score: Float[Tensor, " n"]
    chance: Float[Tensor, " n"]
    other: Int64[Tensor, " n"]
    neighbours: Int64[Tensor, "n k"]
    similarity: Float[Tensor, "n k"]
    share: float

    @property
    def said(self) -> str:
        """How many labels may be wrong, in words."""
        if self.share > HOPELESS:
            return "nothing is said of them: the embedding does not tell the classes apart"
        return f"at most {self.share:.1%}"


def mislabels(
    z: Float[Tensor, "n d"],
    labels: Int64[Tensor, " n"],
    group: Int64[Tensor, " n"] | None = None,
    *,
    k: int = NEIGHBOURS,
    heat: float = HEAT,
    seed: int = 0,
    memory: str = "512 MB",
) -> Mislabels:
    """Scores every label by the exact neighbours of its picture.

    Args:
        group: copies have one number; they have no say in each other's labels. Each picture has its own unless given.
        memory: of the search, which takes the gallery in chunks.

    >>> z = torch.nn.functional.one_hot(torch.arange(3).repeat_interleave(20)).float()
    >>> labels = torch.arange(3).repeat_interleave(20)
    >>> labels[7] = 2
    >>> found = mislabels(z, labels)
    >>> int(found.score.argmax()), int(found.other[7])
    (7, 0)
    """
    n = len(z)
    unit = torch.nn.functional.normalize(z.float(), dim=1)
    group = torch.arange(n) if group is None else group
    similarity, found = nearest(unit, unit, k, ids_q=group, ids_g=group, memory=memory)
    votes = Votes.of(unit, labels, group, similarity, found, heat)
    score, other = votes.scores(torch.arange(n), labels)
    usable = score.isfinite().nonzero()[:, 0]
    chance, share = torch.zeros(n), 0.0
    if len(usable) > 1:
        dice = torch.Generator().manual_seed(seed)
        rows = usable[torch.randperm(len(usable), generator=dice)[:PLANTED]]
        wrong = labels[usable[torch.randint(len(usable), (len(rows),), generator=dice)]]
        differ = wrong != labels[rows]
        if bool(differ.any()):
            planted = votes.scores(rows[differ], wrong[differ])[0]
            any_class, share = chances(score[usable], planted[planted.isfinite()])
            next_class, near = chances(score[usable], -score[rows])
            if near <= MOST:
                any_class, share = torch.maximum(any_class, next_class), max(share, near)
            chance[usable] = any_class if share <= HOPELESS else 0.0
    return Mislabels(score, chance, other, found, similarity, share)


class Votes(NamedTuple):
    """What is needed to score any label of any picture."""

    unit: Float[Tensor, "n d"]
    labels: Int64[Tensor, " n"]
    group: Int64[Tensor, " n"]
    similarity: Float[Tensor, "n k"]
    found: Int64[Tensor, "n k"]
    size: Float[Tensor, " c"]
    heat: float

    @classmethod
    def of(cls, unit: Tensor, labels: Tensor, group: Tensor, similarity: Tensor, found: Tensor, heat: float) -> "Votes":
        classes = int(labels.max()) + 1 if len(labels) else 0
        size = torch.bincount(labels[labels >= 0], minlength=max(classes, 1)).float()
        return cls(unit, labels, group, similarity, found, size, heat)

    def scores(self, rows: Int64[Tensor, " r"], given: Int64[Tensor, " r"]) -> tuple[Tensor, Tensor]:
        """s of these pictures under these labels, and the class that speaks against each."""
        own = self._for(rows, given)
        near = self.found[rows]
        label = torch.where(near >= 0, self.labels[near.clamp_min(0)], -1)
        weight = self.similarity[rows].double() / self.heat
        against = (label >= 0) & (label != given[:, None])
        best, which = torch.full((len(rows),), -torch.inf, dtype=torch.float64), torch.full((len(rows),), -1)
        for column in range(near.shape[1]):  # a class is summed up where it first occurs
            asked = label[:, column : column + 1]
            new = against[:, column] & ~(label[:, :column] == asked).any(1)
            total = weight.masked_fill(label != asked, -torch.inf).logsumexp(1) - self._size(asked[:, 0]).log() / 2
            better = new & (total > best)
            best, which = torch.where(better, total, best), torch.where(better, asked[:, 0], which)
        score = torch.where(best.isfinite() & own.isfinite(), best - own, -torch.inf)
        return score.float(), which

    def _size(self, label: Tensor) -> Tensor:
        return self.size[label.clamp_min(0)].double()

    def _for(self, rows: Tensor, given: Tensor) -> Float[Tensor, " r"]:
        """ln V of the given class, over its nearest members; −inf where it has none but the picture and its copies."""
        total = torch.full((len(rows),), -torch.inf, dtype=torch.float64)
        order = self.labels.argsort(stable=True)
        members = dict(zip(*_runs(self.labels[order]), strict=True))
        asked = given.argsort(stable=True)
        for label, (start, end) in zip(*_runs(given[asked]), strict=True):
            if label < 0 or label not in members:
                continue
            at, inside = asked[start:end], order[slice(*members[label])]
            k = min(self.found.shape[1], len(inside))
            similarity, _ = nearest(
                self.unit[rows[at]], self.unit[inside], k, ids_q=self.group[rows[at]], ids_g=self.group[inside]
            )
            others = len(inside) - (self.labels[rows[at]] == label).double()
            total[at] = (similarity.double() / self.heat).logsumexp(1) - others.clamp_min(1).log() / 2
        return total


def _runs(ordered: Int64[Tensor, " n"]) -> tuple[list[int], list[tuple[int, int]]]:
    """Equal values in a sorted row: each value, and where it begins and ends."""
    values, counts = torch.unique_consecutive(ordered, return_counts=True)
    ends = counts.cumsum(0)
    return values.tolist(), list(zip((ends - counts).tolist(), ends.tolist(), strict=True))


def chances(score: Float[Tensor, " n"], planted: Float[Tensor, " m"]) -> tuple[Float[Tensor, " n"], float]:
    """The chance that each label is wrong, given the scores of labels that are; and π.

    >>> score = torch.cat([torch.randn(900, generator=torch.Generator().manual_seed(0)), torch.full((100,), 9.0)])
    >>> chance, share = chances(score, torch.full((500,), 9.0))
    >>> round(share, 2), round(float(chance[-1]), 1), round(float(chance[0]), 1)
    (0.1, 1.0, 0.0)
    """
    from sklearn.isotonic import IsotonicRegression

    if not len(planted):
        return torch.zeros(len(score)), 0.0
    seen, wrong = score.double().numpy(), planted.double().numpy()
    weight = np.concatenate([np.full(len(seen), 1 / len(seen)), np.full(len(wrong), 1 / len(wrong))])
    is_planted = np.concatenate([np.zeros(len(seen)), np.ones(len(wrong))])
    fit = IsotonicRegression(y_min=0, y_max=1).fit(np.concatenate([seen, wrong]), is_planted, sample_weight=weight)
    odds = fit.predict(seen)
    ratio = odds / np.maximum(1 - odds, 1e-9)
    places = np.quantile(wrong, np.linspace(0, 1 - SPARSE, 33))
    tails = [((seen >= t).sum() + 1) / len(seen) / (wrong >= t).mean() for t in places]
    share = float(min([1.0, *tails]))
    return torch.from_numpy(np.minimum(1.0, share * ratio)).float(), share
