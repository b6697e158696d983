"""Class labels: the same, or not."""

import torch
from jaxtyping import Int
from torch import Tensor

from isometry.ops.truth import all_true, equal, some
from isometry.relation import UNKNOWN, Relation


def same_class(rows: Int[Tensor, " n"], cols: Int[Tensor, " m"]) -> Relation:
    """Positive when the class ids agree; label −1 is unknown: neither positive nor negative to anything.

    Raises:
        ValueError: for labels that are not whole numbers.
    """
    for labels in (rows, cols):
        if labels.is_floating_point() or labels.is_complex() or labels.ndim != 1:
            raise ValueError(
                f"Class labels are whole numbers of shape [n]; got {str(labels.dtype)[6:]} of shape "
                f"{list(labels.shape)}. For continuous labels say relate=close_targets, for label sets "
                "relate=shared_labels, for label paths relate=label_tree."
            )
    if _all_known(rows) and _all_known(cols):
        return Relation(pos=lambda: equal(rows, cols), any=lambda: all_true(rows, cols), rows=rows, cols=cols)
    same = Relation(pos=lambda: equal(rows, cols), rows=rows, cols=cols)
    known = (rows != UNKNOWN)[:, None] & (cols != UNKNOWN)[None, :]
    labelled = same.keep(known)
    return labelled.replace(known=lambda: some(labelled.any))


def _all_known(labels: Tensor) -> bool:
    """Whether no label is unknown, where asking is free: on an accelerator the answer would have to be waited for."""
    if torch.compiler.is_compiling() or labels.device.type != "cpu":
        return False
    return not len(labels) or int(labels.min()) > UNKNOWN or not bool((labels == UNKNOWN).any())
