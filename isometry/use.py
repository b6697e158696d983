"""Runs put to use: measured on other data, and embeddings written to files."""

import csv
import dataclasses
import io
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isometry import checkpoint, config
from isometry.bundle import is_bundle
from isometry.config import Config
from isometry.data import Data, read, split
from isometry.embedder import load
from isometry.evaluation import Embeddings, measure
from isometry.evaluation import embed as embed_data
from isometry.expression import parse
from isometry.fingerprint import protocol_of
from isometry.label_check import check
from isometry.label_metric import metric_of
from isometry.metrics.metric import Metric
from isometry.protocols.coded import evaluate_coded
from isometry.protocols.results import Results
from isometry.queries import Measured, write_queries
from isometry.run import CONFIG, METRICS, as_json, write_report
from isometry.supervision import is_continuous, measured_by, refuse_classless, relation, width

PARTS = ("train", "validation", "test", "all")


def evaluate(
    run: str | Path,
    data: Any = "",
    *,
    metrics: str = "",
    label: str = "",
    label_columns: str = "",
    part: str = "",
    relate: str = "",
    similarity: str = "",
    rerank: str = "",
    codes: str = "",
    workers: int = -1,
    strict: bool = False,
    out: Path | None = None,
) -> dict[str, Any]:
    """Measures a run on any data: `{"test": {metric: {value, low, high}}, …}`; with `out`, writes it and a report there.

    Without `data`, the run's own, and its test part (a bundle has none); other data are measured whole, or their test part if
    they name one.
    `label` and `label_columns` name the columns of a table; of the run's own data, its test pictures are measured whatever
    the columns. `relate` is a relation of labels, and `similarity` what embeddings are compared by: those of the run unless
    named, its relation where labels have as many numbers as its own ("labels compared by" says which). What `rerank`
    (re-rankings) and `codes` name is measured besides, under "reranked" and "codes"; "macro" has every class counting
    alike, and "categories" the data's own groups.

    Raises:
        ValueError, OSError: for what cannot be read or scored.
    """
    folder = Path(run) if Path(run).is_dir() else Path(run).parent
    ready = load(run).to("cuda" if torch.cuda.is_available() else "cpu")
    known = not is_bundle(run) and (folder / CONFIG).is_file()
    if not known and isinstance(data, str) and not data:
        kind = "a bundle" if is_bundle(run) else f"a model without {CONFIG} beside it"
        raise ValueError(
            f"{run} is {kind}, which has no data of its own: name some with --data (a folder, a table, …)."
        )
    chosen = config.read(folder / CONFIG) if known else Config()
    if out is not None and out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} exists and is not empty: name another folder with --out.")
    own = known and isinstance(data, str) and data in ("", chosen.data)
    columns = (chosen.label, chosen.label_columns) if own and not (label or label_columns) else (label, label_columns)
    same = own and columns == (chosen.label, chosen.label_columns)
    similarity = similarity or ready.note.get("similarity", Config.similarity)
    items = read(chosen.data if own else data, label=columns[0], label_columns=columns[1])
    relate = relate or (chosen.relate if same else inherited(chosen, ready.note.get("numbers"), items, columns[1]))
    refuse_classless(items, relation(relate))
    check(items, relation(relate))
    part = part or ("test" if own or "test" in (items.split or ()) else "all")
    if own and not same:
        kept, rule = chosen_part(
            read(chosen.data, label=chosen.label, label_columns=chosen.label_columns), part, chosen.seed
        )
        items = items.select(torch.isin(items.ids, kept.ids))
    else:
        items, rule = chosen_part(items, part, chosen.seed)
    embedded = embed_data(ready, items, workers=workers, strict=strict)
    metrics = metrics or _metrics(chosen.metrics, items, relate)
    results = measure(embedded, metrics, relate=relate, similarity=similarity)
    protocol = protocol_of(embedded, ready, results, part=part, rule=rule, relate=relate, similarity=similarity)
    found = {
        "test": as_json(results),
        **views(embedded, results),
        **besides(embedded, metrics, rerank, codes),
        "fingerprint": protocol.fingerprint(),
        "protocol": protocol.as_json(),
        "labels compared by": relate or ("close_targets" if is_continuous(items) else ""),
        "settings": dataclasses.asdict(chosen) if known else None,
        "counts": {"test": len(embedded.data)},
    }
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_queries(out, [Measured(embedded, results, part=part)], protocol)
        checkpoint.write(out / METRICS, json.dumps(found, indent=1, allow_nan=False))
        write_report(out, chosen.replace(relate=relate, similarity=similarity), found, embedded, results)
    return found


def inherited(chosen: Config, numbers: int | None, items: Data, columns: str) -> str:
    """The relation of a run for other labels, where it fits them; else what the data say themselves, as text.

    `numbers` is how many a label of the run has (None: an older run, which does not say); `columns` are those asked for.
    """
    own = items.relate or ("close_targets" if columns else "")
    metric = metric_of(relation(chosen.relate))
    if metric is None or metric.labels(items) is None:
        return own
    if metric.reads != "targets" or numbers == width(items) or (numbers is None and columns == chosen.label_columns):
        return chosen.relate
    before = chosen.relate if numbers is None else f"{chosen.relate} of {numbers} numbers"
    warnings.warn(
        f"The run compares labels by {before}, and those of {items.name} have {width(items)}: they are compared by "
        f"{own or 'close_targets'}. Name another with relate.",
        stacklevel=3,
    )
    return own


