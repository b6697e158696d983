"""Files of an export: written under a temporary name, looked at, and only then put in place."""

import hashlib
import importlib.util
import io
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isometry import lite
from isometry.embedder import Ready
from isometry.export.graph import OPSET, Program, onnx_model, quiet
from isometry.export.precision import FLOAT32, Precision

LIMIT = 2**31 - 2**24
"""Bytes of weights above which they lie beside the ONNX file: protocol buffers end at 2 GB."""
EXTRA = "isometry.json"
"""The metadata in a .pt2 file."""
NEEDED = ("onnx", "onnxscript", "onnxruntime")
Run = Callable[[np.ndarray], np.ndarray]


@contextmanager
def beside(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write into; its files are put in place at the end, the one of `out`'s name last.

    Raises:
        OSError: when it cannot be written; what was there before is untouched.
    """
    half = out.parent / f".{out.name}.{os.getpid()}.{secrets.token_hex(4)}.part"
    half.mkdir()
    try:
        yield half
        for path in sorted(half.iterdir(), key=lambda path: path.name == out.name):
            with open(path, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(path, out.parent / path.name)
    finally:
        shutil.rmtree(half, ignore_errors=True)


class OnnxFile:
    """A model as ONNX."""

    says = f"ONNX, opset {OPSET}"

    def __init__(self, ready: Ready, program: Program, precision: Precision) -> None:
        self.model = precision.change(onnx_model(ready, program))

    @staticmethod
    def takes(precision: Precision) -> None:
        """Any precision; raises a ValueError where what writes ONNX is not installed."""
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise ValueError(f"ONNX needs {', '.join(missing)}: pip install 'isometry[export]'.")

    def write(self, about: dict[str, Any], path: Path) -> None:
        """Writes it; once, for large weights are moved out of memory."""
        save_onnx(self.model, about, path)

    def amend(self, about: dict[str, Any], path: Path) -> None:
        """Writes other metadata into the file."""
        amend_onnx(about, path)

    def read(self, path: Path) -> Run:
        """The network in a file."""
        return lite.load(path, threads=torch.get_num_threads()).run


class ProgramFile:
    """A model as what `torch.export.load` reads, with the metadata as JSON beside it."""

    says = "torch.export"

    def __init__(self, ready: Ready, program: Program, precision: Precision) -> None:
        self.takes(precision)
        self.program = program

    @staticmethod
    def takes(precision: Precision) -> None:
        """Raises a ValueError for weights that are not float32."""
        if precision is not FLOAT32:
            raise ValueError(f"Weights as {precision.name} are for ONNX: name a file that ends in .onnx.")

    def write(self, about: dict[str, Any], path: Path) -> None:
        """Writes it."""
        held = io.BytesIO()  # an archive in a file is called by that file's name, inside
        with quiet():
            torch.export.save(self.program, held, extra_files={EXTRA: json.dumps(about, sort_keys=True)})
        path.write_bytes(held.getbuffer())

    def amend(self, about: dict[str, Any], path: Path) -> None:
        """Writes it anew, with other metadata."""
        self.write(about, path)

    def read(self, path: Path) -> Run:
        """The network in a file."""
        network = torch.export.load(path).module()

        def run(images: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return network(torch.from_numpy(images)).numpy()

        return run


FORMS: dict[str, type[OnnxFile] | type[ProgramFile]] = {".onnx": OnnxFile, ".pt2": ProgramFile}


def save_onnx(model: Any, about: dict[str, Any], path: Path, limit: int = LIMIT) -> None:
    """Writes a graph with metadata, one JSON text a name; weights above `limit` bytes lie in a file named by their hash."""
    import onnx

    _noted(model, about)
    weights = [held.raw_data for held in model.graph.initializer]
    if sum(map(len, weights)) <= limit:
        path.write_bytes(model.SerializeToString(deterministic=True))
        return
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(weight)
    location = f"{path.stem}.{digest.hexdigest()[:12]}.data"
    onnx.save_model(model, path, save_as_external_data=True, location=location, size_threshold=1024)


def amend_onnx(about: dict[str, Any], path: Path) -> None:
    """Writes other metadata into a file; weights beside it stay as they are."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    _noted(model, about)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _noted(model: Any, about: dict[str, Any]) -> None:
    del model.metadata_props[:]
    for name, value in sorted(about.items()):
        model.metadata_props.add(key=name, value=json.dumps(value, sort_keys=True))
