"""A distance between labels that the user writes."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from isometry.label_metric import LabelMetric
from isometry.relation import Relation
from isometry.relations.given_distances import known_pairs, sound


class By(LabelMetric):
    """Labels at the distance that a function of yours gives: `distance(rows [n t], cols [m t]) -> [n m]`, 0 for equal labels.

    Made in Python only. On the command line a name stands for something of the catalogue: `By(distance=mine)` answers
    "There is no 'mine'", unless a plug-in exports `mine`. `radius` is in the unit of the function. Nothing bounds the
    distance, so that a search for neighbours compares all pairs. A pair whose distance is NaN is neither positive nor negative.

    >>> apart = By(distance=lambda rows, cols: (rows - cols.T).abs())
    >>> apart.distances(torch.tensor([1.0, 2.0]), torch.tensor([5.0]))
    tensor([[4.],
            [3.]])

    Raises:
        ValueError: for something that is no function, or a function that gives another shape, no floating-point numbers, or
            distances that are negative or infinite (looked at on a processor, and not while compiling).
    """

    distance: Callable[[Tensor, Tensor], Tensor]

    def __post_init__(self) -> None:
        if not callable(self.distance):
            raise ValueError(f"By.distance is a function (rows [n t], cols [m t]) -> [n m]; got {self.distance!r}.")

    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        if rows.ndim > 2:
            lists = zip(rows.flatten(0, -3), cols.flatten(0, -3), strict=True)
            made = [self.gap(a, b) for a, b in lists] or [rows.new_zeros(0, rows.shape[-2], cols.shape[-2])]
            return torch.cat(made).reshape(*rows.shape[:-1], cols.shape[-2])
        given = self.distance(rows, cols)
        if tuple(given.shape) != (len(rows), len(cols)):
            raise ValueError(
                f"By.distance gave shape {list(given.shape)} for {len(rows)} rows and {len(cols)} columns; it must be "
                f"[{len(rows)}, {len(cols)}]: (rows [n t], cols [m t]) -> [n m]."
            )
        if not given.is_floating_point():
            raise ValueError(f"By.distance gave {given.dtype}; distances are floating point: end with .to(rows.dtype).")
        eager = given.device.type == "cpu" and not torch.compiler.is_compiling()
        return sound(given, "By.distance") if eager else given

    def forward(self, rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Relation:
        return known_pairs(super().forward(rows, cols))
