"""The Loss: an objective on (similarity, relation), and the four things it is made of."""

from functools import reduce
from operator import add
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from isometry import distributed, engine
from isometry.cost import Cost, divide
from isometry.embedded import Embedded, wrap
from isometry.miner import Miners
from isometry.miners import all_pairs
from isometry.noise import Noise
from isometry.ops import masked
from isometry.reference import Reference, References
from isometry.references import batch
from isometry.relation import Relate, Relation
from isometry.relations import same_class
from isometry.samples import Samples
from isometry.similarities import cosine
from isometry.similarity import Similarity
from isometry.term import Term, everyone, samples


class Loss(Term):
    """Base of all losses that see pairs: write `objective(sim, rel) -> Cost`, and say nothing of batches or machines.

    `loss(z, y)` compares the batch with `reference`; `loss(z, y, against=(r, y_r))` or `(r, y_r, ids_r)` with what is
    given; `rows=` makes only these queries. `ids` tell items apart (default: every row is its own item); `weight` counts a
    row that often, as query and as reference. Over ranks the value is that of the whole batch, and gradients are right
    after they are averaged over ranks, as DDP does.

    Raises:
        ValueError: for lengths, types or devices that do not fit.
    """

    similarity: Similarity = cosine
    reference: References = batch
    miner: Miners = all_pairs
    relate: Relate = same_class

    by_reference: ClassVar[bool] = False
    """Whether the rows of the objective are the references (proxies), and its columns the batch."""
    by_columns: ClassVar[bool] = False
    """Whether a pair's cost needs statistics of its reference: `prepare` makes them, and `combine` reads them."""
    symmetric: ClassVar[bool] = False
    """Whether a term is a sum over pairs, each of which costs as much seen from either side: a large batch compared with
    itself is then looked at by halves."""
    whole: ClassVar[bool] = False
    """Whether the objective wants to see all rows at once: it is never cut into blocks."""
    label_free: ClassVar[bool] = False
    """Whether it reads no labels."""

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        """The cost of each row. Never divides over rows, never indexes, never looks at the batch's size."""
        raise NotImplementedError

    def prepare(self, sim: Float[Tensor, "m n"], rel: Relation) -> Float[Tensor, "m s"]:
        """Statistics of each reference over all queries (no miner has seen them); for losses that say `by_columns`."""
        raise NotImplementedError

    def combine(self, sim: Float[Tensor, "n m"], rel: Relation, columns: Float[Tensor, "m s"]) -> Cost:
        """The objective of losses that say `by_columns`: `columns` is what `prepare` made."""
        raise NotImplementedError

    def finish(self, means: dict[str, Tensor]) -> Tensor:
        """The scalar made of the terms' means: their sum, unless a loss says otherwise."""
        return reduce(add, means.values())

    def forward(
        self,
        embedded: Embedded | Tensor,
        y: Tensor,
        *,
        ids: Tensor | None = None,
        weight: Tensor | None = None,
        against: tuple[Tensor, ...] | None = None,
        rows: Tensor | slice | None = None,
    ) -> Tensor:
        """The loss of the batch, a scalar in float32 (float64 for float64 embeddings)."""
        queries, references = self.sides(wrap(embedded), y, ids, weight, against, rows)
        if not torch.compiler.is_compiling():
            a, b = (side._replace(z=side.z.detach()) for side in (queries, references))
            self._seen: tuple[Samples, Samples] = (a, b)
        found = engine.mean_cost(self, queries, references)
        value = self.finish({name: mean for name, (mean, _) in found.items()})
        if against is not None or not isinstance(self.reference, Reference):
            return value
        own = self.reference.own_cost()
        if not isinstance(own, Tensor):
            return value
        return value + own * (torch.stack([count for _, count in found.values()]).amax() > 0)

    def per_row(self, embedded: Embedded | Tensor, y: Tensor, **roles: Any) -> Float[Tensor, " n"]:
        """Each row's own cost `[n]`: its total over its own count. Rows are proxies where the loss is by reference."""
        roles = {"ids": None, "weight": None, "against": None, "rows": None, **roles}
        terms = engine.cost(self, *self.sides(wrap(embedded), y, **roles))
        return self.finish({name: divide(t, c.reshape(-1, *[1] * (t.ndim - 1))) for name, (t, c) in terms.items()})

    def observe(self, embedded: Embedded | Tensor, y: Tensor, ids: Tensor | None = None) -> None:
        """Shows one training batch to what remembers, and turns to the next random numbers: once a step, before `forward`."""
        for part in self.modules():
            if isinstance(part, Noise):
                part.advance()
        if isinstance(self.reference, Reference) and type(self.reference).observe is not Reference.observe:
            z = wrap(embedded).z.detach()
            self.reference.observe(distributed.gather(samples(z, y, ids)))

    @property
    def stats(self) -> dict[str, float]:
        """Of the last call: mean similarity of positives and of negatives, and the share of rows that cost something."""
        return engine_stats(self, *self._seen) if hasattr(self, "_seen") else {}

    def sides(
        self,
        embedded: Embedded,
        y: Tensor,
        ids: Tensor | None,
        weight: Tensor | None,
        against: tuple[Tensor, ...] | None,
        rows: Tensor | slice | None,
    ) -> tuple[Samples, Samples]:
        """Rows and columns of the pair matrix, this rank's share of the rows."""
        mine = samples(embedded.z, y, ids, weight)
        asked = mine if rows is None else mine.take(rows)
        if against is not None:
            if not 2 <= len(against) <= 3:
                raise ValueError(
                    f"against is (embeddings, labels) or (embeddings, labels, ids); got {len(against)} things."
                )
            references = samples(against[0], against[1], against[2] if len(against) == 3 else None, what="References")
            if references.z.shape[1] != mine.z.shape[1]:
                raise ValueError(
                    f"Embeddings have {mine.z.shape[1]} dimensions and references {references.z.shape[1]}."
                )
        elif getattr(self.reference, "uses_batch", False):
            if ids is None:
                mine = mine._replace(ids=distributed.own_ids(len(mine.z), mine.z.device))
                asked = mine if rows is None else mine.take(rows)
            references = self.reference(distributed.gather(mine))
        else:
            references = self.reference(mine)
        if references.z.ndim == 3 and not getattr(self.similarity, "sets", False):
            raise ValueError(
                f"References of several vectors {list(references.z.shape)} need a similarity over them, such as "
                f"similarity=MaxOverCentres(); {self.similarity} compares with one."
            )
        if not self.by_reference:
            return asked, references
        return references.take(slice(distributed.rank(), None, distributed.ranks())), everyone(asked)


@torch.no_grad()
def engine_stats(loss: Loss, rows: Samples, cols: Samples, limit: int = 1024) -> dict[str, float]:
    """Statistics of at most `limit` rows: pass once over their pairs."""
    rows = rows.take(slice(limit))
    rows, cols = (side._replace(z=loss.similarity.embed(side.z.float())) for side in (rows, cols))
    if not len(rows.z) or not len(cols.z):
        return {}
    sim, rel = engine.pairs(loss, rows, cols)
    if loss.by_columns or loss.whole:  # a row's cost is not its own affair
        return pair_stats(sim, rel)
    terms = loss.objective(sim, loss.miner(sim, rel))
    active = sum(
        (t.detach().reshape(len(t), -1).abs().sum(1) for t, _ in terms.values()), start=torch.zeros(len(sim)).to(sim)
    )
    return {"active": float((active > 0).float().mean()), **pair_stats(sim, rel)}


def pair_stats(sim: Float[Tensor, "n m"], rel: Relation) -> dict[str, float]:
    """Mean similarity of positives and of negatives."""
    return {
        name: float(divide(masked.total(sim, weight).sum(), masked.count(weight).sum()))
        for name, weight in (("positive", rel.pos), ("negative", rel.neg))
    }
