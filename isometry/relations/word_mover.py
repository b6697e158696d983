"""Pictures by the words said of them, at Word Mover's Distance (Kusner, Sun, Kolkin and Weinberger, "From word embeddings to
document distances", ICML 2015; as a label distance: Kim et al., CVPR 2019)."""

import functools
import hashlib
import importlib
import importlib.util
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from isometry.label_metric import Bound, LabelMetric, rows_where
from isometry.ops.chamfer import both_ways, extremes
from isometry.ops.pieces import in_pieces
from isometry.relations.word_vectors import word_vectors


class WordMover(LabelMetric):
    """Pictures are alike when the words of their captions can be moved onto each other over short ways.

    D(Y, Y') = Σ_{c∈Y} min_{c'∈Y'} W(c, c') + Σ_{c'∈Y'} min_{c∈Y} W(c, c'). A caption is a bag of words with weights a_i
    (shares of its words); W is the least cost Σ_ij T_ij ‖x_i − x'_j‖₂ of a transport T ≥ 0 with margins a and a'.

    `relaxed` (the default, without a solver): the greatest of three lower bounds of W: Σ_i a_i min_j ‖x_i − x'_j‖, the same
    from the other side, and the distance of the bags' mean vectors (WCD). The paper's RWMD is the greater of the first two;
    it may lie below WCD, although the paper orders them the other way: bags of the same words in other shares have RWMD 0.
    `relaxed=False` solves the transport for each pair of sentences (POT; installs with `isometry[captions]`): for short lists.

    `vectors`: a text file (a word and its numbers a line) or an `.npz` (`words`, `vectors`); by default the word-piece
    table of the packaged sentence model. Labels are `Data.captions`, as pairs (word number, weight), `words` of them for
    each sentence: the first distinct ones; where there are no captions, `targets` are read as that, `[n s words 2]`.
    A pair with NaN is none, a sentence without a known word is missing, an item without a sentence unknown. D has the unit
    of the vectors and grows with the number of captions; it has no triangle inequality. `radius` 2.2 is for one caption each
    and the packaged table.
    ‖v − w‖ ≤ D for the extremes of the bags' mean vectors (`ops.chamfer.extremes`), which excludes little in many dimensions.

    Raises:
        ValueError: for a file without vectors, labels of a wrong width, or a solver that is not installed.
    """

    radius: float = 2.2
    vectors: str = ""
    relaxed: bool = True
    words: int = 16
    reads: ClassVar[str] = "captions"

    def __post_init__(self) -> None:
        if self.words < 1:
            raise ValueError(f"WordMover.words is how many words of a sentence count, at least 1; got {self.words}.")

    def labels(self, data: Any) -> Tensor | None:
        if data.captions is None:
            return data.targets
        known, most = word_vectors(self.vectors), max([1, *map(len, data.captions)])
        out = torch.full((len(data.captions), most, self.words, 2), torch.nan)
        for said, row in zip(data.captions, out, strict=True):
            for sentence, pairs in zip(said, row, strict=False):
                if bag := list(known.bag(sentence).items())[: self.words]:
                    pairs[: len(bag)] = torch.tensor(bag)
        return out.flatten(1)

    def prepared(self, labels: Shaped[Tensor, "n ..."]) -> Float[Tensor, "n t"]:
        flat = super().prepared(labels)
        if flat.shape[1] == 0 or flat.shape[1] % (2 * self.words):
            raise ValueError(
                f"WordMover reads {self.words} pairs (word, weight) a sentence, and {flat.shape[1]} label columns are no "
                f"multiple of {2 * self.words}: say words=…."
            )
        return flat

    def filled(self, labels: Float[Tensor, "n t"]) -> Float[Tensor, "n t"]:
        """As they are: a word that is NaN is missing, and no word 0."""
        return labels

    def known(self, labels: Float[Tensor, "n t"]) -> Bool[Tensor, " n"]:
        return (self._bags(labels)[1] > 0).flatten(1).any(1)

    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        pairs = (rows.shape[-1] // (2 * self.words)) * (cols.shape[-1] // (2 * self.words))
        return in_pieces(self._lists, rows, cols, 6 * pairs)

    def _lists(self, rows: Float[Tensor, "b n t"], cols: Float[Tensor, "b m t"]) -> Float[Tensor, "b n m"]:
        return torch.stack([self._gap(a, b) for a, b in zip(rows, cols, strict=True)])

    def _gap(self, rows: Float[Tensor, "n t"], cols: Float[Tensor, "m t"]) -> Float[Tensor, "n m"]:
        (a, p), (b, q) = self._bags(rows), self._bags(cols)
        (x, a), (y, b) = self._distinct(a, rows), self._distinct(b, cols)
        ground = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
        one, other = (a.flatten(0, 1), p.flatten(0, 1)), (b.flatten(0, 1), q.flatten(0, 1))
        if self.relaxed:
            means = torch.cdist(_mean(x, *one), _mean(y, *other), compute_mode="donot_use_mm_for_euclid_dist")
            way, back = _to_nearest(ground, *one, *other), _to_nearest(ground.T, *other, *one).T
            apart = torch.maximum(means, torch.maximum(way, back))
        else:
            apart = _transport(ground, *one, *other)
        apart = apart.unflatten(1, b.shape[:2]).unflatten(0, a.shape[:2])
        return both_ways(apart, (p > 0).any(-1), (q > 0).any(-1))

    def bound(self, labels: Float[Tensor, "n t"]) -> Bound:
        word, share = self._bags(labels)
        x, at = self._distinct(word, labels)
        means = _mean(x, at.flatten(0, 1), share.flatten(0, 1)).unflatten(0, share.shape[:2])
        return Bound(extremes(means, (share > 0).any(-1)), 1.0)

    def mark(self) -> str:
        """Its text, and the content of the table of vectors that it reads."""
        digest = hashlib.sha256()
        for some in word_vectors(self.vectors).table.split(2**14):
            digest.update(some.contiguous().numpy().tobytes())
        return f"{self!r} {digest.hexdigest()}"

    def faults(self, labels: Float[Tensor, "n t"]) -> dict[int, str]:
        word, weight = labels.unflatten(-1, (-1, 2)).unbind(-1)
        most = len(word_vectors(self.vectors).table)
        strange = (word < 0) | (word >= most) | ((word != word.round()) & ~word.isnan())
        return {
            **rows_where(
                (word.isnan() != weight.isnan()).any(1), "a word without a weight, or a weight without a word"
            ),
            **rows_where(strange.any(1), f"a word that is no number from 0 to {most - 1}"),
            **rows_where(((weight < 0) | weight.isinf()).any(1), "a weight that is no finite number from 0 on"),
        }

    def _bags(self, labels: Float[Tensor, "n t"]) -> tuple[Int[Tensor, "n s w"], Float[Tensor, "n s w"]]:
        """Words and their shares of each sentence; 0 and 0 where there is none, or either is NaN."""
        pairs = labels.unflatten(-1, (-1, self.words, 2))
        word, weight = torch.where(pairs.isnan().any(-1, keepdim=True), 0, pairs).nan_to_num().unbind(-1)
        return word.long(), weight / weight.sum(-1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)

    def _distinct(self, word: Int[Tensor, "n s w"], like: Tensor) -> tuple[Float[Tensor, "u d"], Int[Tensor, "n s w"]]:
        """The vectors of the words that occur, and where each word's is."""
        found, at = word.unique(return_inverse=True)
        return word_vectors(self.vectors).table[found.cpu()].to(like), at


def _mean(x: Float[Tensor, "u d"], word: Int[Tensor, "n w"], share: Float[Tensor, "n w"]) -> Float[Tensor, "n d"]:
    """The mean vector of each bag."""
    total = x.new_zeros(len(word), x.shape[1])
    for at, part in zip(word.T, share.T, strict=True):
        total = total + part[:, None] * x[at]
    return total


def _to_nearest(
    ground: Float[Tensor, "u v"], word: Int[Tensor, "n w"], share: Float[Tensor, "n w"],
    other: Int[Tensor, "m w"], there: Float[Tensor, "m w"],
) -> Float[Tensor, "n m"]:  # fmt: skip
    """Σ over the words of a bag of share times distance to the nearest word of the other bag."""
    near = ground.new_full((len(ground), len(other)), torch.inf)
    for at, real in zip(other.T, there.T, strict=True):
        near = torch.minimum(near, ground[:, at].masked_fill(real == 0, torch.inf))
    near = near.masked_fill(near.isinf(), 0)
    total = ground.new_zeros(len(word), len(other))
    for at, part in zip(word.T, share.T, strict=True):
        total = total + part[:, None] * near[at]
    return total


def _transport(
    ground: Float[Tensor, "u v"], word: Int[Tensor, "n w"], share: Float[Tensor, "n w"],
    other: Int[Tensor, "m w"], there: Float[Tensor, "m w"],
) -> Float[Tensor, "n m"]:  # fmt: skip
    """The cost of the best transport for each pair of bags, in float64 on the processor."""
    if importlib.util.find_spec("ot") is None:
        raise ValueError('WordMover(relaxed=False) needs a solver of transport: pip install "isometry[captions]".')
    solve = functools.partial(importlib.import_module("ot").emd2, center_dual=False, check_marginals=False)
    cost = ground.double().cpu().numpy()
    one, two = ([(w[s > 0].cpu().numpy(), _shares(s)) for w, s in zip(*bags, strict=True)] for bags in
                ((word, share), (other, there)))  # fmt: skip
    made = [[solve(p, q, cost[a][:, b]) if len(p) and len(q) else 0.0 for b, q in two] for a, p in one]
    return torch.tensor(made, dtype=torch.float64).reshape(len(word), len(other)).clamp_min(0).to(ground)


def _shares(share: Float[Tensor, " w"]) -> np.ndarray:
    kept = share[share > 0].double()
    return (kept / kept.sum()).cpu().numpy()
