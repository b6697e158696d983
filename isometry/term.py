"""Terms: what can be added up to a training objective, and their sums."""

from typing import Any

import torch
from torch import Tensor, nn

from isometry import distributed, engine
from isometry.component import Component
from isometry.cost import Cost
from isometry.embedded import Embedded, wrap
from isometry.samples import Samples


class Term(Component):
    """Maps embeddings and labels to a scalar. Terms add and scale: `MultiSimilarity() + 0.1 * KoLeo()`."""

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
        raise NotImplementedError

    def observe(self, embedded: Embedded | Tensor, y: Tensor, ids: Tensor | None = None) -> None:
        """Takes in one training batch, once a step and before `forward`; what has no memory ignores it."""

    def __add__(self, other: "Term") -> "Sum":
        return Sum(_parts(self) + _parts(other)) if isinstance(other, Term) else NotImplemented

    def __mul__(self, factor: float | int) -> "Sum":
        known = isinstance(factor, (int, float)) and not isinstance(factor, bool)
        return Sum([(w * factor, term) for w, term in _parts(self)]) if known else NotImplemented

    __rmul__ = __mul__


def _parts(term: Term) -> list[tuple[float, Term]]:
    return list(zip(term.weights, term.terms, strict=True)) if isinstance(term, Sum) else [(1.0, term)]  # type: ignore[arg-type]


class Sum(Term):
    """A weighted sum of terms, each of which is handed the same embeddings."""

    def __init__(self, parts: list[tuple[float, Term]]):
        nn.Module.__init__(self)
        self.weights = [float(w) for w, _ in parts]
        self.terms = nn.ModuleList([t for _, t in parts])

    def __repr__(self) -> str:
        shown = (repr(t) if w == 1 else f"{w} * {t!r}" for w, t in zip(self.weights, self.terms, strict=True))
        return " + ".join(shown)

    def forward(self, embedded: Embedded | Tensor, y: Tensor, **roles: Any) -> Tensor:
        values = (w * term(embedded, y, **roles) for w, term in zip(self.weights, self.terms, strict=True))
        return sum(values, start=wrap(embedded).z.new_zeros((), dtype=torch.float32))

    def observe(self, embedded: Embedded | Tensor, y: Tensor, ids: Tensor | None = None) -> None:
        for term in self.terms:
            term.observe(embedded, y, ids)  # type: ignore[operator]

    @property
    def stats(self) -> dict[str, float]:
        """The statistics of the terms, prefixed by their names where several have some."""
        found = {}
        for term in self.terms:
            mine = getattr(term, "stats", {})
            found.update({k if k not in found else f"{type(term).__name__}.{k}": v for k, v in mine.items()})
        return found


class Regulariser(Term):
    """A term that reads the embedding and no pairs: write `penalty(embedded) -> Cost`, a cost of its rows."""

    def penalty(self, embedded: Embedded) -> Cost:
        raise NotImplementedError

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
        embedded = wrap(embedded)
        z = check_embeddings(embedded.z)
        with torch.autocast(z.device.type, enabled=False):
            wide = embedded._replace(z=z if z.dtype == torch.float64 else z.float())
            return sum(engine.means(self.penalty(wide), weight).values(), start=z.new_zeros((), dtype=torch.float32))


def check_embeddings(z: Tensor, what: str = "Embeddings") -> Tensor:
    """`z`, if it is a floating-point matrix."""
    if not isinstance(z, Tensor) or z.ndim != 2 or not z.is_floating_point():
        shown = f"{str(z.dtype)[6:]} of shape {list(z.shape)}" if isinstance(z, Tensor) else type(z).__name__
        raise ValueError(f"{what} are a floating-point tensor [n d]; got {shown}.")
    return z


def samples(
    z: Tensor, y: Tensor, ids: Tensor | None, weight: Tensor | None = None, what: str = "Embeddings"
) -> Samples:
    """One side of the pair matrix, if lengths, types and devices fit."""
    check_embeddings(z, what)
    for name, x in (("labels", y), ("ids", ids), ("weight", weight)):
        if x is None and name != "labels":
            continue
        if not isinstance(x, Tensor):
            raise ValueError(f"{name} are a tensor; got {type(x).__name__}: torch.as_tensor({name}) makes one.")
        if x.ndim == 0 or len(x) != len(z):
            raise ValueError(f"There are {len(z)} {what.lower()} and {name} of shape {list(x.shape)}: one a row.")
        if x.device != z.device:
            raise ValueError(
                f"{what} are on {z.device} and {name} on {x.device}: move one with .to({str(z.device)!r})."
            )
    if ids is not None and (ids.is_floating_point() or ids.ndim != 1):
        raise ValueError(f"ids are whole numbers [n]; got {str(ids.dtype)[6:]} of shape {list(ids.shape)}.")
    return Samples(z, y, ids, weight)


def everyone(side: Samples) -> Samples:
    """The samples of all ranks, with ids that tell them apart."""
    ids = distributed.own_ids(len(side.z), side.z.device) if side.ids is None else side.ids
    return distributed.gather(side._replace(ids=ids))
