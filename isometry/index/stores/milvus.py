"""Vectors in Milvus (Wang et al., SIGMOD 2021): the same calls for a folder of its embedded form and for a cluster.

`gallery.db` is a folder of milvus-lite; `http://host:19530` a server or a cluster. The token of a server is read from the
environment variable ISOMETRY_MILVUS_TOKEN, and is never written anywhere.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.index.items import Items
from isometry.index.kinds.kind import COMPARED, padded, vectors
from isometry.index.stores.milvus_client import LONGEST, client, given, held, in_one_line
from isometry.index.stores.store import Adding
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import Compare, inner

ROWS = 2000  # vectors of a message
ASKED = 256  # queries of a message
NAMED = 8192  # ids of a message
DEEPEST = 16_384  # the most neighbours that Milvus gives
TEXTS = ("label", "path", "part", "root", "picture")


class Milvus:
    """A collection of Milvus. What is written is seen by the next search (its consistency is "Strong").

    Args:
        uri: a file name that ends in `.db`, or `http://host:19530`.
        name: of the collection.
        dim: dimensions of the vectors. compare: `inner` or `minus_distance`, as the similarity compares them.
        create: make the collection where there is none.

    Raises:
        ImportError: without pymilvus. ConnectionError: for a server that does not answer, or refuses.
        ValueError: for a URI that is none, a collection of other vectors, or a similarity that Milvus does not know.
    """

    def __init__(
        self, uri: str, *, name: str = "gallery", dim: int, compare: Compare = inner, create: bool = True
    ) -> None:  # fmt: skip
        if compare not in COMPARED:
            raise ValueError(
                "Milvus compares by cosine, dot or euclidean: keep a gallery of any other similarity in a folder."
            )
        self.uri, self.name, self.dim, self.compare = uri, name, dim, compare
        self.client = client(uri)
        with in_one_line(uri):
            if not self.client.has_collection(name):
                if not create:
                    raise ValueError(f"There is no collection {name!r} in {uri}: index the data again.")
                self._create()
            self._fits()
            self.client.load_collection(name)

    def _create(self) -> None:
        from pymilvus import DataType

        schema = self.client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self.dim)
        for text in TEXTS:
            schema.add_field(text, DataType.VARCHAR, max_length=LONGEST)
        index = self.client.prepare_index_params()
        index.add_index("vector", index_type="AUTOINDEX", metric_type=self._metric)
        self.client.create_collection(self.name, schema=schema, index_params=index, consistency_level="Strong")

    @property
    def _metric(self) -> str:
        return "IP" if self.compare is inner else "L2"

    def _fits(self) -> None:
        told = {field["name"]: field for field in self.client.describe_collection(self.name)["fields"]}
        width = told.get("vector", {}).get("params", {}).get("dim", 0)
        if {"id", "vector", *TEXTS} - told.keys():
            raise ValueError(f"The collection {self.name!r} in {self.uri} is none of isometry's: take another name.")
        if int(width) != self.dim:
            raise ValueError(
                f"The collection {self.name!r} in {self.uri} has {width} dimensions, the model {self.dim}."
            )
        metric = self.client.describe_index(self.name, "vector").get("metric_type", self._metric)
        if metric != self._metric:
            raise ValueError(
                f"The collection {self.name!r} in {self.uri} compares by {metric}, and not by {self._metric}."
            )

    def add(
        self, z: Float[Tensor, "n d"], items: Items, pictures: Sequence[bytes] = (), roots: Sequence[str] = ()
    ) -> None:  # fmt: skip
        """Adds vectors, `ROWS` at a time; those with ids that exist take the place of what was there.

        Raises:
            ValueError: for vectors of other dimensions, or texts and pictures that are too long for a field.
        """
        z = vectors(z, "Vectors")
        if z.shape[1] != self.dim or len(z) != len(items):
            raise ValueError(f"{len(items)} vectors of {self.dim} dimensions are expected; got {list(z.shape)}.")
        small = [base64.b64encode(one).decode() for one in pictures] or [""] * len(z)
        texts = (items.labels, items.paths, items.parts, tuple(roots) or ("",) * len(z), small)
        columns = [list(map(held, column)) for column in texts]
        for start in range(0, len(z), ROWS):
            at = slice(start, start + ROWS)
            rows = zip(items.ids[at].tolist(), z[at].numpy(), *(column[at] for column in columns), strict=True)
            with in_one_line(self.uri):
                self.client.upsert(self.name, [dict(zip(("id", "vector", *TEXTS), row, strict=True)) for row in rows])

    def fill(self, rows: Callable[[Adding], None]) -> int:
        """Adds what `rows` hands over, as it comes; how many that was."""
        adding = _Adding(self)
        rows(adding)
        return adding.count

    def delete(self, ids: Int64[Tensor, " n"]) -> int:
        there = torch.unique(ids)
        there = there[torch.tensor(self.has(there), dtype=torch.bool)]
        for some in there.split(NAMED) if len(there) else ():
            with in_one_line(self.uri):
                self.client.delete(self.name, ids=some.tolist())
        return len(there)

    def search(
        self, z: Float[Tensor, "q d"], k: int, keep: Int64[Tensor, " m"] | None = None, *, exact: bool = False
    ) -> tuple[Float[Tensor, "q k"], Int64[Tensor, "q k"]]:
        """Similarities and ids of the k nearest. `exact` reads all vectors, and compares them here."""
        if not 1 <= k <= DEEPEST:
            raise ValueError(f"Milvus gives from 1 to {DEEPEST:,} neighbours; got k={k}.")
        z = vectors(z, "Queries")
        best, ids = padded(z.new_empty(len(z), 0), torch.empty(len(z), 0, dtype=torch.int64), k)
        found = self._scanned(z, k, keep) if exact else self._asked(z, k, keep)
        for at, scores, named in found:
            sim, order = torch.cat([best[at], scores], 1).sort(dim=1, descending=True, stable=True)
            best[at], ids[at] = sim[:, :k], torch.cat([ids[at], named], 1).gather(1, order)[:, :k]
        return best, ids

    def _asked(self, z: Tensor, k: int, keep: Tensor | None) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """What the server finds, for some queries and some of the ids at a time."""
        parts = [""] if keep is None else [_named(some) for some in keep.split(NAMED) if len(some)]
        for start in range(0, len(z), ASKED):
            at = slice(start, min(start + ASKED, len(z)))
            for only in parts:
                with in_one_line(self.uri):
                    hits = self.client.search(
                        self.name, data=list(z[at].numpy()), limit=k, filter=only, output_fields=["id"],
                        search_params={"metric_type": self._metric, "params": {}}, consistency_level="Strong",
                    )  # fmt: skip
                score, named = torch.full((len(hits), k), -torch.inf), torch.full((len(hits), k), -1)
                for row, found in enumerate(hits):
                    score[row, : len(found)] = torch.tensor([hit["distance"] for hit in found])
                    named[row, : len(found)] = torch.tensor([hit["id"] for hit in found], dtype=torch.int64)
                far = score if self.compare is inner else -score.clamp_min(0).sqrt()
                yield at, far.masked_fill(named < 0, -torch.inf), named

    def _scanned(self, z: Tensor, k: int, keep: Tensor | None) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """What is found by looking at everything, a page at a time."""
        for page in self._pages(["id", "vector"]):
            ids, g = torch.tensor([row["id"] for row in page]), torch.tensor([row["vector"] for row in page])
            if keep is not None:
                inside = torch.isin(ids, keep)
                ids, g = ids[inside], g[inside]
            if len(ids):
                score, row = nearest(z, g, min(k, len(ids)), similarity=self.compare)
                yield slice(0, len(z)), score, ids[row]

    def _pages(self, fields: list[str]) -> Iterator[list[dict[str, Any]]]:
        with in_one_line(self.uri):
            pages = self.client.query_iterator(
                self.name, batch_size=ROWS, output_fields=fields, consistency_level="Strong"
            )
        while True:
            with in_one_line(self.uri):
                page = pages.next()
            if not page:
                return pages.close()
            yield page

    def _rows(self, ids: Tensor, fields: list[str]) -> dict[int, dict[str, Any]]:
        """What is held of each of these, by id."""
        found: dict[int, dict[str, Any]] = {}
        for some in ids.split(ROWS) if len(ids) else ():
            with in_one_line(self.uri):
                rows = self.client.query(
                    self.name, filter=_named(some), output_fields=["id", *fields], consistency_level="Strong"
                )
            found |= {row["id"]: row for row in rows}
        return found

    def _columns(self, ids: Tensor, fields: list[str]) -> list[list[Any]]:
        found = self._rows(torch.unique(ids), fields)
        missing = next((one for one in ids.tolist() if one not in found), None)
        if missing is not None:
            raise KeyError(f"There is no picture {missing} in {self.uri}.")
        return [[found[one][field] for one in ids.tolist()] for field in fields]

    def has(self, ids: Int64[Tensor, " n"]) -> list[bool]:
        found = self._rows(ids, [])
        return [one in found for one in ids.tolist()]

    def items(self, ids: Int64[Tensor, " n"]) -> Items:
        labels, paths, parts = (tuple(map(given, column)) for column in self._columns(ids, ["label", "path", "part"]))
        return Items(ids=ids, labels=labels, paths=paths, parts=parts)

    def vectors(self, ids: Int64[Tensor, " n"]) -> Float[Tensor, "n d"]:
        return torch.tensor(self._columns(ids, ["vector"])[0], dtype=torch.float32).reshape(len(ids), self.dim)

    def pictures(self, ids: Int64[Tensor, " n"]) -> list[bytes]:
        return [base64.b64decode(one) for one in self._columns(ids, ["picture"])[0]]

    def roots(self, ids: Int64[Tensor, " n"]) -> list[str]:
        return list(map(given, self._columns(ids, ["root"])[0]))

    def ids(self) -> Int64[Tensor, " n"]:
        every = [row["id"] for page in self._pages(["id"]) for row in page]
        return torch.tensor(every, dtype=torch.int64).sort().values

    def classes(self) -> tuple[str, ...]:
        return tuple(sorted({given(row["label"]) for page in self._pages(["label"]) for row in page} - {""}))

    def __len__(self) -> int:
        with in_one_line(self.uri):
            counted = self.client.query(self.name, output_fields=["count(*)"], consistency_level="Strong")
        return int(counted[0]["count(*)"])

    def compact(self, tell: Callable[[str], None]) -> None:
        with in_one_line(self.uri):
            self.client.flush(self.name)
        tell(f"Milvus arranges vectors by itself: {self.uri}")

    def beside(self) -> str:
        return ""

    def refresh(self) -> bool:
        """Nothing is kept here that could grow old."""
        return False

    def check(self) -> None:
        for _ in self._pages(["id", "vector"]):
            pass


class _Adding:
    """Hands over to `Milvus.add`, and counts."""

    def __init__(self, store: Milvus) -> None:
        self.store, self.count = store, 0

    def add(
        self, z: Float[Tensor, "n d"], items: Items, pictures: Sequence[bytes] = (), roots: Sequence[str] = ()
    ) -> None:  # fmt: skip
        self.store.add(z, items, pictures, roots)
        self.count += len(items)


def drop(uri: str, name: str) -> None:
    """Removes a collection that no gallery is left for; a server that refuses keeps it."""
    with suppress(ConnectionError, ImportError, ValueError), in_one_line(uri):
        client(uri).drop_collection(name)


def _named(ids: Int64[Tensor, " n"]) -> str:
    """A filter that these ids pass."""
    return f"id in [{', '.join(map(str, ids.tolist()))}]"
