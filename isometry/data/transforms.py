"""What is done to pictures before a trunk sees them. Values stay in 0 … 1 (or 0 … 255 as uint8): the model normalises.

Photographs are changed one by one, in the workers that decode them (`PerImage`, from torchvision's transforms v2);
small pictures in memory are changed a batch at a time, each in its own way (`PerBatch`).
"""

import functools
import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from isometry.component import Component

Picture = UInt8[Tensor, "c _ _"] | Float[Tensor, "c _ _"]
Pictures = UInt8[Tensor, "b c h w"] | Float[Tensor, "b c h w"]


class PerImage(Component):
    """A change of one picture `[c h w]`, made in a worker; all results have one size, so that they make a batch."""

    batched: ClassVar[bool] = False

    @abstractmethod
    def forward(self, image: Picture) -> Picture: ...


class PerBatch(Component):
    """A change of a batch `[b c h w]`, drawn anew for each picture; uint8 comes out as float in 0 … 1."""

    batched: ClassVar[bool] = True

    @abstractmethod
    def forward(self, images: Pictures) -> Float[Tensor, "b c h w"]: ...


class RandomCrop(PerImage):
    """Cuts out a random part of a photograph, brings it to `size`, and mirrors it half of the time: for training.

    Args:
        size: side of the result, in pixels.
        smallest: the least share of the picture's area that is kept (ImageNet training keeps 0.08).
        flip: how often the result is mirrored left to right. 0 for things that have a handedness, such as letters.

    >>> RandomCrop(size=32)(torch.zeros(3, 50, 80, dtype=torch.uint8)).shape
    torch.Size([3, 32, 32])

    Raises:
        ValueError: for a size below 1 or shares outside 0 … 1.
    """

    size: int = 224
    smallest: float = 0.16
    flip: float = 0.5

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 < self.smallest <= 1 or not 0 <= self.flip <= 1:
            raise ValueError(f"{self!r} needs size ≥ 1, 0 < smallest ≤ 1 and 0 ≤ flip ≤ 1.")

    @functools.cached_property
    def steps(self) -> Callable[[Picture], Picture]:
        """torchvision's, which are slow to import: when they are first needed."""
        from torchvision.transforms import v2

        crop = v2.RandomResizedCrop(self.size, scale=(self.smallest, 1.0), antialias=True)
        return v2.Compose([crop, v2.RandomHorizontalFlip(self.flip)])

    def forward(self, image: Picture) -> Picture:
        return self.steps(image)


class CentreCrop(PerImage):
    """Brings the shorter side of a photograph to `resize` and cuts out the middle: for evaluation.

    Args:
        size: side of the result, in pixels.
        resize: the shorter side before cutting; 0 is 8/7 of `size`, as 256 is of 224.

    >>> CentreCrop(size=32)(torch.zeros(3, 50, 80, dtype=torch.uint8)).shape
    torch.Size([3, 32, 32])

    Raises:
        ValueError: for a size below 1, or above `resize`.
    """

    size: int = 224
    resize: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.size <= self.shorter:
            raise ValueError(f"{self!r} needs 1 ≤ size ≤ resize.")

    @property
    def shorter(self) -> int:
        """The shorter side before cutting."""
        return self.resize or round(self.size * 8 / 7)

    @functools.cached_property
    def steps(self) -> Callable[[Picture], Picture]:
        """torchvision's, which are slow to import: when they are first needed."""
        from torchvision.transforms import v2

        return v2.Compose([v2.Resize(self.shorter, antialias=True), v2.CenterCrop(self.size)])

    def forward(self, image: Picture) -> Picture:
        return self.steps(image)


class Same(PerBatch):
    """Leaves pictures as they are, as float in 0 … 1: for evaluation, and for training without changes.

    >>> Same()(torch.full((1, 1, 1, 1), 255, dtype=torch.uint8))
    tensor([[[[1.]]]])
    """

    def forward(self, images: Pictures) -> Float[Tensor, "b c h w"]:
        return as_float(images)


