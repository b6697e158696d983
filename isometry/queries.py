"""The value of every query, kept beside `metrics.json`, so that anything can be computed again or anew."""

import dataclasses
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from isometry import checkpoint
from isometry.evaluation import Embeddings
from isometry.fingerprint import Protocol, from_json
from isometry.protocols.results import Resampling, Results, summed_up
from isometry.version import __version__

if TYPE_CHECKING:
    from pandas import DataFrame

QUERIES = "queries.parquet"
RUN = "run"


class Measured(NamedTuple):
    """What a model got on a part of the data; `model` is "run", or the name of a baseline."""

    embeddings: Embeddings
    results: Results
    part: str = "test"
    model: str = RUN


@dataclass(frozen=True)
class Queries:
    """The content of `queries.parquet`.

    Attributes:
        table: a row for each query of each model and part. Columns: model ("run", or a baseline), part, id, path, class
            (its name), label (its number: what the bootstrap draws), category, and one for each metric: its value, NaN
            where the query is not scored.
        metrics: texts of the metrics, which are the names of their columns. Statistics of the whole space have none.
        protocol: how it was measured.
        resampling: how intervals are drawn.
        version: of isometry, that wrote it.
    """

    table: "DataFrame"
    metrics: tuple[str, ...]
    protocol: Protocol
    resampling: Resampling
    version: str

    def of(self, model: str = RUN, part: str = "") -> "Queries":
        """The rows of one model, on one part: the one that was tested unless named."""
        rows = (self.table["model"] == model) & (self.table["part"] == (part or self.protocol.part))
        return Queries(self.table.loc[rows], self.metrics, self.protocol, self.resampling, self.version)

    def column(self, metric: str) -> Tensor:
        """A metric's values, float64 `[n]`; NaN where a query is not scored."""
        return torch.from_numpy(self.table[metric].to_numpy("float64", copy=True))

    def labels(self) -> Tensor:
        """What class each row is of, by number."""
        return torch.from_numpy(self.table["label"].to_numpy("int64", copy=True))

    def classes(self) -> int:
        """How many classes have a query that some metric scores."""
        scored = self.table[list(self.metrics)].notna().any(axis=1)
        return int(self.table.loc[scored, "label"].nunique())

    def results(self) -> Results:
        """The metrics of these rows with their intervals, as they stand in `metrics.json`."""
        columns = [self.column(text) for text in self.metrics]
        values = torch.stack(columns, 1) if columns else torch.empty(len(self.table), 0)
        return summed_up(list(self.metrics), values, self.labels(), self.resampling)


def write_queries(folder: Path, measured: Iterable[Measured], protocol: Protocol) -> Path:
    """Writes `queries.parquet`, whole or not at all.

    Raises:
        OSError: when it cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    measured = list(measured)
    results = measured[0].results
    metrics = [text for text, result in results.items() if len(result.per_query)]
    note = {
        "protocol": protocol.as_json(),
        "metrics": metrics,
        "resampling": dataclasses.asdict(results.resampling),
        "version": __version__,
    }
    table = pa.concat_tables([pa.table(_columns(one, metrics)) for one in measured], promote_options="permissive")
    buffer = io.BytesIO()
    noted = table.replace_schema_metadata({"isometry": json.dumps(note)})
    parquet.write_table(noted, buffer, compression="zstd")
    checkpoint.write(folder / QUERIES, buffer.getvalue())
    return folder / QUERIES


def _columns(one: Measured, metrics: list[str]) -> dict[str, Any]:
    data, (query, _) = one.embeddings.data, one.embeddings.roles()
    names = [_text(name) for name in data.classes]
    groups = [_text(name) for name in data.categories]
    category = torch.full_like(query, -1) if data.category is None else data.category[query]
    return {
        "model": [one.model] * len(query),
        "part": [one.part] * len(query),
        "id": data.ids[query].numpy(),
        "path": [None if data.paths is None else _text(data.paths[i]) for i in query.tolist()],
        "class": [names[i] if i >= 0 else None for i in data.labels[query].tolist()],
        "label": one.results.classes.numpy(),
        "category": [groups[i] if i >= 0 else None for i in category.tolist()],
        **{text: one.results[text].per_query.numpy() for text in metrics},
    }


def _text(name: str) -> str:
    """A name that any file can hold: bytes of a path that are no text become �."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def read_queries(folder: str | Path) -> Queries:
    """The queries of a run, or of what `isometry evaluate --out` wrote.

    Raises:
        FileNotFoundError: when there is no `queries.parquet`.
        ValueError: when it is damaged, or not ours.
    """
    import pyarrow as pa
    from pyarrow import parquet

    path = Path(folder) / QUERIES
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {QUERIES} in {folder}: measure the run again with isometry evaluate RUN --out FOLDER."
        )
    try:
        table = parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is damaged: {str(error).splitlines()[0]}") from None
    note = json.loads((table.schema.metadata or {}).get(b"isometry", b"null"))
    if note is None:
        raise ValueError(f"{path} was not written by isometry: it does not say how it was measured.")
    protocol, resampling = from_json(note["protocol"]), Resampling(**note["resampling"])
    return Queries(table.to_pandas(), tuple(note["metrics"]), protocol, resampling, note["version"])
