"""Comparisons of embeddings, and embeddings as a few bytes, in numpy."""

import base64
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

Array = np.ndarray


def unit(z: Array) -> Array:
    """Rows at length 1."""
    return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)


def squared_distance(z: Array, r: Array) -> Array:
    """‖z_i − r_j‖² `[n m]`, in float64."""
    z, r = z.astype(np.float64), r.astype(np.float64)
    return np.maximum((z * z).sum(1)[:, None] + (r * r).sum(1) - 2 * z @ r.T, 0)


SIMILARITIES = {
    "cosine": lambda z, r: unit(z) @ unit(r).T,
    "dot": lambda z, r: z @ r.T,
    "euclidean": lambda z, r: -np.sqrt(squared_distance(z, r)),
    "squared_euclidean": lambda z, r: -squared_distance(z, r),
    "chord": lambda z, r: -np.sqrt(squared_distance(unit(z), unit(r))),
}
"""Comparisons of embeddings that this file knows, by their text."""


class Code(ABC):
    """Embeddings in a few bytes: `encode(z)` gives bytes, `decode` what they stand for; compare `seen(queries)` with that.

    All by the inner product, which is the cosine: embeddings are brought to length 1 first.
    """

    def __init__(self, **constants: Any) -> None:
        self.constants = constants

    def seen(self, z: Array) -> Array:
        """Queries as they meet decoded items, in full precision."""
        return unit(z)

    @abstractmethod
    def encode(self, z: Array) -> Array:
        """Bytes of each embedding."""

    @abstractmethod
    def decode(self, code: Array) -> Array:
        """What the bytes stand for."""


class Float16(Code):
    """Two bytes a dimension."""

    def encode(self, z: Array) -> Array:
        return np.ascontiguousarray(unit(z), "<f2").view(np.uint8)

    def decode(self, code: Array) -> Array:
        return np.ascontiguousarray(code).view("<f2").astype(np.float32)


class Int8(Code):
    """A byte a dimension."""

    def encode(self, z: Array) -> Array:
        step = np.rint(127 * unit(z) / self.constants["scale"]).clip(-127, 127)
        return (step + 128).astype(np.uint8)

    def decode(self, code: Array) -> Array:
        return (code.astype(np.float32) - 128) * self.constants["scale"] / 127


class Binary(Code):
    """A bit a dimension."""

    def encode(self, z: Array) -> Array:
        return np.packbits(unit(z) > self.constants["middle"], axis=1)

    def decode(self, code: Array) -> Array:
        d = len(self.constants["middle"])
        return (2 * np.unpackbits(code, axis=1, count=d).astype(np.float32) - 1) / np.float32(d**0.5)


class Prefix(Code):
    """The first `dim` dimensions."""

    def seen(self, z: Array) -> Array:
        return unit(z[:, : self.constants["dim"]])

    def encode(self, z: Array) -> Array:
        return np.ascontiguousarray(self.seen(z), np.float32).view(np.uint8)

    def decode(self, code: Array) -> Array:
        return np.ascontiguousarray(code).view(np.float32)


class PQ(Code):
    """The nearest of 256 typical values in each slice."""

    def encode(self, z: Array) -> Array:
        centres = self.constants["centres"]
        slices = unit(z).reshape(len(z), len(centres), -1)
        found = [(s @ c.T - (c * c).sum(1) / 2).argmax(1) for s, c in zip(slices.swapaxes(0, 1), centres, strict=True)]
        return np.stack(found, 1).astype(np.uint8)

    def decode(self, code: Array) -> Array:
        centres = self.constants["centres"]
        return np.concatenate([centres[i][code[:, i]] for i in range(len(centres))], 1)


CODES: dict[str, type[Code]] = {"Float16": Float16, "Int8": Int8, "Binary": Binary, "Prefix": Prefix, "PQ": PQ}


def constant(value: Any) -> Any:
    """A number as it is; an array from its shape and its bytes."""
    if not isinstance(value, dict):
        return value
    return np.frombuffer(base64.b64decode(value["float32"]), "<f4").reshape(value["shape"])
