"""Which place of one picture matches which of the other: the similarity as a sum over pairs of places.

Stylianou, Souvenir and Pless ("Visualizing deep similarity networks", WACV 2019) for an average and a linear head; Chen
et al. (WACV 2020) for maxima and others. Here every pool and head: z is linear in the features near the picture.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from isometry.attribution.path import compared_by, quiet, similarity_of
from isometry.attribution.preparing import prepared, together
from isometry.embedder import Ready
from isometry.ops.mixed import single

ROOM = 2**24
"""Numbers of feature maps that are held at once while their parts in the embedding are found, about."""


class Parts(NamedTuple):
    """An embedding, before it is given a length, and what of it comes from each place."""

    z: Float[Tensor, " d"]
    of_places: Float[Tensor, "d y x"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """How much each pair of places, one in either picture, adds to the product of two embeddings.

    Attributes:
        match: what place (y, x) of a and place (v, u) of b add together: `match.sum() + rest` is the score.
        score: the cosine of the embeddings, or their inner product where the similarity counts lengths.
        rest: what belongs to no pair of places: biases of the head, and what a head that is not linear bends.
        seen_a, seen_b: the prepared pictures.
        first: pixel (down, right) at which the first place of either picture looks, as far as can be measured.
    """

    match: Float[Tensor, "y x v u"]
    score: float
    rest: float
    seen_a: Float[Tensor, "c h w"]
    seen_b: Float[Tensor, "c p q"]
    first: tuple[tuple[float, float], tuple[float, float]]

    def from_a(self, x: float, y: float) -> Float[Tensor, "p q"]:
        """What matches pixel x (from the left), y (from the top) of the prepared a: a map over the pixels of b.

        Raises:
            ValueError: for a point outside of the picture.
        """
        return _pointed(self.match, self.seen_a.shape[-2:], self.seen_b.shape[-2:], self.first, (y, x))

    def from_b(self, x: float, y: float) -> Float[Tensor, "h w"]:
        """What matches pixel x, y of the prepared b: a map over the pixels of a."""
        turned = self.match.permute(2, 3, 0, 1)
        return _pointed(turned, self.seen_b.shape[-2:], self.seen_a.shape[-2:], (self.first[1], self.first[0]), (y, x))


def places(model: Ready, a: Any, b: Any, *, similarity: str = "") -> Places:
    """Which places of two pictures match, by the last feature maps (or tokens) of the trunk.

    With features F_i of place i, u_i = (∂z/∂F_i) F_i is the part of the embedding that comes from it: exactly, up to biases,
    for linear heads on every pool of the catalogue, since they all scale with the features. The cosine of the two pictures
    is Σ_ij u_iᵀv_j / (‖z‖ ‖r‖) plus what biases add. Lengths and the head's norms are held as they are. Of a distance, only
    this product knows pairs. A place of a deep map has seen most of the picture: the maps are coarse.

    Raises:
        ValueError: for a trunk that gives one place, such as a class token, and what is no picture.

    >>> from isometry.model import Embedder
    >>> ready = Ready(Embedder.parse("ConvNet()"), "Same()")
    >>> found = places(ready, torch.rand(1, 32, 32), torch.rand(1, 32, 32))
    >>> found.match.shape, abs(float(found.match.sum()) + found.rest - found.score) < 1e-4
    (torch.Size([4, 4, 4, 4]), True)
    """
    lengths = counts_lengths(similarity or compared_by(model))
    with quiet(model.model) as net:
        one, other = prepared(model, [a])[0], prepared(model, [b])[0]
        u, v = (parts(net, together(net, [x])) for x in (one, other))
        first = first_place(net, one.seen.shape), first_place(net, other.seen.shape)
    scale = 1.0 if lengths else 1 / float((u.z.norm() * v.z.norm()).clamp_min(1e-12))
    match = torch.einsum("dyx,dvu->yxvu", u.of_places, v.of_places).mul(scale).cpu()
    score = scale * float(u.z @ v.z)
    rest = score - float(match.double().sum())
    return Places(match=match, score=score, rest=rest, seen_a=one.seen, seen_b=other.seen, first=first)


def counts_lengths(similarity: str) -> bool:
    """Whether it tells an embedding from one twice as long."""
    z = torch.linspace(-1, 1, 4096).view(1, -1)
    compare = similarity_of(similarity)
    return not torch.allclose(compare(z, z.roll(7, 1)), compare(2 * z, z.roll(7, 1)))


def parts(net: nn.Module, images: Float[Tensor, "1 c h w"]) -> Parts:
    """The part u_i of each place in the embedding of one picture, by one row of the Jacobian after the other."""
    with torch.no_grad():
        features = net.trunk(net.normalised(images))  # type: ignore[operator]
        z = _before_length(net, features)[0]
    grid = _grid(features, images.shape[-2:])
    if math.prod(grid) < 2:
        raise ValueError(
            "This trunk gives one vector for the whole picture (a class token?), so there are no places to pair: "
            "why(model, a, b) works for every trunk."
        )
    rows = []
    for some in torch.arange(len(z), device=z.device).split(max(1, ROOM // features.numel())):
        leaf = features.expand(len(some), *features.shape[1:]).clone().requires_grad_()
        made = _before_length(net, leaf).gather(1, some[:, None]).sum()
        (slope,) = torch.autograd.grad(made, leaf)
        rows.append((slope * features).sum(1 if features.ndim == 4 else 2))
    return Parts(z, single(torch.cat(rows)).view(len(z), *grid))


def _before_length(net: nn.Module, features: Tensor) -> Float[Tensor, "b d"]:
    """The embedding without the norm at its end, and with that at its start held as it is: else nothing scales."""
    h = net.pool(features)  # type: ignore[operator]
    head: Any = net.head
    if head.layer_norm:
        h = (h - h.mean(1, keepdim=True)) / (h.var(1, keepdim=True, correction=0) + 1e-5).sqrt().detach()
    return single(head.project(h))


def _grid(features: Tensor, size: torch.Size) -> tuple[int, int]:
    """Rows and columns of the places: those of the map, or those that make squares of the picture where tokens lie.

    Raises:
        ValueError: for tokens that cannot lie in a grid.
    """
    if features.ndim == 4:
        return features.shape[2], features.shape[3]
    count = features.shape[1]
    divided = [(y, count // y) for y in range(1, count + 1) if count % y == 0]
    y, x = min(divided, key=lambda grid: abs(math.log(size[0] / grid[0] * grid[1] / size[1])))
    if count > 1 and abs(math.log(size[0] / y * x / size[1])) > math.log(2):
        raise ValueError(f"The trunk gives {count} tokens, which do not lie in a grid over {size[0]}×{size[1]} pixels.")
    return y, x


def first_place(net: nn.Module, shape: torch.Size) -> tuple[float, float]:
    """The pixel, (down, right), that the first place of a trunk's map looks at.

    Paddings of strided convolutions move it by up to half of a place, so it is measured: the centre of the squared
    gradients of each row of places, in a picture of noise, less the rows' own distance, and the mean of all rows.
    """
    noise = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0)).to(next(net.parameters()))
    with torch.no_grad():
        features = net.trunk(net.normalised(noise))  # type: ignore[operator]
    grid = _grid(features, shape[1:])
    found = []
    for axis in (0, 1):
        length, centres = shape[1 + axis], []
        at = torch.arange(length, device=noise.device)
        for row in range(grid[axis]):
            leaf = noise.clone().requires_grad_()
            made = net.trunk(net.normalised(leaf))  # type: ignore[operator]
            made = made if made.ndim == 4 else made.transpose(1, 2).unflatten(2, grid)
            (slope,) = torch.autograd.grad(made.select(2 + axis, row).square().sum(), leaf)
            mass = slope.square().sum((0, 1, 3 - axis))
            centres.append(float((mass * at).sum() / mass.sum().clamp_min(1e-30)) - row * length / grid[axis])
        found.append(sum(centres) / len(centres))
    return found[0], found[1]


def _pointed(
    match: Float[Tensor, "y x v u"],
    size: torch.Size,
    other: torch.Size,
    first: tuple[tuple[float, float], tuple[float, float]],
    point: tuple[float, float],
) -> Float[Tensor, "p q"]:
    """What matches a pixel (down, right) of one picture, over the pixels of the other."""
    if not (0 <= point[0] < size[0] and 0 <= point[1] < size[1]):
        raise ValueError(f"The point {point[1]}, {point[0]} lies outside of the {size[1]}×{size[0]} pixels.")
    y, x, v, u = match.shape
    (down,), (right,) = (_at(torch.tensor([point[k]]), size[k], n, first[0][k]) for k, n in enumerate((y, x)))
    here = torch.stack([right, down]).view(1, 1, 1, 2)
    field = functional.grid_sample(
        match.permute(2, 3, 0, 1).reshape(1, v * u, y, x), here, padding_mode="border", align_corners=False
    )
    rows, columns = (_at(torch.arange(other[k]), other[k], n, first[1][k]) for k, n in enumerate((v, u)))
    grid = torch.stack([columns.expand(len(rows), -1), rows[:, None].expand(-1, len(columns))], -1)[None]
    return functional.grid_sample(field.view(1, 1, v, u), grid, padding_mode="border", align_corners=False)[0, 0]


def _at(pixels: Tensor, length: int, count: int, first: float) -> Tensor:
    """Where pixels lie among places, as `grid_sample` counts: −1 and 1 are the outer edges of the first and the last."""
    return (2 * ((pixels - first) / (length / count) + 0.5) / count - 1).float()
