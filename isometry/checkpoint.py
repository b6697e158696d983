"""Files that hold weights and state: safetensors with a JSON note, written whole or not at all. Loading runs no code."""

import errno
import json
import os
import secrets
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FORMAT = 1
"""Version of the files; a newer one is refused."""


def save(path: Path, tensors: dict[str, Tensor], note: dict[str, Any]) -> None:
    """Writes tensors and a note to `path`: to a temporary name first, so that a full disk or a crash loses nothing.

    Raises:
        OSError: when it cannot be written; what was there before is untouched.
    """
    from safetensors.torch import save as to_bytes

    whole = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    write(path, to_bytes(whole, {"isometry": json.dumps({"format": FORMAT, **note})}))


def write(path: Path, content: bytes | str) -> None:
    """Writes a file whole or not at all.

    Raises:
        OSError: with a message that names the file; what was there before is untouched.
    """
    half = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with open(half, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    except OSError as error:
        half.unlink(missing_ok=True)
        why = "the disk is full: free some room" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise OSError(f"{path} could not be written ({why}). What was there before is untouched.") from None


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the note of a file that `save` wrote.

    Raises:
        FileNotFoundError: when there is none.
        ValueError: when it is truncated, not ours, or from a newer version.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"There is no {path.name} in {path.parent}: is it the folder of a run?")
    try:
        with safe_open(str(path), framework="pt") as file:
            note = json.loads((file.metadata() or {}).get("isometry", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged or no checkpoint ({error}). Is the copy complete?") from None
    if not isinstance(note, dict) or "format" not in note:
        raise ValueError(f"{path} was not written by isometry: it carries no note of its format.")
    if note["format"] > FORMAT:
        raise ValueError(
            f"{path} has format {note['format']}, and this isometry reads up to {FORMAT}: upgrade isometry."
        )
    return tensors, note


def pack(prefix: str, state: Any, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Moves the tensors of a nested state into `tensors`; what is left is JSON that `unpack` puts together again."""

    def move(value: Any, path: str) -> Any:
        if isinstance(value, Tensor):
            tensors[path] = value
            return {"tensor": path}
        if isinstance(value, dict):
            return {"dict": [[k, move(v, f"{path}.{k}")] for k, v in value.items()]}
        if isinstance(value, (list, tuple)):
            return [move(v, f"{path}.{i}") for i, v in enumerate(value)]
        return value

    return move(state, prefix)


def unpack(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """The state that `pack` took apart (tuples come back as lists)."""
    if isinstance(packed, dict) and "tensor" in packed:
        return tensors[packed["tensor"]]
    if isinstance(packed, dict):
        return {k: unpack(v, tensors) for k, v in packed["dict"]}
    if isinstance(packed, list):
        return [unpack(v, tensors) for v in packed]
    return packed
