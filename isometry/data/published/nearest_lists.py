"""The neighbours that "Deep metric learning beyond binary supervision" (Kim, Seo, Laptev, Cho and Kwak, CVPR 2019) published:
for each picture all others by label distance, N × (N − 1), in two pickles."""

from pathlib import Path
from typing import Any

import numpy as np

from isometry.data.published.layout import need
from isometry.data.published.pickles import load_pickle
from isometry.label_neighbours import Neighbours, kept

INDEX, DISTANCE = "list_nn.pkl", "dist_nn.pkl"


def nearest_lists(root: str | Path, k: int = 30, *, part: str = "trn", folder: str | Path | None = None) -> Neighbours:
    """The first k neighbours of each picture, from `list_nn.pkl` and `dist_nn.pkl`; nothing of the pickles is run.

    The published files hold 12,366 training pictures ("trn") and 9,919 test pictures ("val"): about 2 GB of indices while
    they are read, and the distances after them; what is kept is `[n k]`.

    Args:
        part: "trn" or "val"; rows are in the order of that folder's pictures.
        folder: where to keep them as memory-mapped arrays: new, empty, or of the same lists.

    Raises:
        FileNotFoundError: where the files are not.
        ValueError: for pickles that hold no such lists, or too few neighbours, and for a folder of other things.
    """
    root = Path(root)
    lists = _first(root, INDEX, part, k, "iu").astype(np.int64)
    gaps = _first(root, DISTANCE, part, k, "fiu").astype(np.float32)
    n = len(lists)
    if lists.shape != gaps.shape:
        raise ValueError(
            f"{INDEX} and {DISTANCE} in {root} list {len(lists)} and {len(gaps)} pictures: take both of one origin."
        )
    own = np.arange(n)[:, None]
    bad = ((lists < 0) | (lists >= n) | (lists == own)).any(1) | ~(np.diff(gaps, axis=1, prepend=0) >= 0).all(1)
    if bad.any():
        raise ValueError(f"Row {int(bad.argmax())} of {INDEX} is no list of other pictures by rising distance.")
    twice = (np.diff(np.sort(lists, axis=1), axis=1) == 0).any(1)
    if twice.any():
        raise ValueError(
            f"Row {int(twice.argmax())} of {INDEX} in {root} names a picture twice: it is no list of neighbours."
        )
    with kept(folder, n, k, {"metric": f"{INDEX} of {root.name}", "n": n, "k": k, "part": part}) as (write, close):
        write(np.arange(n), lists, gaps)
        return close(True, None)


def _first(root: Path, name: str, part: str, k: int, kinds: str) -> np.ndarray:
    """The first k columns of one part of one file."""
    path = need(root, name)
    parts: Any = load_pickle(path)
    if not isinstance(parts, dict) or part not in parts:
        has = ", ".join(map(str, parts)) if isinstance(parts, dict) else type(parts).__name__
        raise ValueError(f"{path} has no part {part!r}: it has {has}.")
    every = np.asarray(parts[part])
    if every.ndim != 2 or every.dtype.kind not in kinds or not 1 <= k <= every.shape[1]:
        raise ValueError(
            f"{path} holds {every.dtype} {list(every.shape)} for {part!r}: no lists of {k} or more neighbours."
        )
    return every[:, :k].copy()
