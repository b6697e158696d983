"""All pictures seen once: what they are, what is kept of them to tell copies, and their embeddings."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from isometry.audit.pictures import MOST, Look, in_memory, look
from isometry.audit.planted import copies
from isometry.audit.signature import LENGTH, contrast, signature
from isometry.data import Data
from isometry.data.fetch import stacked, takes_batches
from isometry.data.pixels import with_channels
from isometry.embedder import Ready

BATCH = 64
NONE = bytes(16)


@dataclass(frozen=True, kw_only=True, eq=False)
class Survey:
    """What was seen, in the order of the data.

    Attributes:
        files, pixels: digests of the bytes and of the decoded pixels, 16 bytes each; zero where there are none.
        signatures: uint8 `[n 1152]`.
        sizes: width and height; `bytes` of the file, 0 in memory; `frames`, and `turned`, the EXIF tag.
        modes: the mode of each picture, a position in `mode_names`.
        troubles: kind and reason, by position, of pictures that could not be read.
        contrast: standard deviation of the grey levels.
        z: embeddings of the readable pictures `[r d]`; None without a model.
        probes: positions of the pictures that copies were made of, and the signatures of these copies by what was done.
    """

    files: UInt8[np.ndarray, "n 16"]
    pixels: UInt8[np.ndarray, "n 16"]
    signatures: UInt8[Tensor, "n b"]
    sizes: Int64[np.ndarray, "n 2"]
    bytes: Int64[np.ndarray, " n"]
    frames: Int64[np.ndarray, " n"]
    turned: Int64[np.ndarray, " n"]
    modes: Int64[np.ndarray, " n"]
    mode_names: tuple[str, ...]
    troubles: dict[int, tuple[str, str]]
    contrast: Float[np.ndarray, " n"]
    z: Float[Tensor, "r d"] | None = None
    probes: dict[int, UInt8[np.ndarray, "t b"]] = field(default_factory=dict)

    @property
    def readable(self) -> Int64[np.ndarray, " r"]:
        """Positions of the pictures that were decoded, in order: the rows of `z`."""
        return np.array([i for i in range(len(self.bytes)) if i not in self.troubles], dtype=np.int64)


class Seen(NamedTuple):
    """A batch on its way from a worker."""

    looks: list[Look]
    digests: UInt8[np.ndarray, "b 32"]
    signatures: UInt8[np.ndarray, "b s"]
    given: Tensor | None
    probes: dict[int, np.ndarray]


def survey(
    data: Data,
    ready: Ready | None = None,
    *,
    workers: int = 0,
    probed: Sequence[int] = (),
    most: int = MOST,
    show: Callable[[int, int], None] | None = None,
) -> Survey:
    """Reads every picture once; with a model, embeds it on the way.

    Args:
        probed: positions of pictures that copies are made of, to see whether they would be found.
        most: pixels above which a picture is not decoded.
        show: told how many pictures have been seen, of how many.

    Memory: 1,152 bytes of signature, 32 of digests, 48 of facts and 4 d of embedding a picture.
    """
    n = len(data)
    digests, signatures = np.zeros((n, 32), np.uint8), np.zeros((n, LENGTH), np.uint8)
    facts = np.zeros((n, 6), np.int64)
    names: dict[str, int] = {}
    troubles, probes, z, at = {}, {}, [], 0
    transform = None if ready is None else ready.transform
    channels = data.channels if ready is None else int(ready.model.trunk.in_channels)  # type: ignore[arg-type]
    source = Looked(data, transform, channels, frozenset(probed), most)
    for batch in DataLoader(
        source, sampler=_batches(n), batch_size=None, num_workers=0 if in_memory(data.images) else _cores(workers),
        collate_fn=_same,  # type: ignore[arg-type]
    ):  # fmt: skip
        end = at + len(batch.looks)
        digests[at:end], signatures[at:end] = batch.digests, batch.signatures
        for i, seen in enumerate(batch.looks, at):
            size = len(seen.stored.content) if seen.stored is not None else 0
            mode = names.setdefault(seen.mode, len(names))
            facts[i] = seen.width, seen.height, size, seen.frames, seen.turned, mode
            if seen.trouble:
                troubles[i] = seen.trouble, seen.why
        if ready is not None and batch.given is not None:
            with torch.no_grad():
                z.append(ready.model.embed(batch.given.to(ready.device)).float().cpu())
        probes.update(batch.probes)
        at = end
        if show is not None:
            show(at, n)
    kept = torch.from_numpy(signatures)
    return Survey(
        files=digests[:, :16],
        pixels=digests[:, 16:],
        signatures=kept,
        sizes=facts[:, :2],
        bytes=facts[:, 2],
        frames=facts[:, 3],
        turned=facts[:, 4],
        modes=facts[:, 5],
        mode_names=tuple(names),
        troubles=troubles,
        contrast=torch.cat([contrast(part) for part in kept.split(8192)]).numpy() if n else np.zeros(0),
        z=None if ready is None else torch.cat([torch.empty(0, ready.dim), *z]),
        probes=probes,
    )


class Looked(Dataset):
    """Looks at a batch of positions, here or in a worker."""

    def __init__(
        self, data: Data, transform: Callable[[Tensor], Tensor] | None, channels: int, probed: frozenset[int], most: int
    ) -> None:
        self.data, self.transform, self.channels, self.probed, self.most = data, transform, channels, probed, most

    def __getitem__(self, positions: list[int]) -> Seen:
        digests, signatures = np.zeros((len(positions), 32), np.uint8), np.zeros((len(positions), LENGTH), np.uint8)
        looks, given, probes = [], [], {}
        for row, position in enumerate(positions):
            seen = look(self.data.images, position, self.most)
            digests[row] = np.frombuffer(fingerprints(seen), np.uint8)
            if seen.pixels is not None:
                signatures[row] = signature(seen.pixels)
                if self.transform is not None:
                    given.append(self._given(seen.pixels))
                if position in self.probed:
                    probes[position] = np.stack([signature(copy) for copy in copies(seen.pixels, position)])
            held = seen.stored and seen.stored._replace(content=_Size(len(seen.stored.content)))  # type: ignore[arg-type]
            looks.append(seen._replace(pixels=None, stored=held))
        return Seen(looks, digests, signatures, stacked(given) if given else None, probes)

    def _given(self, pixels: Tensor) -> Tensor:
        """What the model is given."""
        assert self.transform is not None
        picture = with_channels(pixels, self.channels)
        return self.transform(picture[None])[0] if takes_batches(self.transform) else self.transform(picture)


class _Size(int):
    """The length of bytes that are not sent along."""

    def __len__(self) -> int:
        return int(self)


def fingerprints(seen: Look) -> bytes:
    """16 bytes for the file with its box, and 16 for the decoded pixels."""
    file = pixels = NONE
    if seen.stored is not None and seen.stored.content:
        file = hashlib.blake2b(repr(seen.stored.box).encode() + seen.stored.content, digest_size=16).digest()
    if seen.pixels is not None:
        same = with_channels(seen.pixels, 3).contiguous()
        pixels = hashlib.blake2b(repr(tuple(same.shape)).encode() + same.numpy().tobytes(), digest_size=16).digest()
    return file + pixels


def _batches(n: int) -> list[list[int]]:
    return [list(range(start, min(start + BATCH, n))) for start in range(0, n, BATCH)]


def _cores(workers: int) -> int:
    """As many processes as were asked for; −1: as there are cores, at most 8."""
    if workers >= 0:
        return workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 8) if cores > 1 else 0


def _same(batch: Seen) -> Seen:
    return batch
