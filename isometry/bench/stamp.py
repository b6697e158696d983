"""What a study found, kept on the shelf under a hash of all that it follows from: asked for again, it is only read."""

import dataclasses
import functools
import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import isometry
from isometry.bench.findings import Findings, from_json
from isometry.bench.readings import Readings
from isometry.bench.shelf import Shelf

if TYPE_CHECKING:
    from isometry.bench.plan import Plan
    from isometry.bench.study import Study


def found(study: "Study", shelf: Shelf, plan: "Plan", readings: Readings) -> Findings:
    """The findings of a study: those of one that is over are worked out once, and then lie on the shelf."""
    from isometry.bench.sum_up import findings_of

    if not plan.over:
        return findings_of(study, shelf, plan, readings)
    kept = shelf.value(
        stamp(study, plan, readings), lambda: dataclasses.asdict(findings_of(study, shelf, plan, readings))
    )
    return from_json(kept)


def stamp(study: "Study", plan: "Plan", readings: Readings) -> str:
    """Names the findings: a hash of the recipe, of what was held constant, of every outcome, every score and the code."""
    digest = hashlib.sha256(json.dumps(["findings", code(), study.recipe.to_toml(), study.held]).encode())
    digest.update(repr((plan, readings.metrics, readings.seeds, readings.controls)).encode())
    for place, table in readings.tables.items():
        for name, tensor in {"": table.classes, **table.columns}.items():
            digest.update(repr((place, name, tensor.shape, tensor.dtype)).encode())
            digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]


@functools.cache
def code() -> tuple[Any, ...]:
    """The package's own files, as a hash, and the versions of the libraries that it computes with."""
    home, digest = Path(isometry.__file__).parent, hashlib.sha256()
    for path in sorted(home.rglob("*.py")):
        digest.update(f"{path.relative_to(home).as_posix()} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest(), *(metadata.version(name) for name in ("numpy", "scipy", "torch"))
