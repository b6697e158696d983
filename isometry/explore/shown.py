"""What an explorer shows: pictures with what is known of them, and one or two models' embeddings of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int8, Int64
from torch import Tensor

from isometry.ops.neighbours import nearest

OWN, ALL = "own", "all"


class Part(NamedTuple):
    """A part of the data: rows `start` … `stop − 1`."""

    name: str
    start: int
    stop: int


class Mates(NamedTuple):
    """Who searches whom inside a part: rows of its queries, and of its gallery."""

    query: Int64[Tensor, " q"]
    gallery: Int64[Tensor, " g"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Items:
    """Pictures in the order of their parts.

    Attributes:
        ids: what a page names them by. labels: position in `classes`, −1 where unknown.
        parts: they follow each other and cover all rows.
        names: the file of each as its source writes it; empty where there are none.
        picture: the picture of a row as a PIL image; None where there is none.
        groups: a coarser label, a position in `group_names`, −1 unknown: what the map is coloured by.
        roles: for parts whose data name queries and gallery. sequence: camera or shot of each row, −1 unknown.
    """

    ids: Int64[Tensor, " n"]
    labels: Int64[Tensor, " n"]
    classes: tuple[str, ...]
    parts: tuple[Part, ...]
    picture: Callable[[int], Any]
    names: tuple[str, ...] = ()
    groups: Int64[Tensor, " n"] | None = None
    group_names: tuple[str, ...] = ()
    roles: tuple[Mates | None, ...] = ()
    sequence: Int64[Tensor, " n"] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def part_of(self, row: int) -> Part:
        """The part that a row lies in."""
        return next(part for part in self.parts if part.start <= row < part.stop)

    def among(self, name: str, row: int) -> slice:
        """The rows that a search looks through: "all", a part by name, or the row's "own" part (all for no row).

        Raises:
            ValueError: for a part that there is not.
        """
        if name == ALL or (name == OWN and row < 0):
            return slice(0, len(self))
        if name == OWN:
            return slice(*self.part_of(row)[1:])
        for part in self.parts:
            if part.name == name:
                return slice(part.start, part.stop)
        known = ", ".join(part.name for part in self.parts)
        raise ValueError(f"There is no part {name[:40]!r}: it is {known}, {OWN} or {ALL}.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Space:
    """One model's view of the pictures.

    Attributes:
        name: what the model is called. model: pictures to embeddings, and what explains a match.
        z: embeddings, made ready to be compared. ready, compare: how a new one is, and what compares them.
        xy: places on the map, in [0, 1]. how: how the map was made, in words.
        right: 1 where the nearest other picture of its part is of the same class, 0 where it is of another, −1 unknown.
    """

    name: str
    model: Any
    z: Float[Tensor, "n d"]
    ready: Callable[[Tensor], Tensor]
    compare: Callable[[Tensor, Tensor], Tensor]
    similarity: str
    xy: Float[Tensor, "n 2"]
    how: str
    right: Int8[Tensor, " n"]

    def find(self, q: Float[Tensor, "1 d"], rows: slice, k: int, without: int = -1) -> tuple[list[float], list[int]]:
        """Scores and rows of the k most similar pictures among `rows`, the row `without` left out."""
        at = torch.arange(rows.start, rows.stop)
        scores, found = nearest(
            q, self.z[rows], min(k, len(at)), ids_q=torch.tensor([without]), ids_g=at, similarity=self.compare
        )  # fmt: skip
        real = found[0] >= 0
        return scores[0][real].tolist(), at[found[0][real]].tolist()


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """Everything that a page asks for. `folder` is where computed things are kept."""

    name: str
    items: Items
    spaces: tuple[Space, ...]
    folder: Path
