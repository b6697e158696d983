"""Several labels an item."""

from jaxtyping import Shaped
from torch import Tensor

from isometry.relation import Relation, same_width


def shared_labels(rows: Shaped[Tensor, "n l"], cols: Shaped[Tensor, "m l"]) -> Relation:
    """Multi-hot label sets: affinity is their Jaccard overlap; one shared label makes a positive.

    An empty set is unknown.
    """
    same_width("label sets", rows, cols)
    size = (rows.float().sum(1)[:, None], cols.float().sum(1)[None, :])
    both = rows.float() @ cols.float().T
    known = (size[0] > 0) & (size[1] > 0)
    return Relation(
        affinity=lambda: both / (size[0] + size[1] - both).clamp_min(1),
        pos=lambda: both > 0,
        neg=lambda: (both == 0) & known,
        rows=rows,
        cols=cols,
    )


shared_labels.reads = "multi"  # which labels of `Data` it reads; `labels` where nothing is said