def _metrics(own: str, data: Data, relate: str) -> str:
    """The run's metrics, unless they are of classes and the labels here are at a distance, or the other way round."""
    if is_continuous(data, relation(relate)):
        return measured_by() if own == Config.metrics else own
    read = parse(own)
    of_gaps = all(getattr(metric, "needs_gaps", False) for metric in (read if isinstance(read, tuple) else (read,)))
    return Config.metrics if of_gaps else own


def views(embedded: Embeddings, results: Results) -> dict[str, Any]:
    """The same results with every class counting alike, and by category where the data have any."""
    data, query = embedded.data, embedded.roles()[0]
    found: dict[str, Any] = {"macro": as_json(results.macro())}
    if data.category is not None:
        parts = results.by(data.category[query], data.categories)
        found["categories"] = {name: as_json(part) for name, part in parts.items()}
    return found


def besides(embedded: Embeddings, metrics: str, rerank: str, codes: str) -> dict[str, Any]:
    """What stands in tables of its own: re-ranked results, and those of short codes; of metrics of lists, by class."""
    found: dict[str, Any] = {}
    if not rerank and not codes:
        return found
    read = parse(metrics)
    of_lists = [repr(m) for m in (read if isinstance(read, tuple) else (read,)) if reads_lists(m)]
    if not of_lists:
        raise ValueError(
            f"Re-rankings and codes are told by metrics of lists, such as Recall(k=1); {metrics} has none."
        )
    metrics = ", ".join(of_lists)
    if rerank:
        named = parse(rerank)
        several = named if isinstance(named, tuple) else (named,)
        found["reranked"] = {repr(one): as_json(measure(embedded, metrics, rerank=one)) for one in several}
    if codes:
        (z, data), (query, gallery) = embedded, embedded.roles()
        at = query if gallery is None else gallery
        against = (z[at], data.labels[at], data.ids[at])
        rows = evaluate_coded(z[query], data.labels[query], codes, metrics, against=against, ids=data.ids[query])
        found["codes"] = [
            {
                "code": row.code,
                "bytes": row.bytes,
                "neighbours kept": round(row.kept, 6),
                "metrics": as_json(row.results),
            }
            for row in rows
        ]
    return found


def reads_lists(metric: Any) -> bool:
    """Whether a metric can be had from the first neighbours and classes alone."""
    return isinstance(metric, Metric) and not metric.needs_ranks and not metric.needs_gaps


def chosen_part(items: Data, part: str, seed: int) -> tuple[Data, str]:
    """One part of the data, by its own split or the stated rule; and that rule."""
    if part not in PARTS:
        raise ValueError(f"A part is one of {', '.join(PARTS)}; got {part!r}.")
    if part == "all":
        return items, "none"
    if set(items.split or ()) == {part}:
        return items, f"all that {items.name} holds"
    parts = split(items, seed=seed)
    return getattr(parts, part), parts.rule


def embed(
    run: str | Path,
    data: Any,
    out: Path,
    *,
    label: str = "",
    label_columns: str = "",
    workers: int = -1,
    strict: bool = False,
) -> tuple[int, int, int]:
    """Writes embeddings and ids: `z.npy` with `z.csv` (row, id, label, path) beside it, or one `z.npz`.

    A `z.npz` also holds continuous labels where there are any, and what embeddings are compared by.

    Returns how many, their dimensions, and how many pictures could not be read.

    Raises:
        ValueError, OSError: for what cannot be read or written.
    """
    if out.suffix not in (".npy", ".npz"):
        raise ValueError(f"Embeddings are written to a .npy or .npz file; got {out}.")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {out.parent} to write {out.name} to.")
    ready = load(run).to("cuda" if torch.cuda.is_available() else "cpu")
    items = read(data, label=label, label_columns=label_columns)
    z, found = embed_data(ready, items, workers=workers, strict=strict)
    names = [found.classes[i] if i >= 0 else "" for i in found.labels.tolist()]
    paths = list(found.paths or [""] * len(found))
    buffer = io.BytesIO()
    if out.suffix == ".npz":
        more: dict[str, Any] = {} if found.targets is None else {"targets": found.targets.numpy()}
        more["similarity"] = np.array(ready.note.get("similarity", Config.similarity))
        np.savez(buffer, z=z.numpy(), ids=found.ids.numpy(), labels=np.array(names), paths=np.array(paths), **more)
    else:
        np.save(buffer, z.numpy())
        text = io.StringIO()
        rows = csv.writer(text, lineterminator=os.linesep)
        rows.writerow(["row", "id", "label", "path"])
        rows.writerows(zip(range(len(names)), found.ids.tolist(), names, paths, strict=True))
        checkpoint.write(out.with_suffix(".csv"), text.getvalue())
    checkpoint.write(out, buffer.getvalue())
    return len(z), z.shape[1], len(items) - len(z)
