"""What short codes of the export's embeddings lose, and the constants that make them elsewhere."""

import base64
import warnings
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from isometry.codes.code import Code
from isometry.component import fields
from isometry.evaluation import Embeddings
from isometry.expression import parse
from isometry.protocols.coded import evaluate_coded

METRICS = "Recall(k=1), MAPAtR()"


def parsed(text: str) -> tuple[Code, ...]:
    """The codes that `text` names; none for no text.

    Raises:
        ValueError: for what is no code.
    """
    found = parse(text) if text.strip() else ()
    chosen = found if isinstance(found, tuple) else (found,)
    for code in chosen:
        if not isinstance(code, Code):
            raise ValueError(f"{code!r} is no code; one is written like 'Int8()'. See isometry list codes.")
    return chosen


def coded(found: Embeddings, codes: Sequence[Code], learn_from: Tensor | None) -> list[dict[str, Any]]:
    """A row for float32 and for each code: bytes an item, neighbours kept, metrics by cosine; and the code's constants.

    Raises:
        ValueError: where the pictures have no classes to measure recall by.
    """
    if not codes:
        return []
    (z, data), (query, gallery) = found, found.roles()
    if not len(data.present()):
        raise ValueError(f"What codes lose is measured by classes, and {data.name} has none: leave --codes out.")
    at = query if gallery is None else gallery
    against = (z[at], data.labels[at], data.ids[at])
    how: dict[str, Any] = {"against": against, "ids": data.ids[query], "learn_from": learn_from, "samples": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ties, whose mean is given
        rows = evaluate_coded(z[query], data.labels[query], codes, METRICS, **how)
    return [
        {
            "code": row.code,
            "bytes": row.bytes,
            "kept": round(row.kept, 6),
            "metrics": {name: round(float(value), 6) for name, value in row.results.items()},
            "kind": "" if code is None else type(code).__name__,
            "constants": {} if code is None else _constants(code),
        }
        for row, code in zip(rows, (None, *codes), strict=True)
    ]


def _constants(code: Code) -> dict[str, Any]:
    """Fields, and what was learned, as text."""
    learned = {
        name: {"shape": list(t.shape), "float32": base64.b64encode(t.float().cpu().numpy().tobytes()).decode()}
        for name, t in code.named_buffers()
    }
    return {name: getattr(code, name) for name in fields(type(code))} | learned


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The rows as lines of a table."""
    if not rows:
        return []
    names = list(rows[0]["metrics"])
    lines = [["code", "bytes", "of ten neighbours kept", *names]]
    for row in rows:
        values = [f"{row['metrics'][name]:.4f}" for name in names]
        lines.append([row["code"], str(row["bytes"]), f"{row['kept']:.4f}", *values])
    wide = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(line, wide, strict=True)).rstrip() for line in lines]
