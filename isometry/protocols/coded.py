"""What short codes cost: the same evaluation with the gallery in fewer bytes, beside that in full precision."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isometry.codes.code import Code
from isometry.expression import parse
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import inner
from isometry.protocols.results import Results
from isometry.protocols.retrieval import evaluate
from isometry.protocols.sides import sides


class Coded(NamedTuple):
    """An evaluation with codes.

    Attributes:
        code: its text; "float32" for none.
        bytes: an item's.
        kept: the mean share of the k nearest neighbours in full precision that are among the k nearest by code.
        results: as of `evaluate`.
    """

    code: str
    bytes: int
    kept: float
    results: Results

    def lost(self, full: "Coded", metric: str) -> tuple[float, float, float]:
        """How much of a metric the code costs against full precision, and the interval of the difference over classes."""
        one, other = full.results[metric].per_query, self.results[metric].per_query
        if not len(one) or not len(other):
            raise ValueError(f"{metric} has no values of queries to compare.")
        scored = ~(one.isnan() | other.isnan())
        difference = (one - other)[scored].double()[:, None]
        low, high = full.results.resampling.interval(difference, full.results.classes[scored])
        return float(difference.mean()), float(low[0]), float(high[0])


def evaluate_coded(
    z: Any,
    y: Any,
    codes: str | Sequence[Code] = "Int8(), Binary(), PQ(parts=16)",
    metrics: str = "Recall(k=1), MAPAtR()",
    *,
    against: tuple[Any, ...] | None = None,
    ids: Any = None,
    learn_from: Any = None,
    code_queries: bool = False,
    k: int = 10,
    **options: Any,
) -> list[Coded]:
    """Evaluations by cosine, in full precision and with the gallery in each of the codes.

    Args:
        z, y, metrics, against, ids, options: as of `evaluate`.
        learn_from: embeddings that the codes learn from, such as those of the training part; the gallery unless given.
        code_queries: also the queries are coded. Otherwise they stay in full precision, which costs nothing and finds more.
        k: neighbours of which it is told how many are kept.

    >>> import torch
    >>> z = torch.nn.functional.normalize(torch.randn(100, 16, generator=torch.Generator().manual_seed(0)), dim=1)
    >>> full, short = evaluate_coded(z, torch.arange(100) % 10, "Int8()", samples=0)
    >>> full.bytes, short.bytes, short.kept > 0.9
    (64, 16, True)

    Raises:
        ValueError: for what is no code, and as of `evaluate`.
    """
    read: Any = parse(codes) if isinstance(codes, str) else codes
    chosen: tuple[Any, ...] = tuple(read) if isinstance(read, (tuple, list)) else (read,)
    for code in chosen:
        if not isinstance(code, Code):
            raise ValueError(
                f"{code!r} is no code; one is written like 'Int8()' or 'PQ(parts=16)'. See isometry list codes."
            )
    queries, gallery = sides(z, y, ids, against)
    unit = torch.nn.functional.normalize
    q, g = unit(queries.z.float(), dim=1), unit(gallery.z.float(), dim=1)
    id_q, id_g = queries.ids, gallery.ids
    source = g if learn_from is None else unit(torch.as_tensor(learn_from).float(), dim=1)

    def measured(text: str, size: int, one: Tensor, other: Tensor, exact: Tensor | None) -> tuple[Coded, Tensor]:
        found = evaluate(
            one, queries.y, metrics, against=(other, gallery.y, id_g), ids=id_q, similarity="dot", **options
        )
        index = nearest(one, other, min(k, len(g)), ids_q=id_q, ids_g=id_g, similarity=inner)[1]
        kept = 1.0 if exact is None else _shared(exact, index)
        return Coded(text, size, kept, found), index

    full, exact = measured("float32", 4 * g.shape[1], q, g, None)
    rows = [full]
    for code in chosen:
        code.learn(source)
        held = code.encode(g)
        one = code.decode(code.encode(q)) if code_queries else code.seen(q)
        rows.append(measured(repr(code), held.shape[1], one, code.decode(held), exact)[0])
    return rows


def _shared(exact: Tensor, index: Tensor) -> float:
    """The mean share of `exact` that is in `index`, row by row; −1 is none."""
    real = exact >= 0
    same = torch.zeros_like(real)
    for j in range(index.shape[1]):
        same |= exact == index[:, j : j + 1]
    return float(((same & real).sum(1) / real.sum(1).clamp_min(1)).mean())
