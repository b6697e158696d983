"""Why two pictures match: what each place of either adds to their similarity, over pictures in which nothing is to be seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from isometry.attribution.path import Compare, added, compared_by, comparison, embedded, quiet
from isometry.attribution.preparing import Box, Pictures, Prepared, placed, prepared, together
from isometry.embedder import Ready
from isometry.ops.blur import blurred, spread

BLUR, SMOOTH = 1 / 8, 1 / 64
"""Of the shorter side: how far a picture is blurred until nothing is to be seen, and how smooth a heat map is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Why:
    """Why two pictures match.

    Attributes:
        score: their similarity; larger is closer.
        without_a, without_b: the similarity that is left when one of them is blurred until nothing is to be seen.
        heat_a, heat_b: what each pixel of the prepared pictures adds to the score, in units of the score; below 0 where it
            takes away. `heat_a.sum()` is `score − without_a`, up to the error of the integration, `gap_a`.
        seen_a, seen_b: the prepared pictures, in 0 … 1. given_a, given_b: the pictures as they were given.
        box_a, box_b: which part of the given pictures is seen, (left, top, right, bottom) in pixels; None where the
            preparation does more than crop, stretch and mirror.
        similarity: what they are compared by.
    """

    score: float
    without_a: float
    without_b: float
    heat_a: Float[Tensor, "h w"]
    heat_b: Float[Tensor, "p q"]
    seen_a: Float[Tensor, "c h w"]
    seen_b: Float[Tensor, "c p q"]
    given_a: UInt8[Tensor, "k m n"]
    given_b: UInt8[Tensor, "l r s"]
    box_a: Box | None
    box_b: Box | None
    similarity: str

    @property
    def gap_a(self) -> float:
        """What the heat of a does not account for: the error of the integration. More steps make it smaller."""
        return self.score - self.without_a - float(self.heat_a.double().sum())

    @property
    def gap_b(self) -> float:
        """The same of b."""
        return self.score - self.without_b - float(self.heat_b.double().sum())

    @property
    def whole_a(self) -> Float[Tensor, "m n"] | None:
        """The heat of a over the picture as it was given, 0 where the model does not look; its sum is about the same."""
        return placed(self.heat_a, self.given_a, self.box_a)

    @property
    def whole_b(self) -> Float[Tensor, "r s"] | None:
        """The same of b."""
        return placed(self.heat_b, self.given_b, self.box_b)


def why(model: Ready, a: Any, b: Any, *, similarity: str = "", steps: int = 8, batch_size: int = 16) -> Why:
    """How much each place of two pictures adds to their similarity.

    Integrated gradients of the similarity, on the straight way from a blurred picture to the picture, once for either while
    the other stays as it is. So a place counts for what it shows beyond a blur, and the map adds up to what the match
    owes to the picture. It works for every trunk, pool, head and similarity that has a gradient, in 2 · steps passes.

    Args:
        model: what `isometry.load` gives.
        a, b: a path, a PIL image, or an array each.
        similarity: what to compare by; by default what the model was trained for.
        steps: points on the way.
        batch_size: pictures that the model sees at once.

    Raises:
        ValueError: for what is no picture, or a similarity without a gradient.

    >>> from isometry.model import Embedder
    >>> found = why(Ready(Embedder.parse("ConvNet()"), "Same()"), torch.rand(1, 32, 32), torch.rand(1, 32, 32))
    >>> found.heat_a.shape, found.box_a
    (torch.Size([32, 32]), (0.0, 0.0, 32.0, 32.0))
    """
    return why_each(model, [a], [b], similarity=similarity, steps=steps, batch_size=batch_size)[0]


def why_each(
    model: Ready,
    a: Pictures,
    b: Pictures,
    *,
    similarity: str = "",
    steps: int = 8,
    batch_size: int = 16,
) -> list[Why]:
    """`why` of many pairs, `a[0]` with `b[0]` and so on; pairs of one size go through the model together.

    Raises:
        ValueError: for sides of different lengths, and what `why` refuses.
    """
    if isinstance(a, str) or isinstance(b, str) or len(a) != len(b):
        raise ValueError("why_each takes two lists of as many pictures each; why(model, a, b) takes one pair.")
    if steps < 1 or batch_size < 1:
        raise ValueError(f"steps and batch_size are at least 1; got {steps} and {batch_size}.")
    chosen = similarity or compared_by(model)
    score = comparison(chosen)
    if not len(a):
        return []
    with quiet(model.model) as net:
        sides = prepared(model, a), prepared(model, b)
        z, r = (_embedded(net, side, batch_size) for side in sides)
        scores = score(z, r).tolist()
        heats_a, without_a = _explained(net, score, sides[0], r, steps, batch_size)
        heats_b, without_b = _explained(net, lambda z, r: score(r, z), sides[1], z, steps, batch_size)
    return [
        Why(
            score=scores[i], without_a=without_a[i], without_b=without_b[i], heat_a=heats_a[i], heat_b=heats_b[i],
            seen_a=x.seen, seen_b=y.seen, given_a=x.given, given_b=y.given, box_a=x.box, box_b=y.box, similarity=chosen,
        )
        for i, (x, y) in enumerate(zip(*sides, strict=True))
    ]  # fmt: skip


def _embedded(net: nn.Module, side: list[Prepared], batch_size: int) -> Float[Tensor, "n d"]:
    """Embeddings of prepared pictures."""
    parts = [(rows, embedded(net, images, batch_size)) for rows, images in _by_size(net, side)]
    z = torch.empty(len(side), parts[0][1].shape[1], dtype=parts[0][1].dtype, device=parts[0][1].device)
    for rows, some in parts:
        z[rows] = some
    return z


def _explained(
    net: nn.Module, score: Compare, side: list[Prepared], partners: Float[Tensor, "n d"], steps: int, batch_size: int
) -> tuple[list[Float[Tensor, "_ _"]], list[float]]:
    """The heat of each picture, on the CPU, and the score that is left when it is blurred."""
    heats, without = [torch.empty(0, 0)] * len(side), [0.0] * len(side)
    for rows, images in _by_size(net, side):
        shorter, others = min(images.shape[-2:]), partners[rows]
        starts = blurred(images, BLUR * shorter)
        heat = added(net, score, images, starts, others, steps=steps, batch_size=batch_size)
        heat = spread(heat[:, None], SMOOTH * shorter)[:, 0].cpu()
        left = score(embedded(net, starts, batch_size), others).tolist()
        for i, one, value in zip(rows, heat, left, strict=True):
            heats[i], without[i] = one, value
    return heats, without


def _by_size(net: nn.Module, side: list[Prepared]) -> Iterator[tuple[list[int], Float[Tensor, "n c h w"]]]:
    """The prepared pictures of one size together, where and as the model takes them, with their positions."""
    for shape in dict.fromkeys(one.seen.shape for one in side):
        rows = [i for i, one in enumerate(side) if one.seen.shape == shape]
        yield rows, together(net, [side[i] for i in rows])
