"""What every trunk has: pictures to feature maps, and what is known of both ends."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from isometry.component import Component

Features = Float[Tensor, "b c y x"] | Float[Tensor, "b t c"]

_unfilled: ContextVar[bool] = ContextVar("unfilled", default=False)


@contextmanager
def unfilled() -> Iterator[None]:
    """Inside, trunks are made without looking for published weights: a checkpoint supplies them.

    >>> from isometry.trunks import Timm
    >>> with unfilled():
    ...     trunk = Timm(name="resnet18")
    """
    token = _unfilled.set(True)
    try:
        yield
    finally:
        _unfilled.reset(token)


def wants_weights() -> bool:
    """Whether published weights are to be looked for here."""
    return not _unfilled.get()


class Ends(NamedTuple):
    """What goes into a trunk and what comes out of it; see the properties of `Trunk`."""

    in_channels: int
    out_features: int
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Trunk(Component):
    """Maps pictures `[b c h w]` to feature maps `[b c h w]` or tokens `[b t c]`.

    Pictures come normalised: `isometry.model.Embedder` subtracts `mean` and divides by `std`.

    A trunk makes its layers in `__post_init__`, says what its `ends` are, and calls `freeze`.

    Attributes:
        freeze_batch_norm: keeps batch norm as it is: neither its statistics nor its weights change in training. With
            pretrained weights and small batches this is worth points (Musgrave et al., ECCV 2020).
    """

    freeze_batch_norm: bool = False

    @abstractmethod
    def forward(self, images: Float[Tensor, "b c h w"]) -> Features: ...

    @property
    @abstractmethod
    def ends(self) -> Ends:
        """What goes in and what comes out."""

    @property
    def in_channels(self) -> int:
        """Channels that pictures must have."""
        return self.ends.in_channels

    @property
    def out_features(self) -> int:
        """Channels of the maps, or features of a token."""
        return self.ends.out_features

    @property
    def image_size(self) -> int:
        """Side, in pixels, of the pictures that the weights are made for."""
        return self.ends.image_size

    @property
    def mean(self) -> tuple[float, ...]:
        """What is subtracted from each channel; full brightness is 1."""
        return self.ends.mean

    @property
    def std(self) -> tuple[float, ...]:
        """What each channel is then divided by."""
        return self.ends.std

    def freeze(self) -> None:
        """Takes batch norm out of training, where asked for; for `__post_init__`, once the layers are there."""
        if self.freeze_batch_norm:
            for layer in self.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "Trunk":
        super().train(mode)
        if self.freeze_batch_norm:
            for layer in self.modules():
                if isinstance(layer, _BatchNorm):
                    nn.Module.train(layer, False)
        return self
