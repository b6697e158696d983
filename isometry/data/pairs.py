"""Pairs to be told same or different, as verification asks for them."""

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from isometry.data.data import Data


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of pictures, or of templates.

    Attributes:
        left, right: positions in the data (or of the templates) that the pairs were read with.
        same: whether the two show the same class.
        fold: which of the published folds a pair belongs to, from 0; None where there are none.

    >>> import torch
    >>> pairs = Pairs(torch.tensor([0, 1]), torch.tensor([2, 3]), torch.tensor([True, False]))
    >>> pairs, pairs.select(pairs.same).left
    (<2 pairs, 1 same>, tensor([0]))

    Raises:
        ValueError: for sides of different lengths.
    """

    left: Int64[Tensor, " p"]
    right: Int64[Tensor, " p"]
    same: Bool[Tensor, " p"]
    fold: Int64[Tensor, " p"] | None = None

    def __post_init__(self) -> None:
        for name in ("right", "same", "fold"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.left):
                raise ValueError(f"There are {len(self.left)} pairs and {len(value)} entries of {name}: one for each.")

    def __len__(self) -> int:
        return len(self.left)

    def __repr__(self) -> str:
        return f"<{len(self):,} pairs, {int(self.same.sum()):,} same>"

    def select(self, keep: Bool[Tensor, " p"] | Int64[Tensor, " k"]) -> "Pairs":
        """The pairs where `keep` is true, or those at the positions `keep`."""
        fold = None if self.fold is None else self.fold[keep]
        return Pairs(self.left[keep], self.right[keep], self.same[keep], fold)

    def write_to(self, digest: Any) -> None:
        """Feeds a hash with the pairs, their answers and their folds."""
        for name in ("left", "right", "same", "fold"):
            if (value := getattr(self, name)) is not None:
                digest.update(name.encode() + np.ascontiguousarray(value.numpy()).tobytes())


class Templates(NamedTuple):
    """Which pictures form which template: a template is one subject as a few media show it, a medium a photograph or
    the frames of one video. `isometry.protocols.templates.pool` makes an embedding for each.

    Attributes:
        of: the template of each picture, from 0.
        medium: the medium of each picture; told apart within a template only.
        weight: how sure the face detector was of each picture.
        names: what the source calls the templates.
    """

    of: Int64[Tensor, " n"]
    medium: Int64[Tensor, " n"]
    weight: Float32[Tensor, " n"]
    names: Int64[Tensor, " t"]


class Paired(NamedTuple):
    """What a verification benchmark consists of: pictures, and pairs of them, or of templates where there are some."""

    data: Data
    pairs: Pairs
    templates: Templates | None = None

    def fingerprint(self) -> str:
        """A hash that changes with the data, with any pair, answer or fold, and with any template."""
        digest = hashlib.sha256(self.data.fingerprint().encode())
        self.pairs.write_to(digest)
        for value in self.templates or ():
            digest.update(np.ascontiguousarray(value.numpy()).tobytes())
        return digest.hexdigest()


class Search(NamedTuple):
    """Templates of one gallery, the templates that search it, and whom they show. Some probes show nobody who is there.

    Attributes:
        gallery, probe: positions of templates.
        gallery_subject, probe_subject: whom each of them shows.
    """

    gallery: Int64[Tensor, " g"]
    gallery_subject: Int64[Tensor, " g"]
    probe: Int64[Tensor, " q"]
    probe_subject: Int64[Tensor, " q"]
