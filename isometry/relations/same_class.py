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
    own = _own(rows, cols)
    if own is not None:
        return Relation(pos=lambda: equal(rows, cols), any=lambda: all_true(rows, cols), rows=rows, cols=cols, own=own)
    if _all_known(rows) and _all_known(cols):
        return Relation(pos=lambda: equal(rows, cols), any=lambda: all_true(rows, cols), rows=rows, cols=cols)
    same = Relation(pos=lambda: equal(rows, cols), rows=rows, cols=cols)
    known = (rows != UNKNOWN)[:, None] & (cols != UNKNOWN)[None, :]
    labelled = same.keep(known)
    return labelled.replace(known=lambda: some(labelled.any))


def _own(rows: Tensor, cols: Tensor) -> Tensor | None:
    """The column of each row's class, where columns are the classes 0, 1, 2, … in order and every row has one of them."""
    if torch.compiler.is_compiling() or rows.device.type != "cpu" or not len(rows) or len(cols) < 2:
        return None
    if int(cols[0]) != 0 or int(cols[-1]) != len(cols) - 1 or not torch.equal(cols, torch.arange(len(cols)).to(cols)):
        return None
    lowest, highest = (int(end) for end in rows.aminmax())
    return rows.long() if lowest >= 0 and highest < len(cols) else None


def _all_known(labels: Tensor) -> bool:
    """Whether no label is unknown, where asking is free: on an accelerator the answer would have to be waited for."""
    if torch.compiler.is_compiling() or labels.device.type != "cpu":
        return False
    return not len(labels) or int(labels.min()) > UNKNOWN or not bool((labels == UNKNOWN).any())
