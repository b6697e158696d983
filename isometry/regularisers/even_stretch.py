"""A one-sided penalty of uneven stretch between samples (ours; the question is that of "Determinant regularization for deep
metric learning", OpenReview 2022)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from isometry import distributed
from isometry.cost import Cost, ratio
from isometry.embedded import Embedded
from isometry.term import Regulariser

LEAST = 1e-12  # of a squared distance: closer samples are left out


class EvenStretch(Regulariser):
    """Keeps any two samples from being torn farther apart than pairs of this batch typically are.

    s_ij = log(‖u_i − u_j‖ / ‖h_i − h_j‖) is how much the head stretches what lies between two samples, with h its input and
    u = z / ‖z‖; their mean over pairs, s̄, is held constant. The cost is the mean over pairs of [s_ij − s̄]₊². The largest e^s_ij
    is a lower bound of the head's Lipschitz constant, taken *between* samples, where new classes lie; pairs that are drawn
    together cost nothing, so that the host may contract classes. A map that stretches all pairs alike costs nothing, and
    the scales of z and of h change nothing.

    It needs nothing of the head but its input, and no derivative. Every sample is compared with `partners` others, spread
    evenly over the batch: O(n · partners · d).

    Ours, tried against the published volumes in the determinant study.

    >>> import torch
    >>> from isometry.embedded import Embedded
    >>> h = torch.eye(4)
    >>> float(EvenStretch()(Embedded(3 * h, h), torch.arange(4)))  # an isometry but for its scale
    0.0

    Raises:
        ValueError: for embeddings that come without the head's input, or fewer than one partner.
    """

    partners: int = 128

    def __post_init__(self) -> None:
        if self.partners < 1:
            raise ValueError(f"{self!r}: a sample has at least one partner.")

    def penalty(self, embedded: Embedded) -> Cost:
        if embedded.h is None:
            raise ValueError(
                "EvenStretch compares embeddings with the head's input; got embeddings alone: give Embedded(z, h)."
            )
        u, h = functional.normalize(embedded.z, dim=1), embedded.h.to(embedded.z.dtype)
        other = beside(len(u), self.partners, u.device)
        after, before = squares(u, other), squares(h, other)
        there = ((after > LEAST) & (before > LEAST)).to(u.dtype)
        stretch = 0.5 * (after.clamp_min(LEAST).log() - before.clamp_min(LEAST).log())
        pairs = distributed.add_up(there.sum())
        typical = distributed.add_up((stretch * there).sum().detach()) / pairs.clamp_min(1)
        excess = (stretch - typical).clamp_min(0).square() * there
        return Cost(stretch=ratio(excess.sum(1), there.sum(1)))


def beside(n: int, partners: int, device: torch.device) -> Int[Tensor, "n k"]:
    """The rows that each of n rows is compared with: so many steps on in a circle, the steps spread evenly."""
    count = max(min(partners, n - 1), 0)
    steps = 1 + torch.arange(count, device=device) * max(n - 1, 1) // max(count, 1)
    return (torch.arange(n, device=device)[:, None] + steps) % max(n, 1)


def squares(x: Float[Tensor, "n d"], other: Int[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Squared distances of each row to its partners."""
    norms = x.square().sum(1)
    if 4 * other.shape[1] > len(x) or not other.numel():  # a product of all with all is the cheaper
        return (norms[:, None] + norms - 2 * x @ x.T).clamp_min(0).gather(1, other)
    return torch.stack([norms + norms[at] - 2 * (x * x[at]).sum(1) for at in other.T], 1).clamp_min(0)
