"""MATLAB files, as plain Python values."""

import io
from pathlib import Path
from typing import Any

import numpy as np


def load_matlab(path: Path) -> dict[str, Any]:
    """The variables of a MATLAB file; an array of one has no axis.

    Raises:
        ValueError: for a file that is none.
    """
    from scipy.io import loadmat

    data = io.BytesIO(path.read_bytes())
    try:
        return loadmat(data, squeeze_me=True)
    except Exception as error:  # readers fail in as many ways as files are damaged
        why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(f"{path} is no MATLAB file that can be read: {why}.") from None


def records(found: dict[str, Any], name: str, path: Path) -> np.ndarray:
    """The array of records `name`, also where it holds a single one.

    Raises:
        ValueError: when the file has none of this name.
    """
    if name not in found or np.atleast_1d(found[name]).dtype.names is None:
        have = ", ".join(key for key in found if not key.startswith("__")) or "nothing"
        raise ValueError(f"{path} holds no records called {name!r}; it holds {have}.")
    return np.atleast_1d(found[name])
