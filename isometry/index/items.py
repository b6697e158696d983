"""What a gallery knows of its pictures besides their embeddings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

PART_NAMES = ("", "train", "validation", "test")
LAST = 2**63 - 1
"""The highest id that there is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Items:
    """Pictures of a gallery, in order.

    Attributes:
        ids: what each is called by, 64 bits.
        labels: names of classes; "" where unknown.
        paths: files, as the source writes them; "" where there are none.
        parts: "train", "validation" or "test"; "" where unknown.

    Raises:
        ValueError: when there is not one of each for every id, or an id is there twice.
    """

    ids: Int64[Tensor, " n"]
    labels: tuple[str, ...]
    paths: tuple[str, ...]
    parts: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("labels", "paths", "parts"):
            if len(getattr(self, name)) != len(self.ids):
                raise ValueError(f"There are {len(self.ids)} pictures and {len(getattr(self, name))} {name}.")

    def __len__(self) -> int:
        return len(self.ids)

    def pieces(self, size: int) -> Iterator["Items"]:
        """These, `size` at a time."""
        for start in range(0, len(self), size):
            at = slice(start, start + size)
            yield Items(ids=self.ids[at], labels=self.labels[at], paths=self.paths[at], parts=self.parts[at])


def items_of(
    ids: Sequence[int] | Tensor,
    labels: Sequence[str] | None = None,
    paths: Sequence[str] | None = None,
    parts: Sequence[str] | None = None,
) -> Items:
    """Items with "" for what is not given.

    Raises:
        ValueError: when there is not one of each for every id, or for a part that is none.

    >>> items_of([7, 8], labels=["cat", "dog"]).paths
    ('', '')
    """
    number = numbers(ids)
    given = [tuple(map(str, x)) if x is not None else ("",) * len(number) for x in (labels, paths, parts)]
    if odd := set(given[2]) - set(PART_NAMES):
        raise ValueError(f"A part is train, validation or test, or unknown; got {min(odd)!r}.")
    return Items(ids=number, labels=given[0], paths=given[1], parts=given[2])


def numbers(ids: Sequence[int] | Tensor) -> Int64[Tensor, " n"]:
    """Ids as 64-bit numbers.

    Raises:
        ValueError: for what is no list of integers, or does not fit.

    >>> numbers([7, 2**62])
    tensor([                  7, 4611686018427387904])
    """
    try:
        found = torch.as_tensor(ids)
    except (RuntimeError, TypeError, ValueError, OverflowError):
        found = None
    if found is None or found.ndim != 1 or (len(found) and (found.is_floating_point() or found.dtype == torch.bool)):
        raise ValueError(f"Ids are a list of integers from 0 to {LAST:,}; got {str(ids)[:60]}.")
    return found.to(torch.int64)


def refuse_twice(ids: Int64[Tensor, " n"]) -> None:
    """Refuses an id that is there twice.

    Raises:
        ValueError: naming the first.
    """
    found, count = torch.unique(ids, return_counts=True)
    if bool((count > 1).any()):
        raise ValueError(f"Each picture has an id of its own; {int(found[count > 1][0])} is there twice.")
