"""Whether two pictures are copies: one is laid over the other, the best small crop is found, and the rest compared.

The crop is found by least squares (Lucas and Kanade, IJCAI 1981): x ↦ l + x (r − l), y ↦ t + y (b − t), with gain and offset
of the brightness free. What remains is looked at block by block: re-encoding leaves a little everywhere, another drawing
leaves much somewhere.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from isometry.audit.signature import SIDE

STEPS = 4
BLOCK = 4
"""Places a side of the blocks that are compared."""
CONTRAST = 2.5
"""How many times more or less contrast a copy may have: a black and a pale square are not one picture."""
REACH = 0.25
"""How much of a side a crop may leave out."""


class Likeness(NamedTuple):
    """How alike each pair is.

    Attributes:
        alike: correlation of the grey pictures, where one lies over the other: 1 for copies.
        worst: what remains in the block where most does, in standard deviations of the picture: 0 for copies.
        box: the part of the first picture that the second shows: left, top, right, bottom.
    """

    alike: Float[Tensor, " p"]
    worst: Float[Tensor, " p"]
    box: Float[Tensor, "p 4"]


HOPE = 0.8
"""Correlation before the crop is found below which it is not looked for."""


def likeness(
    first: Float[Tensor, "p s s"], second: Float[Tensor, "p s s"], box: Float[Tensor, "p 4"], steps: int = STEPS
) -> Likeness:
    """Compares pairs of grey pictures, starting from a part of the first that may be the second.

    >>> picture = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0))
    >>> found = likeness(picture, picture, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    >>> round(float(found.alike), 4), round(float(found.worst), 4)
    (1.0, 0.0)
    """
    rough = _compared(first, second, box)
    hope = (rough.alike > HOPE).nonzero()[:, 0]
    if not len(hope):
        return rough
    fine = _refined(first[hope], second[hope], box[hope], steps)
    return Likeness(*(whole.index_copy(0, hope, some) for whole, some in zip(rough, fine, strict=True)))


def _refined(first: Tensor, second: Tensor, box: Tensor, steps: int) -> Likeness:
    best = _compared(first, second, box)
    for _ in range(steps):
        box = _moved(first, second, box)
        now = _compared(first, second, box)
        better = now.alike > best.alike
        best = Likeness(*(torch.where(_like(better, a), a, b) for a, b in zip(now, best, strict=True)))
    return best


def _like(mask: Bool[Tensor, " p"], value: Tensor) -> Tensor:
    return mask.view(-1, *[1] * (value.ndim - 1))


def part(picture: Float[Tensor, "p c s s"], box: Float[Tensor, "p 4"]) -> Float[Tensor, "p c s s"]:
    """The part in the box, between places bilinearly."""
    left, top, right, bottom = box.unbind(1)
    nothing = torch.zeros_like(left)
    rows = (right - left, nothing, left + right - 1, nothing, bottom - top, top + bottom - 1)
    theta = torch.stack(rows, 1).view(-1, 2, 3)
    grid = torch.nn.functional.affine_grid(theta, list(picture.shape), align_corners=False)
    return torch.nn.functional.grid_sample(picture, grid, padding_mode="border", align_corners=False)


def _compared(first: Tensor, second: Tensor, box: Tensor) -> Likeness:
    shown = part(first[:, None], box)[:, 0]
    a, b = (x - x.mean((1, 2), keepdim=True) for x in (shown, second))
    across, along = (a * b).sum((1, 2)), (a * a).sum((1, 2))
    gain = (across / along.clamp_min(1e-6)).clamp(1 / CONTRAST, CONTRAST)
    size = (b * b).sum((1, 2)).clamp_min(1e-6)
    rest = (gain[:, None, None] * a - b).square()
    blocks = torch.nn.functional.avg_pool2d(rest[:, None], BLOCK)[:, 0].flatten(1)
    worst = (blocks.amax(1) / (size / SIDE**2)).sqrt()
    return Likeness(across / (along.clamp_min(1e-6) * size).sqrt(), worst, box)


def _moved(first: Tensor, second: Tensor, box: Tensor) -> Tensor:
    """One Gauss–Newton step of the box."""
    right, down = _slopes(first)
    shown, right, down = part(torch.stack([first, right, down], 1), box).unbind(1)
    x = ((torch.arange(SIDE) + 0.5) / SIDE).to(first)
    y = x[:, None]
    columns = [right * (1 - x), down * (1 - y), right * x, down * y, -second, -torch.ones_like(second)]
    moves = torch.stack([column.flatten(1) for column in columns], 2)
    scale = moves.square().sum(1, keepdim=True).sqrt().clamp_min(1e-6)
    moves = moves / scale
    normal = moves.mT @ moves + 1e-3 * torch.eye(6, dtype=moves.dtype, device=moves.device)
    step = torch.linalg.solve(normal, -(moves.mT @ shown.flatten(1)[..., None])) / scale.mT
    box = box + step[:, :4, 0].clamp(-0.05, 0.05).to(box)
    low, high = box[:, :2].clamp(-0.02, REACH), box[:, 2:].clamp(1 - REACH, 1.02)
    return torch.cat([low, high], 1)


def _slopes(picture: Float[Tensor, "p s s"]) -> tuple[Tensor, Tensor]:
    """Change to the right and downwards, a side being 1 long."""
    down, right = torch.gradient(picture, dim=(1, 2))
    return right * SIDE, down * SIDE
