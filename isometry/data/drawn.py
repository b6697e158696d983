"""The cache of data sets that are drawn: one file each, made when it is missing or damaged."""

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from torch import Tensor


def kept(name: str, made_by: tuple[object, ...], draw: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors that `draw` gives, from the cache where they are there whole.

    The file lies in `$ISOMETRY_CACHE`, or else in `~/.cache/isometry`, under a name that depends on `made_by` (the version of the
    drawing and its settings). A file that cannot be read is made anew, and a folder that cannot be written to costs the drawing
    each time.
    """
    folder = Path(os.environ.get("ISOMETRY_CACHE") or Path.home() / ".cache" / "isometry")
    path = folder / f"{name}-{hashlib.sha256(repr(made_by).encode()).hexdigest()[:16]}.safetensors"
    tensors = _read(path)
    if tensors is None:
        tensors = draw()
        _write(path, tensors)
    return tensors


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    from safetensors.torch import save_file

    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part)
        part.replace(path)
    except OSError:  # a cache is a convenience: without it the pictures are drawn each time
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Tensor] | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            return {name: file.get_tensor(name).clone() for name in names}  # not the mapped file
    except (SafetensorError, OSError, ValueError):  # absent, truncated or not ours
        return None
