"""A small convolutional net for small pictures: strided convolutions with batch norm, halving as they widen."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from isometry.trunks.trunk import Ends, Trunk


class ConvNet(Trunk):
    """Sees small pictures (letters, digits, icons) through a few convolutions; trains in minutes without a GPU.

    The first convolution is 5×5, the others 3×3; all but the last have stride 2, and so has a single one. With four
    widths a 32×32 picture becomes a 4×4 map. A step takes about half the time of one that convolves first and then takes
    2×2 maxima, and weights in channels-last layout save a fifth; on the embedded letters the steps gained are worth
    more. Pictures are not shifted or scaled: batch norm does that, and what surrounds them is black.

    Args:
        widths: channels after each convolution.
        levels: how many of the last convolutions the maps are taken from, one beside the other, as hypercolumns are
            (Hariharan et al., CVPR 2015); larger maps are averaged down. Earlier features are less tied to the shapes
            seen in training: on letters of unseen scripts three levels are worth points.
        channels: of the pictures; 1 is grey.
        size: side of the pictures, in pixels. Any other works, but resolution is part of what is learned.

    >>> import torch
    >>> trunk = ConvNet()
    >>> trunk(torch.zeros(2, 1, 32, 32)).shape
    torch.Size([2, 128, 4, 4])

    Raises:
        ValueError: for no widths, more levels than widths, or pictures of another number of channels.
    """

    widths: tuple[int, ...] = (32, 64, 128, 128)
    levels: int = 1
    channels: int = 1
    size: int = 32

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1 or self.channels < 1:
            raise ValueError(f"{self!r} needs at least one width, and widths and channels of at least 1.")
        if not 1 <= self.levels <= len(self.widths):
            raise ValueError(f"{self!r} has {len(self.widths)} convolutions, and levels is from 1 to that.")
        self.layers = nn.Sequential(block(self.channels, self.widths[0], kernel=5, stride=2))
        for place, (narrow, wide) in enumerate(zip(self.widths, self.widths[1:], strict=False), start=2):
            self.layers.append(block(narrow, wide, kernel=3, stride=1 if place == len(self.widths) else 2))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.freeze()

    @property
    def ends(self) -> Ends:
        features = sum(self.widths[-self.levels :])
        return Ends(self.channels, features, self.size, (0.0,) * self.channels, (1.0,) * self.channels)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b f y x"]:
        maps = [images.contiguous(memory_format=torch.channels_last)]
        for layer in self.layers:
            maps.append(layer(maps[-1]))
        taken, size = maps[-self.levels :], (maps[-1].shape[-2], maps[-1].shape[-1])
        if self.levels == 1:
            return taken[0]
        return torch.cat([functional.adaptive_avg_pool2d(m, size) if m.shape[-2:] != size else m for m in taken], 1)


def block(narrow: int, wide: int, *, kernel: int, stride: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    convolution = nn.Conv2d(narrow, wide, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(wide), nn.ReLU(inplace=True))
