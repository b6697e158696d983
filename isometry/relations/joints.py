"""Poses at the sum of their joints' distances (Kim, Seo, Laptev, Cho and Kwak, "Deep metric learning beyond binary
supervision", CVPR 2019)."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from isometry.label_metric import Bound, LabelMetric
from isometry.ops.pieces import ROOM, in_pieces
from isometry.relation import Relation

CACHE = 2**18
"""Pairs compared at once on a processor: what its cache holds."""


class Joints(LabelMetric):
    """Poses are alike when all joints are near: D is the sum over joints of the distance between the two joints.

    D(y, y') = Σ_j ‖y_j − y'_j‖₂, in the unit of the joints (pixels, sides of the picture, body heights). Targets are `[n J c]` or
    `[n J·c]`, joint by joint: x, y, x, y, … with `coordinates=2`. A pose with a NaN joint is unknown. D is a metric, and
    ‖y − y'‖₂ ≤ D ≤ √J ‖y − y'‖₂, which an exact search for neighbours uses.

    `radius` is a sum over joints too: the default of 1 suits joints in sides of the picture or in body heights, where 14 joints
    may each be off by 7 %; in pixels, `Joints(radius=140)` lets 14 joints be off by 10 each.

    Its released tables look unsquared, as this is; a mean over joints would be the same but for its scale.

    >>> pose = torch.tensor([[0.0, 0.0, 0.0, 0.0], [3.0, 4.0, 0.0, 1.0]])
    >>> Joints().distances(pose, pose)
    tensor([[0., 6.],
            [6., 0.]])

    Raises:
        ValueError: for targets whose width is no multiple of `coordinates`.
    """

    coordinates: int = 2

    def __post_init__(self) -> None:
        if self.coordinates < 1:
            raise ValueError(f"Joints.coordinates is at least 1, 2 for joints in a picture; got {self.coordinates}.")

    def prepared(self, labels: Shaped[Tensor, "n ..."]) -> Float[Tensor, "n t"]:
        flat = super().prepared(labels)
        if flat.shape[1] == 0 or flat.shape[1] % self.coordinates:
            raise ValueError(
                f"Joints reads {self.coordinates} numbers a joint, and {flat.shape[1]} label columns are no multiple of that: "
                "choose the columns of the joints, or say coordinates=…."
            )
        return flat

    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        return in_pieces(self._gap, rows, cols, 1, ROOM if torch.compiler.is_compiling() else CACHE)

    def _gap(self, rows: Float[Tensor, "b n t"], cols: Float[Tensor, "b m t"]) -> Float[Tensor, "b n m"]:
        across, down = rows.mT.contiguous(), cols.mT.contiguous()
        total = rows.new_zeros(())
        for joint in range(0, rows.shape[-1], self.coordinates):
            along = [across[:, at, :, None] - down[:, at, None, :] for at in range(joint, joint + self.coordinates)]
            squared = along[0].square()
            for other in along[1:]:
                squared = torch.addcmul(squared, other, other)
            total = total + squared.sqrt()
        return total

    def bound(self, labels: Float[Tensor, "n t"]) -> Bound:
        return Bound(labels, 1.0, (labels.shape[1] / self.coordinates) ** 0.5)


_WITHIN_ONE = Joints()


def joints(rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Relation:
    """`Joints(radius=1, coordinates=2)`: poses at the sum of their joints' distances; joints are x, y, x, y, …."""
    return _WITHIN_ONE(rows, cols)


joints.reads = "targets"
joints.metric = _WITHIN_ONE
