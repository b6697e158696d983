"""The positives of a row beside its negatives, where a row has one positive or many.

Where each row is known to have exactly one (`Relation.own`), its column is looked up, and no mask is made.
"""

from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from isometry.ops import masked

if TYPE_CHECKING:
    from isometry.relation import Relation


def positive(x: Float[Tensor, "n m"], rel: "Relation") -> Float[Tensor, " n"]:
    """Mean of x over a row's positives."""
    return masked.average(x, rel.pos) if rel.own is None else x.gather(1, rel.own[:, None])[:, 0]


def negatives(x: Float[Tensor, "n m"], rel: "Relation", **how: Any) -> Float[Tensor, " n"]:
    """`masked.log_sum_exp` over a row's negatives."""
    return masked.log_sum_exp(x, rel.neg if rel.own is None else rel.own, **how)


def log_likelihood(x: Float[Tensor, "n m"], rel: "Relation") -> Float[Tensor, " n"]:
    """Mean over a row's positives of x − log Σ e^x over all of its pairs."""
    if rel.own is None:
        return masked.average(masked.log_softmax(x, rel.any), rel.pos)
    return -F.cross_entropy(x, rel.own, reduction="none")


def there(rel: "Relation") -> Bool[Tensor, " n"] | None:
    """Rows that have a positive and a negative; None: all of them."""
    return masked.some(rel.pos) & masked.some(rel.neg) if rel.own is None else None


def labelled(rel: "Relation") -> Bool[Tensor, " n"] | None:
    """Rows that have a positive; None: all of them."""
    return masked.some(rel.pos) if rel.own is None else None
