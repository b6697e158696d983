"""Asymmetric metric learning via rich relationship mining (Xu, Yang, Deng and Zheng, CVPR 2019)."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh, show
from isometry.cost import Cost
from isometry.loss import Loss
from isometry.losses.triplet import Triplet
from isometry.ops import spanning_tree
from isometry.relation import Relation, times


class DAMLRRM(Loss):
    """Gives a loss as positives only the pairs that join each class at the least total distance: its spanning tree.

    Any two of a class are then joined, directly or by a path, and images of a class that look different need not be close
    to each other. Negatives are unchanged. `loss` is what is plugged in, with its own miner. Similarity, reference and
    relation are said here as well where they are not the default: `DAMLRRM(loss=Margin(), similarity=chord)`.

    The paper has no code. From what is known of it: trees are of all images of a class, made anew now and then, and a
    second stream of images, of another length, brings ever new negatives to them. Here trees are those of the batch, made
    in each step from its own embeddings, and a batch has many negatives by itself. The pair matrix is not cut into blocks.

    Raises:
        ValueError: for a loss that needs statistics of its columns, whose rows are proxies, or that compares otherwise;
            and for references without ids.
    """

    loss: Loss = fresh(Triplet)
    whole: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.loss.by_columns or self.loss.by_reference:
            raise ValueError(f"DAMLRRM chooses pairs of a row of the batch; {self.loss!r} sees more than its rows.")
        for name in ("similarity", "reference", "relate"):
            wanted, given = show(getattr(self.loss, name)), show(getattr(self, name))
            if wanted not in (given, "batch"):
                raise ValueError(f"{self.loss!r} has {name}={wanted} and DAMLRRM {given}: say {name}={wanted} of both.")

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        if rel.ids is None:
            raise ValueError("DAMLRRM tells the items of a class by their ids: loss(z, y, ids=ids).")
        tree = spanning_tree.tree(sim.detach(), rel.pos, *rel.ids)
        mined = self.loss.miner(sim.detach(), rel.replace(pos=lambda: times(rel.pos, tree)))
        return self.loss.objective(sim, mined)

    def finish(self, means: dict[str, Tensor]) -> Tensor:
        return self.loss.finish(means)
