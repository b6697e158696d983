"""What learned representatives of classes cost by themselves, whatever the batch."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from isometry.component import Component


class Penalty(Component):
    """Maps proxies to a cost of their own: `Proxies(penalty=…)` adds `weight` times it, once a call."""

    weight: float = 1.0

    @abstractmethod
    def cost(self, proxies: Float[Tensor, "c k d"]) -> Float[Tensor, ""]:
        """The cost of the proxies: k centres of each of c classes."""

    def forward(self, proxies: Float[Tensor, "c *k d"]) -> Float[Tensor, ""]:
        return self.weight * self.cost(proxies if proxies.ndim == 3 else proxies[:, None])
