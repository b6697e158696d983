"""A trained model as its user has it: pictures in, embeddings out."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from isometry import checkpoint
from isometry.data import Arrays, Data, loader
from isometry.data.arrays import read_arrays
from isometry.data.loading import Failure
from isometry.expression import parse
from isometry.model import Embedder
from isometry.version import __version__

WEIGHTS = "model.safetensors"


class Ready:
    """A model with its preprocessing. `ready(images)` gives embeddings `[n d]`, not normalised.

    Images are a list of paths, of PIL images or of arrays, or a tensor `[n c h w]` (uint8, or float in 0 … 1).
    """

    def __init__(self, model: Embedder, transform: str, note: dict[str, Any] | None = None):
        self.model, self.transform, self.note = model.eval(), parse(transform), dict(note or {})
        self.device = next(model.parameters()).device
        self.unreadable: dict[int, Failure] = {}
        """Pictures that could not be read so far, by id."""

    def to(self, device: str | torch.device) -> "Ready":
        """Moves the model."""
        self.model.to(device)
        self.device = torch.device(device)
        return self

    @property
    def dim(self) -> int:
        """Dimensions of the embedding."""
        return self.model.dim

    def __call__(self, images: Any, *, batch_size: int = 256, workers: int = 0) -> Float[Tensor, "n d"]:
        if isinstance(images, (str, Path)) or not len(images):
            raise ValueError(f"Images are a list of paths or PIL images, or a tensor [n c h w]; got {images!r}.")
        data = read_arrays(images, [-1] * len(images))
        z, _ = self.embed(data, batch_size=batch_size, workers=workers, strict=True)
        return z

    @torch.no_grad()
    def embed(
        self, data: Data, *, batch_size: int = 256, workers: int = -1, strict: bool = False
    ) -> tuple[Float[Tensor, "n d"], Tensor]:
        """Embeddings of all readable images, in order, on the CPU, and their positions in `data`."""
        batches = loader(
            data,
            self.transform,
            batch_size=batch_size,
            workers=None if workers < 0 else workers,
            channels=self.model.trunk.in_channels,  # type: ignore[arg-type]
            strict=strict,
        )
        z, index = [torch.empty(0, self.dim)], [torch.empty(0, dtype=torch.int64)]
        for batch in batches:
            z.append(self.model.embed(batch.images.to(self.device, non_blocking=True)).float().cpu())
            index.append(batch.index)
        self.unreadable.update(batches.unreadable)
        return torch.cat(z), torch.cat(index)

    def save(self, folder: Path) -> None:
        """Writes `model.safetensors`: weights, and in its note everything that `load` needs."""
        note = {
            **self.note,
            "kind": "model",
            **self.model.texts,
            "transform": repr(self.transform),
            "version": __version__,
        }
        checkpoint.save(folder / WEIGHTS, self.model.state_dict(), note)


def load(path: str | Path) -> Ready:
    """The embedder of a run (its folder, or its `model.safetensors`), or a bundle: a file, a folder, "hf:owner/name".

    Raises:
        FileNotFoundError, ValueError: when there is none, or it is damaged, or from a newer version.
    """
    from isometry.bundle import is_bundle, read  # which knows more than a model, and imports this

    if is_bundle(path):
        return read(path)
    path = Path(path)
    tensors, note = checkpoint.load(path / WEIGHTS if path.suffix != ".safetensors" else path)
    return rebuilt(tensors, note, path)


def rebuilt(tensors: dict[str, Tensor], note: dict[str, Any], path: Path) -> Ready:
    """The embedder of what a checkpoint holds; `path` is for messages.

    Raises:
        ValueError: when these are no weights of a model, or not of the model that the note names.
    """
    from isometry.trunks import unfilled

    missing = {"trunk", "pool", "head", "transform"} - note.keys()
    if missing:
        raise ValueError(f"{path} is no model: its note lacks {', '.join(sorted(missing))}.")
    with unfilled():
        model = Embedder.parse(note["trunk"], note["pool"], note["head"])
    fill(model, tensors, path)
    return Ready(model, note["transform"], {k: v for k, v in note.items() if k != "format"})


def fill(model: torch.nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Loads weights, or says in one line which do not fit."""
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        first = " ".join(str(error).split()[:40])
        raise ValueError(f"The weights in {path} do not fit the model they name: {first} …") from None


def untrained(config: Any, seed: int) -> Ready:
    """The model of a run before training (with published weights, where its trunk has some)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Ready(Embedder.parse(config.trunk, config.pool, config.head), config.transform)


def pixels(data: Data, channels: int, side: int = 32) -> tuple[Float[Tensor, "n p"], Tensor]:
    """The raw-pixel baseline: pictures squeezed to at most side × side, as they are, in a row; and their positions."""

    def squeezed(image: Tensor) -> Tensor:
        small = (min(side, image.shape[-2]), min(side, image.shape[-1])) if in_memory else (side, side)
        return torch.nn.functional.interpolate((image / 255)[None], small, mode="area")[0]

    in_memory = isinstance(data.images, Arrays)
    rows = [
        (b.images.flatten(1), b.index) for b in loader(data, squeezed, batch_size=512, channels=channels, workers=0)
    ]
    return torch.cat([x for x, _ in rows]), torch.cat([i for _, i in rows])


def relabelled(data: Data) -> tuple[Data, int]:
    """Labels renumbered 0 … C − 1 over the classes that are there, for losses with one proxy a class; and C."""
    present = data.present()
    new = torch.full((max(len(data.classes), int(present.max()) + 1 if len(present) else 0) + 1,), -1)
    new[present] = torch.arange(len(present))
    return dataclasses.replace(data, labels=new[data.labels]), len(present)
