"""Pictures in, embeddings out, with onnxruntime, numpy and pillow alone: reads what `isometry export` wrote.

Nothing here imports torch, or anything else of this package: this folder, copied beside `model.onnx`, is all that a user
needs.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .codes import CODES, SIMILARITIES, Code, constant
from .pictures import Array, Preparation

__all__ = ["Code", "Model", "Preparation", "load", "read"]
FORMAT = 1
"""Version of the metadata; a newer one is refused."""


def load(path: str | Path, *, threads: int = 0) -> "Model":
    """The model in an ONNX file that `isometry export` wrote. `threads`: how many it runs on; 0 is all cores.

    Raises:
        FileNotFoundError, ImportError: when there is no file, or no onnxruntime.
        ValueError: when it is damaged, not ours, or of a newer format.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {path}: isometry export RUN -o {Path(path).name} writes one.")
    try:
        import onnxruntime
    except ImportError:
        raise ImportError("ONNX models run on onnxruntime: pip install onnxruntime.") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a kind of its own for each of its states
        why = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} is damaged or no ONNX model ({why}): get it again.") from None
    return Model(session, read(session.get_modelmeta().custom_metadata_map, str(path)))


def read(held: Mapping[str, str], path: str) -> dict[str, Any]:
    """Metadata, from their text.

    Raises:
        ValueError: when they are not ours, or of a newer format.
    """
    try:
        about = {name: json.loads(text) for name, text in held.items()}
        newer = int(about["format"]) > FORMAT
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path} was not written by isometry export: its metadata lack a format.") from None
    if newer:
        raise ValueError(f"{path} has format {about['format']}, and this reads up to {FORMAT}: upgrade isometry.")
    return about


class Model:
    """A network with the preparation of its pictures. `model(pictures)` gives embeddings `[n d]`, float32, not normalised.

    Pictures are a list of paths, of PIL images or of arrays (`[h w]`, `[h w c]` or `[c h w]`, 0 … 255 or 0.0 … 1.0), or one
    array of all.

    Attributes:
        dim, name: of the embedding; of the model.
        similarity, transform: what embeddings are compared by, and how pictures are prepared, as text.
        classes: names of those that it was trained on; empty where they are not known.
        digest, version: SHA-256 of what was exported, and of which isometry.
        about: all metadata, with the parity that was measured and what codes cost.
    """

    def __init__(self, session: Any, about: dict[str, Any]) -> None:
        self.session, self.about, self.prepare = session, about, Preparation(**about["preparation"])
        self.dim, self.name, self.similarity = int(about["dim"]), str(about["name"]), str(about["similarity"])
        self.transform, self.classes = str(about["transform"]), tuple(about["classes"])
        self.digest, self.version = str(about["digest"]), str(about["version"])
        self.alone = bool(about["alone"])

    def __call__(self, pictures: Any, *, batch_size: int = 64) -> Array:
        if isinstance(pictures, (str, Path)) or not hasattr(pictures, "__len__") or not len(pictures):
            raise ValueError(f"Pictures are a list of paths, PIL images or arrays; got {pictures!r}.")
        step = max(1, batch_size)
        return np.concatenate([self.run(self.prepare(pictures[i : i + step])) for i in range(0, len(pictures), step)])

    def run(self, images: Array) -> Array:
        """Embeddings of prepared pictures `[n c h w]`.

        Where activations are quantised by their range in the batch, pictures go one by one: no picture changes another's.
        """
        parts = np.split(images, len(images)) if self.alone else [images]
        return np.concatenate([self.session.run(["z"], {"images": part})[0] for part in parts])

    def compare(self, z: Array, r: Array) -> Array:
        """Similarities `[n m]` of embeddings, larger is closer.

        Raises:
            ValueError: for a similarity that this file does not know.
        """
        if self.similarity not in SIMILARITIES:
            raise ValueError(f"{self.similarity} is not in isometry.lite, which has {', '.join(SIMILARITIES)}.")
        return SIMILARITIES[self.similarity](z, r)

    def threshold(self, rate: float) -> float:
        """From which similarity on a pair is taken for the same, for this rate of false matches.

        Raises:
            ValueError: where there is none for it.
        """
        rows = (self.about["thresholds"] or {}).get("rows", ())
        for row in rows:
            if abs(row["rate"] - rate) <= 1e-9 * rate:
                return float(row["score"])
        have = ", ".join(f"{row['rate']:g}" for row in rows) or "none: export a bundle, which carries them"
        raise ValueError(f"There is no threshold for a false-match rate of {rate:g}; there is {have}.")

    def code(self, text: str) -> "Code":
        """A code that was exported with the model, by its text: "Int8()".

        Raises:
            ValueError: where there is none of this name.
        """
        held = {row["code"]: row for row in self.about["codes"] if row["kind"]}
        if text not in held:
            have = ", ".join(held) or "none"
            raise ValueError(f"There is no code {text}; there is {have}. isometry export --codes adds them.")
        row = held[text]
        if row["kind"] not in CODES:
            raise ValueError(f"{text} is not in isometry.lite, which has {', '.join(CODES)}.")
        return CODES[row["kind"]](**{name: constant(value) for name, value in row["constants"].items()})
