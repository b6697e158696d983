"""The shelf: what every training left behind, under the key of all that decided it. Whatever lies there is not made again."""

import json
import os
import secrets
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from isometry import checkpoint
from isometry.bench.cell import Outcome

Arrays = dict[str, np.ndarray]


class Shelf:
    """A folder of outcomes, test embeddings and arrays derived from them, that any number of processes may share.

    Files are written whole or not at all, and are never changed: two processes that make the same thing write the same
    thing. A damaged file counts as not there, so that it is made again, and a warning names it.

    Args:
        folder: `cells/` and `readings/` are made in it. Default: `default_folder()`.
    """

    def __init__(self, folder: Path | None = None):
        self.folder = folder or default_folder()
        self._outcomes: dict[str, Outcome] = {}
        self._values: dict[str, Any] = {}

    def outcome(self, key: str) -> Outcome | None:
        """What the training of this key gave; None where it was not run (or its files are damaged)."""
        if key not in self._outcomes:
            found = self._read(self._path("cells", key, "json"))
            if found is None or not self._embedded(key, found.pop("bytes", 0)):
                return None
            try:
                self._outcomes[key] = Outcome(**{**found, "curve": tuple(found.get("curve", ()))})
            except TypeError:
                _damaged(self._path("cells", key, "json"))
                return None
        return self._outcomes[key]

    def put(self, key: str, outcome: Outcome, tensors: Mapping[str, Tensor]) -> None:
        """Lays an outcome down, its tensors first: where the outcome can be seen, all of it is there.

        Raises:
            OSError: when the disk is full or the folder may not be written.
        """
        size, path = 0, self._path("cells", key, "safetensors")
        path.parent.mkdir(parents=True, exist_ok=True)
        if tensors:
            checkpoint.save(path, dict(tensors), {"kind": "cell"})
            size = path.stat().st_size
        text = json.dumps({**outcome.as_json(), "bytes": size}, default=float)
        checkpoint.write(path.with_suffix(".json"), text)

    def tensors(self, key: str) -> dict[str, Tensor]:
        """The tensors laid down with an outcome; none where there were none.

        Raises:
            ValueError: when they are damaged: they are taken away, so that the next run makes them again.
        """
        path = self._path("cells", key, "safetensors")
        if not path.is_file():
            return {}
        try:
            return checkpoint.load(path)[0]
        except ValueError:
            self.drop(key)
            raise ValueError(f"{path} was damaged and is taken away: the same command makes it again.") from None

    def drop(self, key: str) -> None:
        """Forgets a training, so that it is run again."""
        self._outcomes.pop(key, None)
        for end in ("json", "safetensors"):
            self._path("cells", key, end).unlink(missing_ok=True)

    def reading(self, key: str, make: Callable[[], Arrays]) -> Arrays:
        """Arrays derived from what lies here, in their order: read where they were made before, else made and kept.

        Args:
            key: of hexadecimal digits; it must name all that decides the arrays, the code's version among it.
        """
        from safetensors import SafetensorError, safe_open
        from safetensors.numpy import save

        path = self._path("readings", key, "safetensors")
        if path.is_file():
            try:
                with safe_open(str(path), framework="numpy") as file:
                    return {name: file.get_tensor(name) for name in json.loads(file.metadata()["order"])}
            except (SafetensorError, OSError, TypeError, KeyError, ValueError):
                _damaged(path)
        made = {name: np.ascontiguousarray(array) for name, array in make().items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.write(path, save(made, {"order": json.dumps(list(made))}))
        return made

    def value(self, key: str, make: Callable[[], Any]) -> Any:
        """The same for plain values. Of two machines that make one at once, both get the first."""
        if key not in self._values:
            path = self._path("readings", key, "json")
            found = self._read(path)
            if found is None:
                found = self._first(path, {"value": make()})
            self._values[key] = found["value"]
        return self._values[key]

    def _first(self, path: Path, value: dict[str, Any]) -> dict[str, Any]:
        """Lays a value down, unless another process was quicker; returns what lies there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.draft")
        checkpoint.write(draft, json.dumps(value))
        try:
            os.link(draft, path)
        except FileExistsError:
            if (found := self._read(path)) is not None:
                return found
            os.replace(draft, path)  # what lay there was damaged
        except OSError:  # a disk without hard links
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        return value

    def _path(self, room: str, key: str, end: str) -> Path:
        return self.folder / room / key[:2] / f"{key}.{end}"

    def _embedded(self, key: str, size: int) -> bool:
        """Whether the tensors that an outcome speaks of lie beside it, whole."""
        path = self._path("cells", key, "safetensors")
        if not size or (path.is_file() and path.stat().st_size == size):
            return True
        _damaged(path)
        return False

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:  # no JSON, or no text at all
            found = None
        if not isinstance(found, dict):
            _damaged(path)
            return None
        return found


def default_folder() -> Path:
    """`isometry/bench` in `$ISOMETRY_CACHE`, or else in the platform's folder of caches."""
    if given := os.environ.get("ISOMETRY_CACHE"):
        return Path(given) / "bench"
    if sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "isometry" / "bench"


def _damaged(path: Path) -> None:
    warnings.warn(f"{path} is missing or damaged: it is made again.", stacklevel=3)
