"""Cumulative matching characteristic (Gray, Brennan and Tao, PETS 2007; for one query set: Zheng et al., ICCV 2015)."""

from isometry.metrics.recall import Recall


class CMC(Recall):
    """Is the person, or the vehicle, among the first k? Rank-k accuracy of re-identification, the curve's value at k.

    1 if some of the first k items is relevant, else 0: `Recall(k)` by the name that it has where gallery items of the
    query's own camera are left out. Which items are left out is the protocol's business and not the metric's. With
    several matches in the gallery it asks for the best of them only; `MINP` asks for the worst. Older protocols put one
    image of each identity into the gallery: `isometry.protocols.single_shot`.

    >>> import torch
    >>> from isometry.metrics.metric import Ranking
    >>> hits = torch.tensor([[False, True, True], [False, False, True]])
    >>> CMC(k=2).per_query(Ranking(hits, torch.tensor([2, 4]), torch.tensor([2, 3])))
    tensor([1., 0.])
    """
