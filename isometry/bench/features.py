"""What a frozen trunk makes of every picture, once: a matrix on disk that all trainings of all studies share."""

import hashlib
import importlib.util
import inspect
import json
import os
import re
import secrets
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from isometry import checkpoint
from isometry.bench.cell import own_code
from isometry.data import Data, loader
from isometry.expression import names, parse
from isometry.model import Embedder, parse_trunk
from isometry.trunks import unfilled
from isometry.trunks.efficient_net_lite0 import FILE, PACKAGE

FEATURES = 1
"""Version of what is stored: raised when the same trunk would give other numbers."""
BATCH = 64
SAY = 8
"""Batches from one word on how far it is to the next."""
SEED = 0
"""Of the weights of trunks that have no published ones."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What is known of a trunk without building it.

    Attributes:
        digest: hash of its weights. published: whether they are somebody's, and not random.
        channels, features: of the pictures it takes, and of the vectors that the pool makes.
    """

    digest: str
    published: bool
    channels: int
    features: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Pooled features, a row for each picture of the data.

    Attributes: readable: positions of the pictures that could be read; unreadable: what hindered the others, a line each.
    """

    rows: Float[Tensor, "n p"]
    readable: Int64[Tensor, " k"]
    unreadable: tuple[str, ...]


def silent(text: str) -> None:
    """Says nothing."""


class Body(nn.Module):
    """Trunk and pool, without a head."""

    def __init__(self, trunk: str, pool: str) -> None:
        super().__init__()
        self.model = Embedder(parse_trunk(trunk), parse(pool), nn.Identity())
        self.channels = int(self.model.trunk.in_channels)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Float[Tensor, "b p"]:
        return self.model.pool(self.model.trunk(self.model.normalised(images)))


def body(trunk: str, pool: str, untrained: bool = False) -> Body:
    """The trunk with its weights (random ones, of a fixed seed, where it has none or `untrained`), for use."""
    with torch.random.fork_rng(devices=[]), unfilled() if untrained else nullcontext():
        torch.manual_seed(SEED)
        return Body(trunk, pool).eval().requires_grad_(False)


def weights_of(trunk: str, pool: str, cache: Path) -> Weights:
    """What is known of a trunk: from the cache, if neither the packages nor the files it is made of have changed."""
    path = cache / "trunks" / f"{_hash(trunk, pool, *_origins(trunk))}.json"
    if path.is_file():
        return Weights(**json.loads(path.read_text()))
    made = body(trunk, pool)
    trunk_state, side = made.model.trunk.state_dict(), int(made.model.trunk.image_size)  # type: ignore[arg-type]
    digest = hashlib.sha256()
    for name, tensor in sorted(trunk_state.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
    with torch.no_grad():
        width = made(torch.zeros(1, made.channels, side, side)).shape[1]
    published = bool(getattr(made.model.trunk, "pretrained", False) or getattr(made.model.trunk, "weights", None))
    found = Weights(digest=digest.hexdigest()[:16], published=published, channels=made.channels, features=width)
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.write(path, json.dumps(vars(found)))
    return found


def features(
    data: Data,
    trunk: str,
    pool: str,
    transform: str,
    cache: Path,
    *,
    untrained: bool = False,
    say: Callable[[str], None] = silent,
) -> Features:
    """Pooled features of all pictures: read from the cache, or made and put there.

    The matrix is mapped into memory and not read as a whole. Two processes that make it at once both succeed. `say` is told
    how far it is.

    Raises:
        ValueError: when no picture can be read.
    """
    weights = weights_of(trunk, pool, cache)
    origin = "untrained" if untrained else weights.digest
    made_by = _versions() if untrained or not weights.published else ()
    own = own_code(trunk, pool, transform)
    key = _hash(FEATURES, data.fingerprint(), trunk, origin, pool, transform, *made_by, *([own] if own else []))
    path, note = cache / "features" / f"{key}.npy", cache / "features" / f"{key}.json"
    if not (note.is_file() and path.is_file()):
        path.parent.mkdir(parents=True, exist_ok=True)
        unreadable = _make(data, body(trunk, pool, untrained), transform, weights.features, path, say)
        checkpoint.write(note, json.dumps({"data": data.name, "trunk": trunk, "pool": pool, "unreadable": unreadable}))
    unreadable = json.loads(note.read_text())["unreadable"]
    rows = torch.from_numpy(np.load(path, mmap_mode="c"))
    missing = {int(position) for position in unreadable}
    readable = torch.tensor([i for i in range(len(data)) if i not in missing])
    return Features(rows=rows, readable=readable, unreadable=tuple(unreadable.values()))


@torch.no_grad()
def _make(data: Data, made: Body, transform: str, width: int, path: Path, say: Callable[[str], None]) -> dict[int, str]:
    """Writes a row for each picture; returns what could not be read, by position."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    made = made.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = loader(data, parse(transform), batch_size=BATCH, channels=made.channels)
    half = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part")
    whole = np.lib.format.open_memmap(half, mode="w+", dtype=np.float32, shape=(len(data), width))
    seen = torch.zeros(len(data), dtype=torch.bool)
    try:
        for batch in batches:
            images = batch.images.to(device, memory_format=torch.channels_last)
            whole[batch.index.numpy()] = made(images).float().cpu().numpy()
            seen[batch.index] = True
            if int(seen.sum()) % (SAY * BATCH) < BATCH:
                say(f"features of {int(seen.sum()):,} of {len(data):,} pictures")
        whole.flush()
        del whole  # a file that is mapped is not renamed everywhere
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)
    why = {failure.id: f"{failure.path}: {failure.why}" for failure in batches.unreadable.values()}
    return {int(i): why.get(int(data.ids[i]), "it was left out") for i in (~seen).nonzero()[:, 0]}


def _origins(trunk: str) -> tuple[str, ...]:
    """What a trunk's weights and layers come from, as far as it can be seen without building it."""
    home = importlib.util.find_spec(PACKAGE)
    weights = Path(home.origin).parent / FILE if home and home.origin else None
    named = names().get(trunk.partition("(")[0].strip(), names()["Timm"])
    code = inspect.getsourcefile(named) if inspect.isclass(named) else None
    files = [Path(file) for file in (weights, code, *_quoted(trunk)) if file]
    return (*_versions(), *(f"{f.name} {f.stat().st_size} {f.stat().st_mtime_ns}" for f in files if f.is_file()))


def _quoted(text: str) -> list[str]:
    """What stands in quotes: a file of weights may be among it."""
    return re.findall(r"""['"]([^'"]+)['"]""", text)


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()[:24]


def _versions() -> tuple[str, ...]:
    return tuple(f"{name} {metadata.version(name)}" for name in ("torch", "timm"))
