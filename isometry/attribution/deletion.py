"""Is a heat map right? The deletion test: what it calls important is taken out, and the match should fall the most.

Samek et al. (TNNLS 2017) and Petsiuk, Das and Saenko (BMVC 2018), for pairs.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from isometry.attribution.heat import BLUR, SMOOTH, why_each
from isometry.attribution.path import Compare, compared_by, comparison, embedded, quiet
from isometry.attribution.preparing import Pictures
from isometry.embedder import Ready
from isometry.ops.blur import blurred

FILLS = ("blur", "mean")
"""What stands where pixels were taken out: the blurred picture, or the picture's mean colour."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Deletion:
    """The deletion test of some pairs.

    Attributes:
        score: the similarity of each pair.
        heat: how far it falls when the hottest share of a is taken out, filled by blur and by the mean.
        random: the same of random places, the mean over some draws.
    """

    score: Float[Tensor, " n"]
    heat: Float[Tensor, "n 2"]
    random: Float[Tensor, "n 2"]


def deletion(
    model: Ready,
    a: Pictures,
    b: Pictures,
    *,
    share: float = 0.2,
    similarity: str = "",
    steps: int = 8,
    draws: int = 4,
    seed: int = 0,
    batch_size: int = 16,
) -> Deletion:
    """How far matches fall without the hottest fifth of picture a, beside random fifths in pieces as fine as the map's.

    Prepared pictures have one size. A heat map that says nothing scores as random places do.

    Raises:
        ValueError: for a share outside 0 … 1, prepared pictures of several sizes, and what `why` refuses.
    """
    found = why_each(model, a, b, similarity=similarity, steps=steps, batch_size=batch_size)
    if len({one.seen_a.shape for one in found}) != 1:
        raise ValueError("The deletion test takes pictures that are prepared to one size: give the model a CentreCrop.")
    score = comparison(similarity or compared_by(model))
    generator = torch.Generator().manual_seed(seed)
    with quiet(model.model) as net:
        images = torch.stack([one.seen_a for one in found]).to(next(net.parameters()))
        partners = torch.cat([embedded(net, one.seen_b[None].to(images), 1) for one in found])
        maps = [torch.stack([one.heat_a for one in found])]
        maps += [speckles(images, SMOOTH, generator) for _ in range(draws)]
        left = torch.stack([without(net, score, images, partners, one, share, batch_size) for one in maps])
    whole = torch.tensor([one.score for one in found])
    return Deletion(score=whole, heat=whole[:, None] - left[0], random=whole[:, None] - left[1:].mean(0))


def hottest(heat: Float[Tensor, "n h w"], share: float) -> Bool[Tensor, "n h w"]:
    """The share of the pixels of each map with the most heat: as many as that is, rounded.

    >>> hottest(torch.tensor([[[0.0, 3.0], [2.0, 1.0]]]), 0.5).int()
    tensor([[[0, 1],
             [1, 0]]], dtype=torch.int32)

    Raises:
        ValueError: for a share outside 0 … 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"A share of the pixels is in 0 … 1, and {share} is not.")
    flat = heat.flatten(1)
    first = flat.sort(descending=True, stable=True).indices[:, : round(share * flat.shape[1])]
    return torch.zeros_like(flat, dtype=torch.bool).scatter(1, first, True).view(heat.shape)


def fills(images: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
    """Pictures in which nothing is to be seen: blurred, and of one colour."""
    return blurred(images, BLUR * min(images.shape[-2:])), images.mean((2, 3), keepdim=True).expand_as(images)


def without(
    net: nn.Module,
    score: Compare,
    images: Float[Tensor, "n c h w"],
    partners: Float[Tensor, "n d"],
    heat: Float[Tensor, "n h w"],
    share: float,
    batch_size: int = 16,
) -> Float[Tensor, "n 2"]:
    """The scores that are left when the hottest share is filled with blur, and with the mean. On the CPU."""
    out = hottest(heat.to(images.device), share)[:, None]
    left = [score(embedded(net, torch.where(out, fill, images), batch_size), partners) for fill in fills(images)]
    return torch.stack(left, 1).cpu()


def alone(
    net: nn.Module,
    score: Compare,
    images: Float[Tensor, "n c h w"],
    partners: Float[Tensor, "n d"],
    heat: Float[Tensor, "n h w"],
    share: float,
    batch_size: int = 16,
) -> Float[Tensor, "n 2"]:
    """The scores of nothing but the hottest share: of all else only the blur is there, or the mean. On the CPU."""
    return without(net, score, images, partners, -heat, 1 - share, batch_size)


def speckles(images: Float[Tensor, "n c h w"], grain: float, generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Random maps whose pieces are as large as `grain`, in shares of the shorter side."""
    noise = torch.randn(len(images), 1, *images.shape[-2:], generator=generator)
    return blurred(noise, grain * min(images.shape[-2:]))[:, 0]
