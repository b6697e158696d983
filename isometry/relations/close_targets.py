"""Real-valued labels at their Euclidean distance."""

from jaxtyping import Float, Shaped
from torch import Tensor

from isometry.label_metric import Bound, LabelMetric
from isometry.ops.straight import straight
from isometry.relation import Relation


class CloseTargets(LabelMetric):
    """Real-valued targets `[n]` or `[n t]`: closer than `radius` is a positive; a row with NaN is unknown.

    The label distance `gap` is the Euclidean distance D of the targets (in their own unit); affinity is 1 − D / radius.
    """

    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        return straight(rows, cols)

    def bound(self, labels: Float[Tensor, "n t"]) -> Bound:
        return Bound(labels, 1.0, 1.0)


_WITHIN_ONE = CloseTargets()


def close_targets(rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Relation:
    """`CloseTargets(radius=1)`: real-valued targets, closer than 1 is a positive."""
    return _WITHIN_ONE(rows, cols)


close_targets.reads = "targets"
close_targets.metric = _WITHIN_ONE
