"""Lists of neighbours, in memory or in a folder of memory-mapped arrays."""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FORMAT = 1
INDEX, DISTANCE, ABOUT = "nn_idx.npy", "nn_dist.npy", "about.json"
Write = Callable[[np.ndarray, np.ndarray, np.ndarray], None]
"""Takes items, their lists, and the distances."""


class Recall(NamedTuple):
    """The share of true neighbours that were found, and a 95 % interval for it."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The k nearest others of each of n items, nearest first.

    Attributes:
        index: `[n k]`, uint32; where an item has fewer than k, or an unknown label, the largest number there is.
        distance: `[n k]`, float32, in the unit of the label distance; infinite where there is no neighbour.
        exact: whether these are proven to be the nearest. recall: where they are not, what share of the true ones was
            found on a random sample of items.
        about: what they were made from: the metric's text, n, k, and a fingerprint of the labels.
    """

    index: np.ndarray
    distance: np.ndarray
    exact: bool
    recall: Recall | None
    about: dict[str, Any]


def index_type(n: int) -> Any:
    """The kind of number that names n items and leaves one over for "none"."""
    return np.uint32 if n < 2**32 else np.int64


def open_neighbours(folder: Path, fingerprint: str = "") -> Neighbours:
    """The neighbours kept in a folder, memory-mapped.

    Args:
        fingerprint: what `fingerprint()` gives for the labels at hand; those made from others are refused.

    Raises:
        FileNotFoundError: where there are none.
        ValueError: for files that are damaged, of a newer version, or made from other labels.
    """
    folder = Path(folder)
    if not (folder / ABOUT).is_file():
        raise FileNotFoundError(f"There is no {ABOUT} in {folder}: label_neighbours(…, folder=…) makes one.")
    try:
        note = json.loads((folder / ABOUT).read_text())
        index, distance = (np.load(folder / name, mmap_mode="r") for name in (INDEX, DISTANCE))
        shape, version = tuple(note["shape"]), note["format"]
        if version <= FORMAT and not index.shape == distance.shape == shape:
            raise ValueError(f"{list(index.shape)} and {list(distance.shape)} where {list(shape)} were written")
        recall = Recall(*note["recall"]) if note["recall"] else None
        found = Neighbours(index=index, distance=distance, exact=note["exact"], recall=recall, about=note["about"])
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        why = " ".join(str(error).split()).rstrip(".")
        raise ValueError(f"{folder} holds no whole neighbours ({why}): delete it, and they are found anew.") from None
    if version > FORMAT:
        raise ValueError(f"{folder} has format {version}, and this isometry reads up to {FORMAT}: upgrade isometry.")
    if fingerprint and found.about.get("fingerprint") != fingerprint:
        raise ValueError(
            f"{folder} holds neighbours of other labels or another metric: {found.about}. Choose a new folder."
        )
    return found


@contextmanager
def kept(
    folder: Path | None, n: int, k: int, about: dict[str, Any]
) -> Iterator[tuple[Write, Callable[[bool, Recall | None], Neighbours]]]:
    """Two functions: the first writes lists block by block, the second ends it and gives the `Neighbours`.

    With a folder the arrays grow beside it, under another name, and take its name when they are whole: an interrupted
    write leaves nothing behind, and what was there stays until then.
    """
    kind = index_type(n)
    half = None if folder is None else folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        index, distance = _arrays(half, (n, k), kind)

        def write(items: np.ndarray, lists: np.ndarray, gaps: np.ndarray) -> None:
            index[items], distance[items] = np.where(np.isfinite(gaps), lists, np.iinfo(kind).max), gaps

        def close(exact: bool, recall: Recall | None) -> Neighbours:
            if folder is None or half is None:
                return Neighbours(index=index, distance=distance, exact=exact, recall=recall, about=about)
            for array in (index, distance):
                array.flush()  # type: ignore[attr-defined]
            note = {"format": FORMAT, "shape": [n, k], "exact": exact, "recall": recall, "about": about}
            (half / ABOUT).write_text(json.dumps(note, indent=1))
            _take_the_place(half, folder)
            return open_neighbours(folder)

        yield write, close
    finally:
        if half is not None:
            shutil.rmtree(half, ignore_errors=True)


def _arrays(half: Path | None, shape: tuple[int, int], kind: Any) -> tuple[np.ndarray, np.ndarray]:
    """Lists without any neighbour."""
    if half is None:
        return np.full(shape, np.iinfo(kind).max, kind), np.full(shape, np.inf, np.float32)
    half.mkdir(parents=True)
    arrays = [
        np.lib.format.open_memmap(half / name, "w+", dtype, shape)
        for name, dtype in ((INDEX, kind), (DISTANCE, np.float32))
    ]
    for start in range(0, shape[0], 2**16):
        arrays[0][start : start + 2**16], arrays[1][start : start + 2**16] = np.iinfo(kind).max, np.inf
    return arrays[0], arrays[1]


def _take_the_place(new: Path, folder: Path) -> None:
    """Renames a folder over another; what was there goes."""
    old = new.with_name(new.name + ".old")
    try:
        if folder.exists():
            os.rename(folder, old)
        os.rename(new, folder)
    except OSError:
        if not (folder / ABOUT).is_file():  # another process may have put the same there meanwhile
            if old.exists():
                os.rename(old, folder)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
