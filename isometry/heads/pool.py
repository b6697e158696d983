"""Pooling: the features of all places of a picture become one vector."""

from abc import abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from isometry.component import Component

Features = Float[Tensor, "b c h w"] | Float[Tensor, "b t c"]


class Pool(Component):
    """Maps feature maps `[b c h w]` or tokens `[b t c]` to one vector a picture, `[b c]` unless it `keeps_places`."""

    keeps_places: ClassVar[bool] = False
    """Whether the vector grows with the picture."""

    @abstractmethod
    def over_places(self, features: Float[Tensor, "b p c"]) -> Float[Tensor, "b f"]:
        """The map itself; a place is a pixel of the map, or a token."""

    def forward(self, features: Features) -> Float[Tensor, "b f"]:
        places = features.flatten(2).transpose(1, 2) if features.ndim == 4 else features
        return self.over_places(places)


class Average(Pool):
    """Pools by the mean over places: what is there, in the share of the picture that it takes.

    >>> import torch
    >>> Average()(torch.tensor([[[[0.0, 4.0]]]]))
    tensor([[2.]])
    """

    def over_places(self, features: Float[Tensor, "b p c"]) -> Float[Tensor, "b c"]:
        return features.mean(1)


class Max(Pool):
    """Pools by the maximum over places: whether it is there, anywhere.

    >>> import torch
    >>> Max()(torch.tensor([[[[0.0, 4.0]]]]))
    tensor([[4.]])
    """

    def over_places(self, features: Float[Tensor, "b p c"]) -> Float[Tensor, "b c"]:
        return features.amax(1)


class AveragePlusMax(Pool):
    """Pools by the sum of mean and maximum, as the code of Proxy-Anchor does (Kim et al., CVPR 2020).

    >>> import torch
    >>> AveragePlusMax()(torch.tensor([[[[0.0, 4.0]]]]))
    tensor([[6.]])
    """

    def over_places(self, features: Float[Tensor, "b p c"]) -> Float[Tensor, "b c"]:
        return features.mean(1) + features.amax(1)


class Flatten(Pool):
    """Keeps every place apart: `[b c h w]` becomes `[b h·w·c]`, so that the head knows where a feature lies.

    For aligned pictures of one size, such as letters; the head then takes that size only.

    >>> import torch
    >>> Flatten()(torch.zeros(2, 8, 4, 4)).shape
    torch.Size([2, 128])
    """

    keeps_places: ClassVar[bool] = True

    def over_places(self, features: Float[Tensor, "b p c"]) -> Float[Tensor, "b f"]:
        return features.flatten(1)
