"""Landmark retrieval, where the matches of each query are listed.

ROxford and RParis: Radenović, Iscen, Tolias, Avrithis and Chum, "Revisiting Oxford and Paris: large-scale image retrieval
benchmarking", CVPR 2018. Google Landmarks v2: Weyand, Araujo, Cao and Sim, CVPR 2020. The definitions are those of the
published evaluation code, oddities included, so that values compare; equal similarities are ordered by a hash of the ids,
where that code leaves it to the sorting routine.
"""

from collections.abc import Collection, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from isometry.data import Data
from isometry.ops.neighbours import search
from isometry.protocols.listed import asked, ranks
from isometry.protocols.results import Resampling, Results, summed_up

SETTINGS = {
    "Easy": (("easy",), ("hard", "junk")),
    "Medium": (("easy", "hard"), ("junk",)),
    "Hard": (("hard",), ("easy", "junk")),
}
"""What is a match, and what is neither right nor wrong."""


def by_lists(z: Tensor, data: Data, *, samples: int = 1000, confidence: float = 0.95, seed: int = 0) -> Results:
    """The published values of whatever lists the data have: "Easy mAP", "Easy mP@1", …, "Hard mP@10"; or "mAP@100".

    Raises:
        ValueError: as `revisited` and `landmark_retrieval` do.
    """
    if not any("easy" in lists for lists in data.judged or ()):
        return landmark_retrieval(z, data, samples=samples, confidence=confidence, seed=seed)
    settings = revisited(z, data, samples=samples, confidence=confidence, seed=seed)
    found = Results()
    found.classes, found.resampling = settings["Medium"].classes, settings["Medium"].resampling
    for setting, results in settings.items():
        found.update({f"{setting} {name}": result for name, result in results.items()})
    return found


@torch.no_grad()
def revisited(
    z: Tensor,
    data: Data,
    *,
    k: Sequence[int] = (1, 5, 10),
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    memory: str | int = "512 MB",
) -> dict[str, Results]:
    """mAP and mP@k of ROxford or RParis: "Easy", "Medium" and "Hard", each with the results "mAP", "mP@1", ….

    What is neither right nor wrong is taken out of the ranking before anything is counted. Queries without a match in a
    setting are not scored in it. Intervals are from drawing queries.

    Args:
        z: embeddings `[n d]` of all pictures of `data`, in order; they are compared by the cosine.
        data: what `read("roxford:…")` gives.

    Raises:
        ValueError: for data without such lists, or embeddings that do not belong to them.
    """
    if not k or min(k) < 1:
        raise ValueError(f"mP@k looks at the first k items, k from 1; got {list(k)}.")
    hunt = asked(z, data, ("easy", "hard", "junk"), seed)
    n = len(hunt.q)
    values = {name: torch.full((n, 1 + len(k)), torch.nan, dtype=torch.float64) for name in SETTINGS}
    for rows, rank in ranks(hunt, memory):
        for i, place in zip(range(rows.start, rows.stop), rank, strict=True):
            for name, (right, neither) in SETTINGS.items():
                matches, junk = (torch.cat([hunt.judged[i][grade] for grade in grades]) for grades in (right, neither))
                if len(matches):
                    places = without(place[matches], place[junk])
                    ap = trapezoid_ap(places, len(places))
                    values[name][i] = torch.tensor([ap, *(precision(places, cut) for cut in k)], dtype=torch.float64)
    how = Resampling(samples, confidence, seed)
    names = ["mAP", *(f"mP@{cut}" for cut in k)]
    return {name: summed_up(names, table, torch.arange(n), how) for name, table in values.items()}


@torch.no_grad()
def landmark_retrieval(
    z: Tensor,
    data: Data,
    *,
    k: int = 100,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    memory: str | int = "512 MB",
) -> Results:
    """mAP@100 of Google Landmarks v2: "mAP@100".

    AP@k = Σ_{i≤k} P(i) rel(i) / min(k, number of matches). `found.by(data.category[data.is_query], data.categories)`
    gives it for public and private queries apart. Intervals are from drawing queries.

    Args:
        z: embeddings `[n d]` of all pictures of `data`, in order; they are compared by the cosine.
        data: what `read("gldv2_retrieval:…")` gives, or the test part of "gldv2".

    Raises:
        ValueError: for data without such lists, or embeddings that do not belong to them.
    """
    hunt = asked(z, data, ("relevant",), seed)
    n = len(hunt.q)
    found = torch.full((n, 1), torch.nan, dtype=torch.float64)
    for rows, _, index in search(hunt.q, hunt.g, k, turn=hunt.turn, memory=memory):
        for i, near in zip(range(rows.start, rows.stop), index.cpu(), strict=True):
            if relevant := len(hunt.judged[i]["relevant"]):
                found[i] = ap_at_k(torch.isin(near[near >= 0], hunt.judged[i]["relevant"]), k, relevant)
    return summed_up([f"mAP@{k}"], found, torch.arange(n), Resampling(samples, confidence, seed))


