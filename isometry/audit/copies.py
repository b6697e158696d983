"""Copies among the pictures: of bytes, of pixels, and of what they show."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.audit.bands import Proposals, propose
from isometry.audit.likeness import likeness, part
from isometry.audit.planted import COPIES
from isometry.audit.signature import FLAT, crops, grey, levels, tints
from isometry.audit.survey import Survey
from isometry.data import Data
from isometry.data.images import Images
from isometry.ops.neighbours import nearest

WORST = 0.65
"""What may remain in the block where most does, in standard deviations: copies have less, other drawings more."""
TINT = 12.0
"""What may remain of the colours, in levels of 255, root of the mean square."""
PIECE = 4096
"""Pairs compared at once."""
LEAST = 24
"""Pixels of the shorter side below which pictures hold too little to tell a copy from a likeness: equals alone are found."""
BY_MODEL = 4
"""Neighbours in the embedding that are compared as well."""
SAME_BYTES, SAME_PIXELS, ALIKE = "same bytes", "same pixels", "near-duplicate"
MIRRORED = "mirrored"


class Pair(NamedTuple):
    """Two pictures of one: their positions, how it is known, and how alike they are (1 for equals)."""

    first: int
    second: int
    kind: str
    score: float
    what: str = ""


class Copies(NamedTuple):
    """What was found.

    Attributes:
        pairs: exact ones first; of n equals, n − 1 pairs.
        group: for each picture the number of its group, the first position in it; itself where it is alone.
        found: of copies made of the data's own pictures, how many are found again, by what was done.
        proposed: how many pairs were compared.
    """

    pairs: list[Pair]
    group: Int64[np.ndarray, " n"]
    found: dict[str, tuple[int, int]]
    proposed: int


def copies(survey: Survey) -> Copies:
    """Exact duplicates by digests, near-duplicates by bands, and by the embedding where there is one; all verified."""
    pairs = _equals(survey)
    known = {pair.second for pair in pairs}
    fit = (survey.contrast > FLAT) & (survey.sizes.min(1) >= LEAST)
    plain = [i for i in survey.readable.tolist() if i not in known and fit[i]]
    index = np.array(plain, dtype=np.int64)
    signatures = survey.signatures[index]
    proposals = propose(levels(signatures))
    if survey.z is not None:
        row_of = np.full(len(survey.bytes), -1)
        row_of[survey.readable] = np.arange(len(survey.readable))
        proposals = merged(proposals, by_model(survey.z[row_of[index]]))
    pairs += near(proposals, compared(signatures, signatures, proposals), index)
    again = found_again(survey, index, signatures)
    return Copies(pairs, grouped(len(survey.bytes), pairs), again, len(proposals.first))


def _equals(survey: Survey) -> list[Pair]:
    pairs: list[Pair] = []
    taken: set[int] = set()
    for digests, kind in ((survey.files, SAME_BYTES), (survey.pixels, SAME_PIXELS)):
        first: dict[bytes, int] = {}
        for i, digest in enumerate(map(bytes, digests)):
            if not any(digest) or i in survey.troubles:
                continue
            at = first.setdefault(digest, i)
            if at != i and i not in taken:
                pairs.append(Pair(at, i, kind, 1.0))
                taken.add(i)
    return pairs


def by_model(z: Float[Tensor, "n d"], k: int = BY_MODEL) -> Proposals:
    """The k nearest of each picture in the embedding: for crops that are larger than those looked up."""
    unit = torch.nn.functional.normalize(z, dim=1)
    ids = torch.arange(len(z))
    found = nearest(unit, unit, k, ids_q=ids, ids_g=ids)[1]
    row, column = (found >= 0).nonzero(as_tuple=True)
    first, second = row.numpy(), found[row, column].numpy()
    nothing = np.zeros(len(first), dtype=np.int64)
    return Proposals(first, second, nothing, nothing.astype(bool))


def merged(one: Proposals, other: Proposals) -> Proposals:
    """Both; what the first has already is left out of the second."""
    size = 1 + max(int(column.max(initial=0)) for each in (one, other) for column in (each.first, each.second))
    new = ~np.isin(other.first * size + other.second, (one.first * size + one.second)[~one.mirrored])
    return Proposals(*(np.concatenate([a, b[new]]) for a, b in zip(one, other, strict=True)))


def compared(first: Tensor, second: Tensor, proposals: Proposals) -> tuple[np.ndarray, np.ndarray]:
    """For each proposal, how alike the two are, and whether they are copies."""
    boxes = torch.tensor(crops())
    alike, same = [np.zeros(0)], [np.zeros(0, bool)]
    for start in range(0, len(proposals.first), PIECE):
        piece = Proposals(*(column[start : start + PIECE] for column in proposals))
        a, b = first[torch.from_numpy(piece.first)], second[torch.from_numpy(piece.second)]
        turn = torch.from_numpy(piece.mirrored)
        crop = boxes[torch.from_numpy(piece.crop)]
        other = torch.stack([1 - crop[:, 2], crop[:, 1], 1 - crop[:, 0], crop[:, 3]], 1)
        found = likeness(_turned(grey(a), turn), grey(b), torch.where(turn[:, None], other, crop))
        tint = part(_turned(tints(a), turn), found.box) - tints(b)
        close = (found.worst < WORST) & (tint.square().mean((1, 2, 3)).sqrt() < TINT)
        alike.append((1 - found.worst.clamp(0, 1)).numpy())
        same.append(close.numpy())
    return np.concatenate(alike), np.concatenate(same)


def _turned(pictures: Tensor, mirrored: Tensor) -> Tensor:
    return torch.where(mirrored.view(-1, *[1] * (pictures.ndim - 1)), pictures.flip(-1), pictures)


def near(proposals: Proposals, score: tuple[np.ndarray, np.ndarray], index: np.ndarray) -> list[Pair]:
    """The pairs that are copies, each once, by position in the data; the more alike first."""
    best: dict[tuple[int, int], tuple[float, bool]] = {}
    alike, same = score
    for at in np.flatnonzero(same).tolist():
        one, other = int(index[proposals.first[at]]), int(index[proposals.second[at]])
        pair = min(one, other), max(one, other)
        best[pair] = max(best.get(pair, (-1.0, False)), (float(alike[at]), bool(proposals.mirrored[at])))
    ordered = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
    return [Pair(a, b, ALIKE, value, MIRRORED if turned else "") for (a, b), (value, turned) in ordered]


def grouped(n: int, pairs: Sequence[Pair]) -> Int64[np.ndarray, " n"]:
    """For each position the first of all that it is joined to by pairs.

    >>> grouped(4, [Pair(1, 3, "same bytes", 1.0)]).tolist()
    [0, 1, 2, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    one, other = [pair.first for pair in pairs], [pair.second for pair in pairs]
    joined = connected_components(coo_array((np.ones(len(one)), (one, other)), shape=(n, n)), directed=False)[1]
    first = np.full(n, n)
    np.minimum.at(first, joined, np.arange(n))
    return first[joined]


def found_again(survey: Survey, index: np.ndarray, signatures: Tensor) -> dict[str, tuple[int, int]]:
    """Of the copies made of the data's own pictures: how many are found, and how many there are, by what was done.

    They are put among the pictures and looked up from both sides, as all pictures are.
    """
    places = {int(position): row for row, position in enumerate(index)}
    probed = [position for position in survey.probes if position in places]
    if not probed:
        return {}
    made = torch.from_numpy(np.stack([survey.probes[position] for position in probed])).flatten(0, 1)
    own = np.array([places[position] for position in probed])
    every = torch.cat([signatures, made])
    asked = torch.cat([made, signatures[own]])
    proposals = propose(levels(every), levels(asked))
    same = compared(asked, every, proposals)[1]
    parent = np.repeat(own, len(COPIES))
    first, second = proposals.first[same], proposals.second[same]
    copy, original = first < len(made), second >= len(signatures)
    down = copy & (parent[np.minimum(first, len(made) - 1)] == second)
    number = np.maximum(second - len(signatures), 0)
    up = ~copy & original & (parent[number] == own[np.maximum(first - len(made), 0)])
    hit = np.zeros(len(made), bool)
    hit[first[down]] = True
    hit[number[up]] = True
    share = hit.reshape(len(probed), -1).sum(0).tolist()
    return {name: (int(count), len(probed)) for name, count in zip(COPIES, share, strict=True)}


def twice(data: Data, images: Images) -> list[tuple[int, int]]:
    """Files that the data list twice under whatever name, box and all: positions of the first and of each later one."""
    import os

    from isometry.data import Paths

    if not isinstance(images, Paths):
        return []
    first: dict[tuple[str, bytes], int] = {}
    boxes = images.boxes
    keys = (
        (os.path.realpath(images.where(i)), b"" if boxes is None else boxes[i].tobytes()) for i in range(len(images))
    )
    return [(at, i) for i, key in enumerate(keys) if (at := first.setdefault(key, i)) != i]
