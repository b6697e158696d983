"""What a report is made from: everything that `render` needs, and nothing that it could not be given twice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .graded import Graded

Thumbnail = Callable[[int], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Items:
    """A set of embedded items: the queries, or the gallery that they search.

    - `z` float `[n d]`: embeddings of any length; the report compares them by cosine.
    - `labels` int64 `[n]`: index into `Record.classes`; −1 is unknown.
    - `thumbnail(i)`: uint8 array `[h w]`, `[h w 1]` or `[h w 3]` of any size; where it raises `OSError` or `ValueError`
      (or is None), an empty frame is shown. `pictures.__getitem__` of an array `[n h w 3]` will do.
    - `ids` int64 `[n]`: which items of the gallery are the query itself; positions when None.
    - `groups` int64 `[n]`: index into `Record.group_names`, the coarse label that colours the map; −1 is unknown.
    """

    z: Float[Tensor, "n d"]
    labels: Int[Tensor, " n"]
    thumbnail: Thumbnail | None = None
    ids: Int[Tensor, " n"] | None = None
    groups: Int[Tensor, " n"] | None = None

    def __post_init__(self) -> None:
        if self.z.ndim != 2 or len(self.z) != len(self.labels):
            raise ValueError(
                f"z is {list(self.z.shape)} for {len(self.labels)} labels; expected [n d], a row for each label"
            )
        if not bool(torch.isfinite(self.z).all()):
            raise ValueError("embeddings hold NaN or infinity, expected finite numbers; did the training diverge?")

    def __len__(self) -> int:
        return len(self.labels)

    def unit(self, index: Tensor | slice) -> Float[Tensor, "k d"]:
        """Rows of `z` at unit length, in float32; only these rows are copied.

        >>> Items(z=torch.tensor([[3.0, 4.0]]), labels=torch.tensor([0])).unit(slice(None))
        tensor([[0.6000, 0.8000]])
        """
        return torch.nn.functional.normalize(self.z[index].detach().float().cpu(), dim=1)


@dataclass(frozen=True, kw_only=True)
class Record:
    """All that one report shows. Sizes are free: five classes or 12,000, thirty items or a million.

    - `title`, `summary`: the heading, and one sentence: what was trained on what.
    - `metrics`: as in `metrics.json`: `test`, `validation`, `baselines` (name -> metric -> result), `fingerprint`,
      `seconds`; a result is `{"value", "low", "high"}` or a number. All parts may be missing.
    - `settings`: ordered, name -> text: loss, trunk, head, budget and so on, printed as they are.
    - `queries`, `gallery`: the test set; `gallery=None` is leave-one-out: the queries search each other.
    - `neighbours`, `similarities` `[n k]`: of each query, nearest first, without itself; index into the gallery (or the
      queries); −1 fills rows that have fewer than k.
    - `per_query` float `[n]`: the metric named `per_query_name`, NaN where a query was not scored.
    - `log`: the objects of `log.jsonl`; `chosen_step`: the step whose weights were kept (best validation when None).
    - `headline`: the metrics shown large; the first two of the test when they are missing.
    - `graded`: where labels are at a distance from each other; what is about classes is then left out.
    """

    title: str
    summary: str
    metrics: Mapping[str, Any]
    classes: Sequence[str]
    queries: Items
    neighbours: Int[Tensor, "n k"]
    similarities: Float[Tensor, "n k"]
    per_query: Float[Tensor, " n"]
    per_query_name: str = "MAPAtR()"
    gallery: Items | None = None
    group_names: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    log: Sequence[Mapping[str, Any]] = ()
    chosen_step: int | None = None
    headline: Sequence[str] = ("Recall(k=1)", "MAPAtR()")
    graded: Graded | None = None
    version: str = ""

    def __post_init__(self) -> None:
        n = len(self.queries)
        if n == 0:
            raise ValueError(
                "the report was given no queries, expected at least one embedded item; is the split empty?"
            )
        for name, rows in (
            ("neighbours", len(self.neighbours)),
            ("similarities", len(self.similarities)),
            ("per_query", len(self.per_query)),
        ):
            if rows != n:
                raise ValueError(
                    f"{name} has {rows} rows for {n} queries; give one row for each query, in the same order"
                )
        if self.neighbours.shape != self.similarities.shape:
            raise ValueError(
                f"neighbours are {list(self.neighbours.shape)} but similarities {list(self.similarities.shape)}; "
                "expected the same shape [n k]"
            )
        for name, items in self.sets():
            self._check(name, items)
        if self.neighbours.numel() and int(self.neighbours.max()) >= len(self.searched):
            raise ValueError(
                f"neighbours point at item {int(self.neighbours.max())} of a gallery of {len(self.searched)}; "
                "expected positions in the gallery, not ids"
            )

    def _check(self, name: str, items: Items) -> None:
        for kind, index, names in (("label", items.labels, self.classes), ("group", items.groups, self.group_names)):
            if index is not None and len(index) and int(index.max()) >= len(names):
                raise ValueError(
                    f"{name}: {kind} {int(index.max())} has no name among {len(names)}; give one name for each {kind}"
                )

    @property
    def searched(self) -> Items:
        """What the queries search: the gallery, or the queries themselves."""
        return self.queries if self.gallery is None else self.gallery

    def sets(self) -> list[tuple[str, Items]]:
        """The sets of items by name: queries, and the gallery where it is another set."""
        return [("queries", self.queries)] + ([] if self.gallery is None else [("gallery", self.gallery)])

    def identities(self) -> tuple[Tensor, Tensor]:
        """Ids `[n]` of the queries and `[m]` of the gallery; equal ids are the same item, which is not its own neighbour.

        Without ids, two different sets share no item.
        """
        queries, gallery = self.queries, self.searched
        own = torch.arange(len(queries)) if queries.ids is None else queries.ids
        if self.gallery is None:
            return own, own
        if queries.ids is None or gallery.ids is None:
            return torch.arange(len(queries)), torch.arange(len(gallery)) + len(queries)
        return own, gallery.ids

    def class_name(self, label: int) -> str:
        return "unknown" if label < 0 else str(self.classes[label])