class Chain(PerBatch):
    """One change after the other.

    >>> Chain(steps=(RandomReflection(), RandomAffine()))(torch.zeros(4, 1, 32, 32)).shape
    torch.Size([4, 1, 32, 32])

    Raises:
        ValueError: for a step that does not change batches.
    """

    steps: tuple[PerBatch, ...] = ()

    def __post_init__(self) -> None:
        for step in self.steps:
            if not isinstance(step, PerBatch):
                raise ValueError(f"Chain takes changes of batches, and {step!r} is none.")

    def forward(self, images: Pictures) -> Float[Tensor, "b c h w"]:
        images = as_float(images)
        for step in self.steps:
            images = step(images)
        return images


class RandomReflection(PerBatch):
    """Mirrors or turns a whole batch, all its pictures alike: letters become letters of an alphabet that does not exist.

    Within a batch the classes stay what they are, so a loss on its pairs sees true labels and many more shapes than
    there are classes; embeddings of shapes that training never saw get better. Not for losses that remember classes
    from one batch to the next (proxies, memories): there a class would be up to eight shapes.

    Args:
        share: how often the batch is changed: mirrored left to right, upside down, or both, with equal chance.
        quarter_turns: adds the four changes that swap width and height. They also turn slanted type and heavy stems into
            what no typeface does, which is why letters do better without.

    >>> RandomReflection(share=0.0)(torch.tensor([[[[1.0, 2.0]]]]))
    tensor([[[[1., 2.]]]])

    Raises:
        ValueError: for a share outside 0 … 1.
    """

    share: float = 0.5
    quarter_turns: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is in 0 … 1, and {self.share} is not.")

    def forward(self, images: Pictures) -> Float[Tensor, "b c h w"]:
        images = as_float(images)
        if torch.rand(()) >= self.share:
            return images
        way = int(torch.randint(1, 8 if self.quarter_turns else 4, ()))
        axes = [axis for axis, bit in ((2, 1), (3, 2)) if way & bit]
        images = images.flip(axes) if axes else images
        return images.transpose(2, 3) if way & 4 else images


class RandomAffine(PerBatch):
    """Turns, stretches, slants and shifts each picture a little, each by its own random amounts.

    Each amount is uniform between minus and plus its limit. What comes in from outside the picture is black (0).

    Args:
        turn: degrees. stretch: log of the factor along x, and along y, drawn apart. slant: x per y. shift: of the side.

    >>> RandomAffine()(torch.zeros(4, 1, 32, 32, dtype=torch.uint8)).shape
    torch.Size([4, 1, 32, 32])

    Raises:
        ValueError: for a negative limit.
    """

    turn: float = 10.0
    stretch: float = 0.2
    slant: float = 0.25
    shift: float = 0.08

    def __post_init__(self) -> None:
        if min(self.turn, self.stretch, self.slant, self.shift) < 0:
            raise ValueError(f"The limits of {self!r} cannot be negative.")

    def forward(self, images: Pictures) -> Float[Tensor, "b c h w"]:
        images = as_float(images)
        maps = self.draw(len(images)).to(images)
        return functional.grid_sample(
            images, functional.affine_grid(maps, list(images.shape), align_corners=False), align_corners=False
        )

    def draw(self, n: int) -> Float[Tensor, "n 2 3"]:
        """Random maps from a place in the result to a place in the picture, sides from −1 to 1."""
        limits = torch.tensor([math.radians(self.turn), self.stretch, self.stretch, self.slant, *[2 * self.shift] * 2])
        turn, wide, high, slant, right, down = ((torch.rand(n, 6) * 2 - 1) * limits).unbind(1)
        cos, sin, wide, high = turn.cos(), turn.sin(), wide.exp(), high.exp()
        rows = (cos * wide, (cos * slant - sin) * high, right, sin * wide, (sin * slant + cos) * high, down)
        return torch.stack(rows, 1).view(n, 2, 3)


def as_float(images: Pictures) -> Float[Tensor, "b c h w"]:
    """uint8 in 0 … 255 as float in 0 … 1; float as it is."""
    return images / 255 if images.dtype == torch.uint8 else images
