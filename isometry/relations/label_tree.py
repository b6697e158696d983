"""Labels in a tree."""

import torch
from jaxtyping import Int
from torch import Tensor

from isometry.relation import UNKNOWN, Relation, same_width


def label_tree(rows: Int[Tensor, "n l"], cols: Int[Tensor, "m l"]) -> Relation:
    """Label paths, root first: affinity is the share of leading levels in common; the whole path makes a positive.

    A path whose last level is −1 is unknown.
    """
    same_width("label paths", rows, cols)
    common = torch.zeros(len(rows), len(cols), device=rows.device)
    agree = torch.ones(len(rows), len(cols), dtype=torch.bool, device=rows.device)
    for level in range(rows.shape[1]):
        agree = agree & (rows[:, level][:, None] == cols[:, level][None, :])
        common = common + agree
    known = (rows[:, -1] != UNKNOWN)[:, None] & (cols[:, -1] != UNKNOWN)[None, :]
    return Relation(
        affinity=lambda: common / rows.shape[1],
        pos=lambda: agree & known,
        neg=lambda: ~agree & known,
        rows=rows,
        cols=cols,
    )


label_tree.reads = "hierarchy"
