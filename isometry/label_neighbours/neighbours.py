"""Lists of neighbours, in memory or in a folder of memory-mapped arrays."""

import errno
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
        about: what they were made from: the metric's text, n, k, a hash of the labels, and a fingerprint of all; None where
            nothing tells a metric from others. Lists that were not found from labels have neither.
    """

    index: np.ndarray
    distance: np.ndarray
    exact: bool
    recall: Recall | None
    about: dict[str, Any]


def index_type(n: int) -> Any:
    """The kind of number that names n items and leaves one over for "none"."""
    return np.uint32 if n < 2**32 else np.int64


def open_neighbours(folder: str | Path, fingerprint: str | None = "") -> Neighbours:
    """The neighbours kept in a folder, memory-mapped.

    Args:
        fingerprint: what `fingerprint()` gives for the labels at hand; those made from others are refused, and any where it
            gave None.

    Raises:
        FileNotFoundError: where there are none.
        ValueError: for files that are damaged, of a newer version, or made from other labels.
    """
    folder = Path(folder)
    if not (folder / ABOUT).is_file():
        raise FileNotFoundError(f"There is no {ABOUT} in {folder}: label_neighbours(…, folder=…) makes one.")
    try:
        text, again, index, distance = _read(folder)
        while again != text:  # another call put its own there meanwhile
            text, again, index, distance = _read(folder)
        note = json.loads(text)
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
    if fingerprint is None or (fingerprint and found.about.get("fingerprint") != fingerprint):
        raise ValueError(
            f"{folder} holds neighbours of other labels or another metric: {found.about}. Choose a new folder."
        )
    return found


@contextmanager
def kept(
    folder: str | Path | None, n: int, k: int, about: dict[str, Any]
) -> Iterator[tuple[Write, Callable[[bool, Recall | None], Neighbours]]]:
    """Two functions: the first writes lists block by block, the second ends it and gives the `Neighbours`.

    With a folder the arrays grow beside it, under another name, and take its name when they are whole: an interrupted
    write leaves nothing behind, and what was there stays until then. What the second gives are the lists that were
    written, even where another call takes the folder at once.

    Raises:
        ValueError: for a folder that holds other things, or lists that could not be had again.
    """
    kind, token = index_type(n), secrets.token_hex(4)
    folder = None if folder is None else own_folder(folder, about)
    half = None if folder is None else folder.with_name(f".{folder.name}.{os.getpid()}.{token}.part")
    try:
        index, distance = _arrays(half, (n, k), kind)

        def write(items: np.ndarray, lists: np.ndarray, gaps: np.ndarray) -> None:
            index[items], distance[items] = np.where(np.isfinite(gaps), lists, np.iinfo(kind).max), gaps

        def close(exact: bool, recall: Recall | None) -> Neighbours:
            if folder is None or half is None:
                return Neighbours(index=index, distance=distance, exact=exact, recall=recall, about=about)
            for array in (index, distance):
                array.flush()  # type: ignore[attr-defined]
            note = {"format": FORMAT, "shape": [n, k], "exact": exact, "recall": recall, "about": about, "made": token}
            (half / ABOUT).write_text(json.dumps(note, indent=1))
            found = open_neighbours(half)  # stays mapped under whatever name
            _take_the_place(half, own_folder(folder, about))
            return found

        yield write, close
    finally:
        if half is not None:
            shutil.rmtree(half, ignore_errors=True)


def own_folder(folder: str | Path, about: dict[str, Any]) -> Path:
    """The folder's full path, where lists about this may lie: it is new or empty, or what is there could be had again."""
    home = Path(folder).resolve()
    if home in (Path.cwd(), Path(home.anchor)):
        raise ValueError(
            f"{home} would be replaced as a whole: name a folder for the lists, such as folder='neighbours'."
        )
    if not home.exists():
        return home
    try:
        there = set(os.listdir(home))
    except FileNotFoundError:  # another call is putting its own there
        return home
    except NotADirectoryError:
        there = {home.name}
    old = _about(home) if ABOUT in there else {}
    if old is None:
        return own_folder(folder, about)
    if there and (not old or there - {INDEX, DISTANCE, ABOUT}):
        raise ValueError(f"{home} holds other things than neighbours: name a new or empty folder.")
    if there and old != about and ("fingerprint" not in old or "fingerprint" not in about):
        which = "found from labels" if "fingerprint" in old else "not found from labels"
        raise ValueError(
            f"{home} holds neighbours that were {which}, and others would replace them: name a new folder."
        )
    return home


def _about(home: Path) -> dict[str, Any] | None:
    """What lists were made from; empty where that cannot be read, None where they have just been put elsewhere."""
    try:
        said = json.loads((home / ABOUT).read_text())["about"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return said if isinstance(said, dict) else {}


def _read(folder: Path) -> tuple[str, str, np.ndarray, np.ndarray]:
    """What is said of lists, before they are opened and after; the lists."""
    text = (folder / ABOUT).read_text()
    index, distance = (np.load(folder / name, mmap_mode="r") for name in (INDEX, DISTANCE))
    return text, (folder / ABOUT).read_text(), index, distance


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
    """Renames a folder over another; the lists that were there go, and nothing else does."""
    old = new.with_name(new.name + ".old")
    with suppress(FileNotFoundError):
        os.rename(folder, old)
    try:
        os.rename(new, folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # else another call put its own there meanwhile
            with suppress(FileNotFoundError):
                os.rename(old, folder)
            raise
    with suppress(OSError):
        for name in (INDEX, DISTANCE, ABOUT):
            (old / name).unlink(missing_ok=True)
        old.rmdir()
