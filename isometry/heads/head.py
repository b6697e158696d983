"""What every head has: a vector a picture in, an embedding out."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from isometry.component import Component, from_data
from isometry.embedded import Embedded


class Head(Component):
    """Maps pooled features `h` `[n p]` to embeddings `z` `[n d]`.

    `z` is not normalised unless `normalise` says so: how long it is, is the similarity's business (`cosine` divides it out,
    `euclidean` does not). On unit vectors both rank alike.

    Attributes:
        dim: dimensions d of the embedding.
        layer_norm: brings each `h` to mean 0 and variance 1 first, without weights of its own (Teh et al., ECCV 2020).
        normalise: brings each `z` to length 1, in training and in use.
    """

    dim: int = 128
    layer_norm: bool = False
    normalise: bool = False
    in_features: int = from_data()

    @abstractmethod
    def project(self, h: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """The map itself, after the norm."""

    def forward(self, h: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        return self.scaled(self.project(self.normed(h)))

    def embedded(self, h: Float[Tensor, "n p"]) -> Embedded:
        """What training sees: z, h, and the branches."""
        return Embedded(self(h), h, self.branches(self.normed(h)))

    def branches(self, h: Float[Tensor, "n p"]) -> tuple[Tensor, ...]:
        """Further embeddings, which terms such as `EachBranch` and `S2SD` train; none unless a head says otherwise."""
        return ()

    @property
    def slope(self) -> Float[Tensor, "d p"] | None:
        """The Jacobian of `project`, where it is the same at every point; None where it is not."""
        return None

    def normed(self, h: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        """h after the layer norm, if there is one.

        Raises:
            ValueError: for an h of another width, as pictures of another size have where the pool keeps places apart.
        """
        if h.shape[-1] != self.in_features:
            raise ValueError(
                f"The head takes {self.in_features:,} features of a picture and got {h.shape[-1]:,}: give pictures of the size "
                "of those in training, or a transform that brings them to it, such as CentreCrop(size=…)."
            )
        return functional.layer_norm(h, h.shape[-1:]) if self.layer_norm else h

    def scaled(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """z at length 1, where `normalise` says so."""
        return functional.normalize(z, dim=1) if self.normalise else z

    def check_sizes(self, *sizes: int) -> None:
        """Raises a ValueError unless all are at least 1."""
        if min(self.dim, self.in_features, *sizes) < 1:
            raise ValueError(f"{self!r} on {self.in_features} features: every size must be at least 1.")
