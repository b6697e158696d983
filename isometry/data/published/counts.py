"""Whether what was read is the published data set: the number of pictures and classes in each part."""

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from isometry.data.data import PARTS, Data


def counts(data: Data) -> dict[str, int]:
    """Pictures and classes in all, in each part, and of queries and gallery: {"test images": 5924, …}."""
    every = torch.ones(len(data), dtype=torch.bool)
    groups: dict[str, Tensor | None] = {"": every, "query": data.is_query, "gallery": data.is_gallery}
    if data.split is not None:
        groups |= {part: torch.tensor([own == part for own in data.split], dtype=torch.bool) for part in PARTS}
    found = {"categories": len(data.categories)}
    for name, mask in groups.items():
        if mask is not None:
            labels = data.labels[mask]
            found[f"{name} images".strip()] = int(mask.sum())
            found[f"{name} classes".strip()] = len(torch.unique(labels[labels >= 0]))
    return found


def check_counts(
    data: Data, verified: Mapping[str, int], recalled: Mapping[str, int], fix: str = ""
) -> tuple[str, ...]:
    """Compares `counts` with those that are published; returns the notes on what only memory says otherwise.

    Args:
        verified: counts that are sure. recalled: counts that are not: they only warn.
        fix: what to do about it, for the message.

    Raises:
        ValueError: when a sure count differs.
    """
    found = counts(data)
    if wrong := [name for name, value in verified.items() if found.get(name, 0) != value]:
        raise ValueError(f"{data.name}: {differ(wrong, verified, found)}. {fix}".strip())
    if odd := [name for name, value in recalled.items() if found.get(name, 0) != value]:
        note = f"{data.name}: {differ(odd, recalled, found)} (as far as is known; this count is not verified)"
        warnings.warn(note, stacklevel=3)
        return (note,)
    return ()


def differ(names: list[str], published: Mapping[str, int], found: Mapping[str, int]) -> str:
    """What was expected and what was found.

    >>> differ(["test images", "test classes"], {"test images": 5924, "test classes": 100}, {"test images": 5794})
    'expected 5,924 test images and 100 test classes, found 5,794 and 0'
    """
    expected = " and ".join(f"{published[name]:,} {name}" for name in names)
    return f"expected {expected}, found {' and '.join(f'{found.get(name, 0):,}' for name in names)}"
