"""Packs of face pairs as InsightFace publishes them (`lfw.bin`, `cfp_fp.bin`, `agedb_30.bin`, `calfw.bin`, …).

A pack is a pickle of two lists: encoded pictures, two for each pair one after the other, and whether a pair is the same
person. Folds are ten runs of pairs in the order of the pack. Pickles are read without running anything.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from isometry.data.data import Data
from isometry.data.pairs import Paired, Pairs
from isometry.data.published.encoded import Encoded
from isometry.data.published.pickles import load_pickle

FOLDS = 10


def read_pack(path: Path) -> Paired:
    """The pictures of a pack, each once (a pack repeats a picture for every pair that it is in), and the pairs.

    Who is shown is not told: every label is −1.

    Raises:
        ValueError: for a file that is no such pack.
    """
    try:
        pictures, same = load_pickle(path, encoding="bytes")
        encoded = [as_bytes(picture) for picture in pictures]
        answers = torch.tensor([bool(answer) for answer in same], dtype=torch.bool)
    except TypeError as error:
        raise ValueError(f"{path} is no pack of face pairs (encoded pictures, same or not): {error}.") from None
    if not len(answers) or len(encoded) != 2 * len(answers):
        raise ValueError(f"{path} has {len(answers):,} pairs and {len(encoded):,} pictures: two for each pair.")
    first: dict[bytes, int] = {}
    position = torch.tensor([first.setdefault(picture, len(first)) for picture in encoded])
    data = Data(
        images=Encoded(tuple(first), str(path)),
        labels=torch.full((len(first),), -1, dtype=torch.int64),
        classes=(),
        ids=torch.arange(len(first)),
        name=path.stem,
    )
    runs = [len(run) for run in np.array_split(np.arange(len(answers)), FOLDS)]  # the first are longer by one
    fold = torch.repeat_interleave(torch.arange(FOLDS), torch.tensor(runs))
    return Paired(data, Pairs(position[0::2], position[1::2], answers, fold))


def as_bytes(picture: Any) -> bytes:
    """The encoded picture: bytes, or an array of them."""
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8:
            raise TypeError(f"a picture is an array of {picture.dtype}, not of bytes")
        return picture.tobytes()
    if not isinstance(picture, bytes):
        raise TypeError(f"a picture is {type(picture).__name__}, not bytes")
    return picture
