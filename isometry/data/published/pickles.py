"""Pickles that run no code: arrays and plain Python values are read, anything else is refused."""

import builtins
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

_reconstruct: Any = np.zeros(0).__reduce__()[0]
_scalar: Any = np.float64(0).__reduce__()[0]
_from_buffer: Any = np.zeros(1).__reduce_ex__(5)[0]


class Array:
    """What stands for the type `numpy.ndarray` in a pickle: a name that cannot be called into anything."""


def array(kind: type, shape: Any, code: Any) -> np.ndarray:
    """The empty array that a pickle fills."""
    if kind is not Array:
        raise pickle.UnpicklingError("it holds an array of a kind of its own")
    return _reconstruct(np.ndarray, (0,), b"b")


def scalar(dtype: np.dtype, *data: Any) -> Any:
    """A single number or text of numpy."""
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise pickle.UnpicklingError("it holds a scalar that is no number and no text")
    return _scalar(dtype, *data)


def encode(text: str, encoding: str) -> bytes:
    """Bytes as old pickles spell them: text in latin-1."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it encodes text as {encoding!r}")
    return text.encode("latin1")


PLAIN = ("bytearray", "bytes", "complex", "frozenset", "range", "set", "slice")
ALLOWED: dict[tuple[str, str], Any] = {
    **{(module, name): getattr(builtins, name) for name in PLAIN for module in ("builtins", "__builtin__")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): encode,
}
"""What a pickle may name."""


class Plain(pickle.Unpickler):
    """An unpickler that knows the allowed names and no others."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is neither an array nor a plain value")
        return ALLOWED[module, name]


def load_pickle(path: Path, *, encoding: str = "latin1") -> Any:
    """What a pickle holds: numbers, text, lists, dicts, sets, numpy arrays and scalars.

    Args:
        encoding: of text that Python 2 wrote; "bytes" keeps it as bytes.

    Raises:
        ValueError: for a file that is no whole pickle, or that asks for anything else. Nothing of it is run.
    """
    data = path.read_bytes()
    try:
        return Plain(io.BytesIO(data), encoding=encoding).load()
    except Exception as error:  # damaged pickles fail in every way
        why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(f"{path} is not read: {why}.") from None
