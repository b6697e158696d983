"""Heads that can be run backwards: normalising flows, whose stretch of volume is known exactly at every point.

They are written here and not taken from a library of density models (zuko is a good one), because a head has to begin as
the identity, keep its scales within a bound that the user sets, give J⁻¹u beside log |det J| from one pass, stay in
float32 under autocast, and be exported as a plain graph.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isometry import distributed
from isometry.embedded import Embedded
from isometry.heads.bijections import Chain, Permutation, Step
from isometry.heads.head import Head
from isometry.ops.mixed import single

SEED = 20230501  # of the permutations: the same in every run, so that they are no source of noise between seeds


class Flow(Head):
    """Maps features to the embedding by a linear layer and a flow F of R^d onto itself: z = F(W h + b).

    At its start F is exactly the identity, so that the head begins as `Linear`. The determinant of F's Jacobian, which
    `Determinant` keeps small, comes with z; the inverse costs as much as F.

    Args:
        clamp: c, the bound of every log scale: s = c tanh(ŝ/c).
        second: trains a second flow of the same shape, with weights of its own, beside the first. Its output is the
            branch; the first alone is used afterwards.
        lr_multiple: how many times the head's rate the flow learns at; the linear layer keeps the head's.
    """

    clamp: float = 1.0
    second: bool = False
    lr_multiple: float = 1.0  # type: ignore[misc]

    def __post_init__(self) -> None:
        self.check_sizes()
        if self.dim < 2:
            raise ValueError(f"{self!r}: a flow needs dim of at least 2; for one dimension take Linear(dim=1).")
        if not 0 < self.clamp < math.inf:
            raise ValueError(f"{self!r}: the clamp bounds log scales: it is positive and finite.")
        self.layer = nn.Linear(self.in_features, self.dim)
        self.first = self.made()
        self.mate = self.made() if self.second else None

    @abstractmethod
    def steps(self) -> list[Step]:
        """The steps of a new flow."""

    def made(self) -> Chain:
        """A new flow."""
        chain = Chain(self.dim, self.steps())
        for module in chain.modules():
            module.lr_multiple = self.lr_multiple  # type: ignore[assignment]
        return chain

    def start(self, h: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """x = W h + b, with h after the layer norm: the point at which F is looked at."""
        return self.layer(self.normed(h))

    def project(self, h: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        return self.first.flow(self.layer(h))

    def embedded(self, h: Float[Tensor, "n p"]) -> Embedded:
        """What training sees; its trace is x, and what either flow made of it (None for a second one that is not there)."""
        x = single(self.start(h))
        made, beside = self.first.traced(x), None if self.mate is None else self.mate.traced(x)
        z = made.z
        if beside is not None and distributed.ranks() > 1:
            z = z + 0 * beside.z.sum()  # no weight without a gradient in any step: what averages them waits for all
        return Embedded(self.scaled(z), h, () if beside is None else (beside.z,), trace=(x, made, beside))

    def branches(self, h: Float[Tensor, "n p"]) -> tuple[Tensor, ...]:
        return () if self.mate is None else (self.mate.flow(self.layer(h)),)

    def flow(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """z = F(x)."""
        return self.first.flow(x)

    def with_log_det(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, " n"]]:
        """z, and log |det ∂F/∂x| of each row, exactly."""
        return self.first.with_log_det(x)

    def inverse(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """x = F⁻¹(z)."""
        return self.first.inverse(z)

    def pulled_back(
        self, x: Float[Tensor, "n d"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """z, log |det J| and J⁻¹u, where J = ∂F/∂x and u = z/‖z‖, in about two passes of F."""
        return self.first.pulled_back(x)


def subnet_width(dim: int, width: int, blocks: int) -> int:
    """The width of the subnets: as given, or half the dimensions and at least 16.

    Raises:
        ValueError: for a width below 0 or no blocks.
    """
    if width < 0 or blocks < 1:
        raise ValueError(
            f"A flow has at least 1 block, and a width of 0 (by itself) or more; got {blocks} and {width}."
        )
    return width or max(16, dim // 2)


def woven(dim: int, groups: Sequence[Sequence[Step]]) -> list[Step]:
    """The groups of steps one after the other, a random permutation between any two, and at the end all undone."""
    generator = torch.Generator().manual_seed(SEED)
    places, steps = torch.arange(dim), list(groups[0])
    for group in groups[1:]:
        order = torch.randperm(dim, generator=generator)
        places = places[order]
        steps += [Permutation(order), *group]
    return [*steps, Permutation(places.argsort())] if len(groups) > 1 else steps


def pairs(couplings: Sequence[Step]) -> list[Sequence[Step]]:
    """Two couplings at a time: the second moves the half that the first reads."""
    return [couplings[k : k + 2] for k in range(0, len(couplings), 2)]
