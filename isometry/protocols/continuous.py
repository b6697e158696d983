"""Retrieval where similarity is a matter of degree, measured as published.

Kim, Seo, Laptev, Cho and Kwak, "Deep metric learning beyond binary supervision", CVPR 2019. Every query ranks the gallery;
D is the label distance. Two curves say how good the ranking is: the mean D of the first K = 1 … 10, lower is better, and
nDCG_K for K = 10, 20 … 100 with the gain 1 / (1 + D), which is there written 2^r with r = −log2(D + 1): nothing is taken
away from it, so an item is never worth nothing, and a random order of near-by labels scores well above 0.

The gain depends on the unit of D: 1 / (1 + D) hardly falls for distances far below 1, and tells little apart far above it.
Values compare only where D is the same distance in the same unit.
"""

from typing import Any

from isometry.protocols.results import Results
from isometry.protocols.retrieval import evaluate
from isometry.similarities import euclidean

PLACES = tuple(range(1, 11))
"""How many neighbours the mean label distance is over."""
DEEPER = tuple(range(10, 101, 10))
"""How many nDCG looks at."""
DISTANCES = ", ".join(f"LabelDistance(k={k})" for k in PLACES)
GAINS = ", ".join(f"NDCG(k={k}, gain=DistanceGain())" for k in DEEPER)
METRICS = f"{DISTANCES}, {GAINS}"
"""The published curves, as text for `isometry.evaluate` and `isometry evaluate --metrics`."""


def continuous(
    z: Any,
    y: Any,
    relate: Any,
    *,
    against: tuple[Any, ...] | None = None,
    ids: Any = None,
    similarity: Any = euclidean,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    memory: str | int = "512 MB",
) -> Results:
    """Both published curves with intervals from drawing queries: `METRICS` by `isometry.evaluate`.

    Args:
        z, y: embeddings `[n d]` and labels of the queries; the rest as in `isometry.evaluate`.
        relate: a distance between labels, such as `Joints()`, `Layouts(matched=True)` or `GivenDistances(matrix=…)`. Its
            radius decides nothing here.
        against: the gallery, `(g, y_g)` or `(g, y_g, ids_g)`; without it every query searches all others.
        similarity: what embeddings are compared by. The log-ratio loss learns distances, so they are compared by distance
            as they are; say `cosine` for embeddings that are trained on the sphere.

    >>> import torch
    >>> from isometry.relations import CloseTargets
    >>> z, gallery = torch.tensor([[0.0]]), torch.tensor([[0.1], [0.2], [0.3]])
    >>> found = continuous(z, torch.tensor([0.0]), CloseTargets(), against=(gallery, torch.tensor([1.0, 0.0, 3.0])))
    >>> round(float(found["LabelDistance(k=1)"]), 4), round(float(found["NDCG(k=10, gain=DistanceGain())"]), 4)
    (1.0, 0.8719)

    Raises:
        ValueError: as `isometry.evaluate` does.
    """
    return evaluate(
        z, y, METRICS, against=against, ids=ids, relate=relate, similarity=similarity, samples=samples,
        confidence=confidence, seed=seed, memory=memory,
    )  # fmt: skip


def curves(found: Results, *, unit: float = 1.0) -> dict[str, list[float]]:
    """The two curves as lists of values, one for each K: "mean label distance" and "nDCG".

    Args:
        unit: what the label distances are multiplied by for the first curve: the published distances of poses are shown
            times 224 / 288, in pixels of the network's input, while the gain takes them as they are.
    """
    distance = [unit * found[f"LabelDistance(k={k})"].value for k in PLACES]
    return {"mean label distance": distance, "nDCG": [found[f"NDCG(k={k}, gain=DistanceGain())"].value for k in DEEPER]}
