"""A bundle as its user has it: pictures in, embeddings out, and what is known of the model."""

import json
from pathlib import Path
from typing import Any

import torch

from isometry import checkpoint
from isometry.bundle import archive
from isometry.bundle.archive import CARD, CONFIG, EVALUATION, THRESHOLDS, WEIGHTS, Members, Refused
from isometry.bundle.gallery import Gallery, Match, read_gallery
from isometry.bundle.hub import fetched
from isometry.bundle.thresholds import Thresholds, from_json
from isometry.embedder import Ready, rebuilt


class Bundle(Ready):
    """A model with its preprocessing, its card, its evaluation and its thresholds. `isometry.load("thing.isom")` gives one.

    Attributes:
        name: what it is called.
        card: the model card, Markdown.
        classes: names of the classes that it was trained on; empty where they are not known.
        metrics: the evaluation: test, validation and baselines with intervals, protocol and fingerprint.
        thresholds: from which similarity on a pair is taken for the same.
        similarity, relate: what embeddings are compared by, and what the labels say of pairs, as text.
        settings: how it was trained.
        gallery: pictures to search; None where it carries none.
        digest: SHA-256 of the manifest, which stands for the whole bundle.
    """

    def __init__(self, ready: Ready, members: Members, config: dict[str, Any], evaluation: dict[str, Any]):
        super().__init__(ready.model, repr(ready.transform), {**ready.note, "similarity": config["similarity"]})
        self.card = members.content[CARD].decode(errors="replace")
        self.name: str = config["name"]
        self.classes: tuple[str, ...] = tuple(config["classes"])
        self.metrics, self.digest = evaluation, members.digest
        self.similarity: str = config["similarity"]
        self.relate: str = config["relate"]
        self.settings: dict[str, Any] = config["training"]
        self.thresholds: Thresholds = from_json(members.json(THRESHOLDS))
        self.gallery: Gallery | None = read_gallery(members, self.dim)

    def search(self, images: Any, k: int = 10, *, batch_size: int = 256, workers: int = 0) -> list[list[Match]]:
        """The k most similar pictures of the gallery to each image, most similar first, by exact search.

        Raises:
            ValueError: when the bundle carries no gallery.
        """
        if self.gallery is None:
            raise ValueError(f"{self.name} carries no gallery: isometry bundle RUN --index DATA -o FILE adds one.")
        return self.gallery.search(self(images, batch_size=batch_size, workers=workers), k, self.similarity)

    def __repr__(self) -> str:
        gallery = f", {len(self.gallery):,} pictures to search" if self.gallery else ""
        return f"Bundle({self.name}: {self.dim} dimensions{gallery})"


def read(path: str | Path) -> Bundle:
    """The bundle in a file, in a folder, or on the Hub ("hf:owner/name"). No code in it is run.

    Raises:
        FileNotFoundError: when there is none.
        Refused: when it is truncated, changed, no bundle, or of a newer format.
    """
    text = str(path)
    path = fetched(text.removeprefix("hf:")) if text.startswith("hf:") else Path(path)
    members = archive.read(path)
    try:
        ready = _model(members.content[WEIGHTS], path)
        return Bundle(ready, members, members.json(CONFIG), members.json(EVALUATION))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise Refused(f"{path} is no bundle of this format ({type(error).__name__}: {error}).") from None
    except (RuntimeError, MemoryError, OverflowError) as error:
        why = " ".join(str(error).split())[:200]
        raise Refused(f"The model that {path} names cannot be built ({type(error).__name__}: {why}).") from None


def _model(weights: bytes, path: Path) -> Ready:
    """The model that a checkpoint holds, from its bytes."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: dict[str, torch.Tensor] = load(weights)
        header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
        note = json.loads(header["__metadata__"]["isometry"])
    except (SafetensorError, ValueError, KeyError) as error:
        raise Refused(f"The weights in {path} cannot be read ({type(error).__name__}): get it again.") from None
    if note["format"] > checkpoint.FORMAT:
        raise Refused(f"The weights in {path} have format {note['format']}, which is newer: upgrade isometry.")
    return rebuilt(tensors, note, path)