def global_average_precision(
    predicted: Int[Tensor, " n"], scores: Float[Tensor, " s"], truth: Sequence[Collection[int]]
) -> float:
    """Global average precision (µAP) of landmark recognition: one ranking of the predictions of all test pictures.

    (1/M) Σ_i P(i) rel(i) over the predictions by falling score, P(i) being the share of right ones among the first i, and
    M the number of pictures that show a landmark. A prediction for a picture that shows none is wrong.

    Args:
        predicted: one landmark a picture; −1 for no prediction. scores: how sure it is; equal ones keep their order.
        truth: the landmarks that each picture shows, often none.

    >>> round(global_average_precision(torch.tensor([7, 8, 9]), torch.tensor([0.9, 0.8, 0.7]), [{7}, set(), {9, 4}]), 4)
    0.8333

    Raises:
        ValueError: for lengths that differ, a score that is NaN, or no picture that shows a landmark.
    """
    if not len(predicted) == len(scores) == len(truth):
        raise ValueError(
            f"{len(predicted)} predictions, {len(scores)} scores and {len(truth)} truths: one each a picture."
        )
    if scores.isnan().any():
        raise ValueError(f"{int(scores.isnan().sum())} scores are NaN: every prediction needs a number.")
    shown = sum(len(landmarks) > 0 for landmarks in truth)
    if not shown:
        raise ValueError("No picture shows a landmark: there is nothing to score.")
    order = [i for i in scores.argsort(descending=True, stable=True).tolist() if predicted[i] != -1]
    right = torch.tensor([int(predicted[i]) in truth[i] for i in order], dtype=torch.bool)
    return ap_at_k(right, max(len(order), 1), shown, divisor=shown)


def trapezoid_ap(places: Int[Tensor, " p"], relevant: int) -> float:
    """Area under precision over recall by trapezoids, as the revisited benchmarks have it.

    (1/R) Σ_j ½ (P(place_j − 1) + P(place_j)), where P(0) = 1. For places 1 and 3 of two matches:
    ½ · (½ (1 + 1) + ½ (½ + ⅔)) = 0.7917, where plain AP is 0.8333.

    Args:
        places: of the matches, rising, from 1. relevant: how many matches there are.

    >>> round(trapezoid_ap(torch.tensor([1, 3]), 2), 4)
    0.7917
    """
    before = torch.arange(len(places), dtype=torch.float64)
    left = torch.where(places > 1, before / (places - 1).clamp_min(1), 1.0)
    return float((left + (before + 1) / places).sum()) / (2 * relevant)


def precision(places: Int[Tensor, " p"], k: int) -> float:
    """Share of matches among the first k, or, as published, among those up to the last match where that comes earlier.

    >>> precision(torch.tensor([1, 3]), 10) == 2 / 3
    True
    """
    depth = min(int(places.max()), k)
    return int((places <= depth).sum()) / depth


def without(places: Int[Tensor, " p"], junk: Int[Tensor, " j"]) -> Int[Tensor, " p"]:
    """Places, rising, once the items at the places `junk` are taken out.

    >>> without(torch.tensor([2, 5]), torch.tensor([1, 3, 9]))
    tensor([1, 3])
    """
    places = places.sort().values
    return places - torch.searchsorted(junk.sort().values, places)


def ap_at_k(right: Bool[Tensor, " r"], k: int, relevant: int, *, divisor: int = 0) -> float:
    """Σ_i P(i) rel(i) over the first k, divided by min(k, relevant), or by `divisor`."""
    right = right[:k].double()
    share = right.cumsum(0) / torch.arange(1, len(right) + 1, dtype=torch.float64)
    return float((share * right).sum()) / (divisor or min(k, relevant))
