"""The space of labels beside that of embeddings: what the report of continuous labels shows of both."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.component import show
from isometry.evaluation import Embeddings
from isometry.label_metric import LabelMetric, metric_of
from isometry.ops.neighbours import nearest
from isometry.protocols.retrieval import geometry
from isometry.relations import close_targets
from isometry.report.graded import Graded
from isometry.supervision import is_continuous, labels, relation

QUERIES, PLACES, PARTNERS, GROUPS, BLOCK = 500, 100, 80, 10, 32


def graded(test: Embeddings, relate: str, similarity: str, rivals: Mapping[str, Embeddings]) -> Graded | None:
    """Label distances for the report; None where labels are classes. Rivals are other embeddings of the same images."""
    related = relation(relate)
    if not is_continuous(test.data, related):
        return None
    metric = metric_of(related or close_targets)
    if metric is None:
        return None
    y, (query, gallery) = metric.prepared(labels(test.data, metric, show(metric))), test.roles()
    at = query if gallery is None else gallery
    noise = torch.Generator().manual_seed(0)
    asked = torch.randperm(len(query), generator=noise)[:QUERIES]
    asked = asked[metric.known(y[query[asked]])]
    spaces = {"this model": test, **{name: e for name, e in rivals.items() if _same(e, test)}}
    found = {name: _found(e.z, test.data.ids, query[asked], at, similarity) for name, e in spaces.items()}
    seen = _seen(metric, y, test, query[asked], at, found, similarity, noise)
    groups, names, axis = _axis(y)
    return Graded(
        relation=relate or "close_targets",
        similarity=similarity,
        apart=lambda i: _apart(metric, y, test.data.ids, query[i : i + 1], at)[0],
        asked=len(asked),
        groups=groups[query],
        searched_groups=groups[at],
        group_names=names,
        axis=axis,
        **seen,
    )


def _same(other: Embeddings, test: Embeddings) -> bool:
    return torch.equal(other.data.ids, test.data.ids)


def _apart(metric: LabelMetric, y: Tensor, ids: Tensor, rows: Tensor, cols: Tensor) -> Float[Tensor, "b m"]:
    """Label distances, inf where one is unknown and of an item to itself."""
    gap = metric.distances(y[rows], y[cols]).float()
    known = metric.known(y[rows])[:, None] & metric.known(y[cols])[None]
    return gap.masked_fill(~known | (ids[rows][:, None] == ids[cols][None]), torch.inf)


def _found(z: Tensor, ids: Tensor, rows: Tensor, cols: Tensor, similarity: str) -> Int[Tensor, "q k"]:
    """What each query finds first, as places in the gallery."""
    embed, compare = geometry(similarity)
    g = embed(z[cols])
    places = min(PLACES, len(cols))
    return nearest(embed(z[rows]), g, places, ids_q=ids[rows], ids_g=ids[cols], similarity=compare)[1]


def _seen(
    metric: LabelMetric,
    y: Tensor,
    test: Embeddings,
    rows: Tensor,
    cols: Tensor,
    found: Mapping[str, Tensor],
    similarity: str,
    noise: torch.Generator,
) -> dict[str, Any]:
    """Curves, and pairs drawn at random; label distances are made for a few queries at a time."""
    embed, compare = geometry(similarity)
    q, g = embed(test.z[rows]), embed(test.z[cols])
    places = min(PLACES, len(cols) - 1) or 1
    sums = {name: torch.zeros(places, dtype=torch.float64) for name in (*found, "the nearest by label")}
    counts = torch.zeros(places, dtype=torch.float64)
    mean, pairs = [], []
    for block in torch.arange(len(rows)).split(BLOCK):
        gap = _apart(metric, y, test.data.ids, rows[block], cols)
        known = gap.isfinite()
        mean.append(torch.where(known, gap, 0).double().sum(1) / known.sum(1).clamp_min(1))
        best = {"the nearest by label": gap.topk(places, dim=1, largest=False).values}
        best |= {name: gap.gather(1, at[block, :places].clamp_min(0)) for name, at in found.items()}
        whole = torch.stack([values.isfinite().all(1) for values in best.values()]).all(0)
        for name, values in best.items():
            sums[name] += (values[whole].double().cumsum(1) / torch.arange(1, places + 1)).sum(0)
        counts += int(whole.sum())
        partner = torch.randint(len(cols), (len(block), PARTNERS), generator=noise)
        embedded = -compare(q[block], g).float()
        pairs.append(torch.stack([embedded.gather(1, partner), gap.gather(1, partner)], 2).flatten(0, 1))
    drawn = torch.cat(pairs) if pairs else torch.empty(0, 2)
    drawn = drawn[drawn.isfinite().all(1)]
    if "cosine" in similarity and len(drawn):
        drawn = drawn + torch.tensor([1.0, 0.0])  # 1 − cosine
    return {
        "curves": {name: (total / counts.clamp_min(1)).float() for name, total in sums.items()},
        "typical": float(torch.cat(mean).mean()) if mean else float("nan"),
        "embedded": drawn[:, 0],
        "labelled": drawn[:, 1],
        "agreement": _spearman(drawn),
    }


def _spearman(pairs: Float[Tensor, "p 2"]) -> float:
    """The correlation of ranks, equals at their mean rank."""
    if len(pairs) < 3:
        return float("nan")
    return float(torch.corrcoef(torch.stack([_ranks(column) for column in pairs.unbind(1)]))[0, 1])


def _ranks(x: Float[Tensor, " p"]) -> Float[Tensor, " p"]:
    _, group, size = torch.unique(x, return_inverse=True, return_counts=True)
    return (size.cumsum(0) - (size - 1) / 2)[group].double()


def _first_direction(x: Float[Tensor, "n t"]) -> Float[Tensor, " t"]:
    """The direction in which rows vary most, without anything random; its largest entry is positive."""
    wide = x.shape[1] > len(x)
    most = torch.linalg.eigh(x @ x.mT if wide else x.mT @ x)[1][:, -1]
    turn = torch.nn.functional.normalize(x.mT @ most if wide else most, dim=0)
    return turn * torch.sign(turn[turn.abs().argmax()])


def _axis(y: Float[Tensor, "n t"]) -> tuple[Int[Tensor, " n"], tuple[str, ...], str]:
    """Ten groups of equal size along the first principal component of the labels, or along the label where it is one number."""
    filled = torch.where(y.isfinite(), y, 0).double()
    if y.shape[1] == 1:
        value, axis = filled[:, 0], "the label"
    else:
        centred = filled - filled.mean(0)
        turn = _first_direction(centred[:: max(1, len(y) // 2000)])
        value = centred @ turn
        share = float(value.square().sum() / centred.square().sum().clamp_min(1e-30))
        axis = f"the first principal component of the labels ({share:.0%} of their variance)"
    edges = value.quantile(torch.linspace(0, 1, GROUPS + 1, dtype=torch.float64)) if len(y) else value.new_zeros(11)
    group = torch.bucketize(value, edges[1:-1].contiguous(), right=True)
    names = tuple(f"{low:.3g} … {high:.3g}" for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    return group, names, axis
