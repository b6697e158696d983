"""Hit rate, as information retrieval and recommendation call it (Deshpande and Karypis, ACM TOIS 22, 2004)."""

from isometry.metrics.recall import Recall


class HitRate(Recall):
    """Is any of the k nearest neighbours relevant? `Recall(k)` under the name that information retrieval gives it.

    1 if some of the first k items is relevant, else 0.

    >>> import torch
    >>> from isometry.metrics.metric import Ranking
    >>> hits = torch.tensor([[False, True, True], [False, False, True]])
    >>> HitRate(k=2).per_query(Ranking(hits, torch.tensor([2, 4]), torch.tensor([2, 3])))
    tensor([1., 0.])
    """
