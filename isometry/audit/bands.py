"""Pictures that may be copies of each other, proposed without comparing all with all.

A picture becomes 128 bits: the signs of its lowest frequencies (discrete cosine transform), each beside its median over the
data, so that every bit halves them. Copies differ in few bits. In each of several bands, which are drawings of some of the
bits, pictures are sorted, and those that agree in a band and lie next to each other are proposed: locality-sensitive
hashing (Indyk and Motwani, STOC 1998) with sorted lists for tables. What is looked up is the picture, its crops and the
mirror images of all these, so that a crop meets the picture that it was cut from.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, Num, UInt64
from torch import Tensor

from isometry.audit.signature import SIDE, crops, resampling

BITS = 128
FREQUENCIES = 12
BANDS = 16
WIDTH = 6
"""How many neighbours on each side are looked at in the sorted list of a band."""
AWAY = 36
"""Bits that a proposed pair may differ in."""
BEST = 8
"""Proposals kept of each picture, of either hand."""
ROWS = 32768
"""Pictures looked up at once."""
PIECE = 4096
"""Pictures whose frequencies are found at once."""


class Proposals(NamedTuple):
    """Pairs that may be copies: what is looked up, what was found, the crop of the first that is alike, and its hand."""

    first: Int64[np.ndarray, " p"]
    second: Int64[np.ndarray, " p"]
    crop: Int64[np.ndarray, " p"]
    mirrored: Bool[np.ndarray, " p"]


def frequencies(pictures: Num[Tensor, "n s s"], view: int = 0) -> Float[Tensor, "n b"]:
    """The lowest frequencies of a crop of each picture, without the mean; those next to it first."""
    box = crops()[view]
    waves = _waves()
    down, across = waves @ resampling(box.top, box.bottom), waves @ resampling(box.left, box.right)
    rows, columns = _order()
    parts = [(down @ some.float() @ across.T)[:, rows, columns] for some in pictures.split(PIECE)]
    return torch.cat(parts) if parts else torch.empty(0, BITS)


def bits(found: Float[Tensor, "n b"], medians: Float[Tensor, " b"], mirrored: bool = False) -> Bool[np.ndarray, "n b"]:
    """Which frequencies lie above their medians; a mirror image has its odd waves across turned over."""
    turn = 1 - 2 * (_order()[1] % 2) if mirrored else torch.ones(BITS, dtype=torch.int64)
    return (found * turn > medians).numpy()


def propose(pictures: Num[Tensor, "n s s"], looked_up: Num[Tensor, "m s s"] | None = None) -> Proposals:
    """Pairs among the pictures that may be copies; or, of pictures that are looked up, what among them they may copy.

    Memory: 16 bytes a picture and band, 4 a bit, and a few hundred for each of those looked up at once; pictures may be bytes.
    """
    if not len(pictures):
        return joined([])
    own = frequencies(pictures)
    medians = own.median(0).values
    known = bits(own, medians)
    tables = [Table.of(known, band) for band in _bands(len(known))]
    queries = pictures if looked_up is None else looked_up
    packed = _packed(known)
    parts = []
    for start in range(0, len(queries), ROWS):
        rows = queries[start : start + ROWS]
        itself = np.arange(start, start + len(rows)) if looked_up is None else np.full(len(rows), -1)
        for mirrored in (False, True):
            parts.append(_looked_up(rows, itself, mirrored, medians, tables, packed, start))
    return joined(parts)


class Table(NamedTuple):
    """A band: which bits it reads, the pictures in the order of these, and how many of the first must agree."""

    reads: Int64[np.ndarray, " w"]
    agree: int
    keys: UInt64[np.ndarray, " n"]
    order: Int64[np.ndarray, " n"]

    @classmethod
    def of(cls, known: Bool[np.ndarray, "n b"], band: tuple[Int64[np.ndarray, " w"], int]) -> "Table":
        keys = _key(known, band[0])
        order = np.argsort(keys, kind="stable")
        return cls(*band, keys[order], order)

    def near(self, asked: Bool[np.ndarray, "m b"]) -> tuple[Int64[np.ndarray, "m w"], Bool[np.ndarray, "m w"]]:
        """The pictures next to each that is asked for, and whether they agree in the band."""
        key = _key(asked, self.reads)
        place = np.searchsorted(self.keys, key)[:, None] + np.arange(-WIDTH, WIDTH)
        inside = (place >= 0) & (place < len(self.keys))
        place = place.clip(0, len(self.keys) - 1)
        same = (self.keys[place] ^ key[:, None]) >> np.uint64(64 - self.agree) == 0
        return self.order[place], inside & same


def joined(parts: list[Proposals]) -> Proposals:
    """All proposals in one."""
    if not parts:
        none = np.zeros(0, np.int64)
        return Proposals(none, none, none, np.zeros(0, bool))
    first, second, crop, mirrored = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Proposals(first, second, crop, mirrored)


def _looked_up(
    rows: Tensor,
    itself: np.ndarray,
    mirrored: bool,
    medians: Tensor,
    tables: list[Table],
    packed: np.ndarray,
    start: int,
) -> Proposals:
    """The best proposals of these pictures, over their crops and the bands."""
    best: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for view in range(len(crops())):
        asked = bits(frequencies(rows, view), medians, mirrored)
        code = _packed(asked)
        seen = []
        for table in tables:
            found, agree = table.near(asked)
            agree &= found != itself[:, None]
            row, column = np.nonzero(agree)
            seen.append(row * len(packed) + found[row, column])
        pair = np.unique(np.concatenate(seen))
        row, other = np.divmod(pair, len(packed))
        away = np.bitwise_count(code[row] ^ packed[other]).sum(1)
        near = away <= AWAY
        best.append((pair[near], away[near].astype(np.int64), np.full(int(near.sum()), view)))
    pair, away, view = (np.concatenate(column) for column in zip(*best, strict=True))
    order = np.lexsort((view, away, pair))
    first = np.unique(pair[order], return_index=True)[1]
    pair, away, view = (x[order][first] for x in (pair, away, view))
    row, other = np.divmod(pair, len(packed))
    order = np.lexsort((away, row))
    rank = np.arange(len(order)) - np.searchsorted(row[order], row[order])
    kept = order[rank < BEST]
    return Proposals(row[kept] + start, other[kept], view[kept], np.full(len(kept), mirrored))


def _waves() -> Float[Tensor, "f s"]:
    """Cosines: a row is a frequency."""
    x = (torch.arange(SIDE) + 0.5) / SIDE
    return torch.cos(math.pi * torch.arange(FREQUENCIES)[:, None] * x)


@functools.cache
def _order() -> tuple[Int64[Tensor, " b"], Int64[Tensor, " b"]]:
    """Which frequencies down and across are read, lowest first."""
    every = [(u, v) for u in range(FREQUENCIES) for v in range(FREQUENCIES) if u + v]
    rows, columns = zip(*sorted(every, key=lambda f: (f[0] ** 2 + f[1] ** 2, f))[:BITS], strict=True)
    return torch.tensor(rows), torch.tensor(columns)


def _bands(n: int) -> list[tuple[Int64[np.ndarray, " w"], int]]:
    """64 of the bits in an order of chance for each band, and how many must agree: more for more pictures."""
    chance = np.random.default_rng(0)
    agree = min(max(math.ceil(math.log2(n + 1)) + 2, 12), 32)
    return [(chance.permutation(BITS)[:64], agree) for _ in range(BANDS)]


def _key(asked: Bool[np.ndarray, "m b"], reads: Int64[np.ndarray, " w"]) -> UInt64[np.ndarray, " m"]:
    return np.ascontiguousarray(np.packbits(asked[:, reads], axis=1)).view(">u8")[:, 0].astype(np.uint64)


def _packed(asked: Bool[np.ndarray, "m b"]) -> UInt64[np.ndarray, "m 2"]:
    return np.ascontiguousarray(np.packbits(asked, axis=1)).view(np.uint64)
