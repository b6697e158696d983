"""`write`: a model as a file for other programs, compared with the model before it is there."""

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isometry.component import nearest
from isometry.evaluation import Embeddings, embed
from isometry.export.codes import coded, parsed
from isometry.export.files import FORMS, beside
from isometry.export.graph import program
from isometry.export.parity import Parity, compared, embedded, enough
from isometry.export.precision import FLOAT32, Gate, Precision
from isometry.export.preparation import preparation
from isometry.export.source import PICTURES, Source, source
from isometry.lite import FORMAT, Preparation
from isometry.version import __version__


class Failed(ValueError):
    """Why an export was not written: it is not the model."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """An export. Attributes: path; bytes and digest (SHA-256) of the file; says: its form;
    parity: what was compared; codes: a row each; notes: what a user should know."""

    path: Path
    bytes: int
    digest: str
    says: str
    parity: Parity
    codes: list[dict[str, Any]]
    notes: tuple[str, ...]


def write(
    model: str | Path,
    out: str | Path,
    *,
    data: Any = "",
    label: str = "",
    label_columns: str = "",
    precision: Precision = FLOAT32,
    gate: Gate | None = None,
    codes: str = "",
    pictures: int = PICTURES,
    workers: int = -1,
) -> Written:
    """Writes a run or a bundle as ONNX (`.onnx`) or as a program of `torch.export` (`.pt2`), for batches of any size.

    The file is read back and embeds real pictures, prepared without torch. Only if its embeddings and what they find agree
    with the model's, within `gate`, is it put in place.

    Args:
        model: a run's folder, its weights, or a bundle.
        data: pictures to compare on, anything that `isometry.data.read` reads; a run's own test pictures unless named.
        label, label_columns: columns of a table.
        precision: how weights are kept: `FLOAT32`, `HALF` or `INT8` (ONNX only).
        gate: what has to be reached; the precision's own unless given.
        codes: short codes of embeddings to carry along, "Int8(), Prefix(dim=32)", with what they lose.
        pictures: how many are compared, at most.

    Raises:
        Failed: where the export does not agree. Nothing is written.
        ValueError, OSError: for what cannot be read, exported or written.
    """
    out = target(Path(out))
    chosen, form = parsed(codes), FORMS[out.suffix]
    form.takes(precision)
    what = source(model, data, label=label, label_columns=label_columns, pictures=pictures)
    size = preparation(what.ready, what.data)
    before = enough(embed(what.ready, what.data, workers=workers))
    made = form(what.ready, program(what.ready, size), precision)
    about = _about(what, size, precision) | {"graph": made.says}
    with beside(out) as folder:
        path = folder / out.name
        made.write(about, path)
        after = embedded(made.read(path), size, before.data)
        parity = compared(before, after, similarity=what.similarity, relate=what.relate, gate=gate or precision.gate)
        if faults := parity.faults():
            raise Failed(f"{out.name} is not written, for it is not the model: {'; '.join(faults)}.")
        learn = embed(what.ready, what.learn, workers=workers).z if chosen and what.learn is not None else None
        rows = coded(Embeddings(after, before.data), chosen, learn)
        about |= {"parity": parity.as_json(), "codes": rows}
        made.amend(about, path)
        made.read(path)
        size_of, digest = path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()
    return Written(path=out, bytes=size_of, digest=digest, says=made.says, parity=parity, codes=rows, notes=what.notes)


def _about(what: Source, size: Preparation, precision: Precision) -> dict[str, Any]:
    """What the file says of itself, beside what is measured."""
    return {
        "format": FORMAT,
        "name": what.name,
        "dim": what.ready.dim,
        "similarity": what.similarity,
        "transform": repr(what.ready.transform),
        "preparation": dataclasses.asdict(size),
        "model": what.ready.model.texts,
        "classes": what.classes,
        "thresholds": what.thresholds,
        "digest": what.digest,
        "version": __version__,
        "precision": precision.name,
        "alone": precision.alone,
        "parity": None,
        "codes": [],
    }


def target(out: Path) -> Path:
    """Where it goes, if it can go there.

    Raises:
        ValueError, OSError: when it cannot.
    """
    if out.suffix not in FORMS:
        raise ValueError(
            f"An export is a file that ends in {' or '.join(FORMS)}; got {out}.{nearest(out.suffix, FORMS)}"
        )
    if out.is_dir():
        raise FileExistsError(f"{out} is a folder: name another file.")
    if not out.resolve().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {out.resolve().parent} to write {out.name} to.")
    return out
