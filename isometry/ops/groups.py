"""Groups of equally similar items in the order of a gallery."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def equals(
    sim: Float[Tensor, "n m"], match: Bool[Tensor, "n m"], deep: int, worth: list[Float[Tensor, "n m"]], merge: bool
) -> tuple[Int[Tensor, "n t"], Int[Tensor, "n t"], list[Float[Tensor, "n t"]]]:
    """Sizes of the groups of equals, most similar first, how many of each match, and sums of `worth` over each.

    Args:
        sim: similarities; −inf for items that are left out.
        deep: the groups that begin among the first so many items are given, and those up to the first match.
        merge: give the groups up to the last match, and let neighbouring groups without a match stand as one.

    >>> sim = torch.tensor([[0.9, 0.5, 0.5, 0.1]])
    >>> equals(sim, torch.tensor([[False, True, False, False]]), 2, [], False)[:2]
    (tensor([[1, 2]]), tensor([[0, 1]]))
    """
    ordered, order = sim.sort(dim=1, descending=True)
    hit, held = match.gather(1, order).long(), (ordered > -torch.inf).long()
    new = torch.ones_like(hit, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    group = new.cumsum(1) - 1
    if merge:
        hits = torch.zeros_like(hit).scatter_add_(1, group, hit).gather(1, group)
        new[:, 1:] &= (hits[:, 1:] > 0) | (hits[:, :-1] > 0)
        group = new.cumsum(1) - 1
    place = torch.arange(sim.shape[1], device=sim.device)
    reach = torch.where(hit > 0, place, -1).amax(1) if merge else torch.where(hit > 0, place, len(place)).amin(1)
    reach = reach.clamp(0, len(place) - 1).clamp_min(min(deep, len(place)) - 1)
    count = int(group.gather(1, reach[:, None]).max()) + 1
    group = group.clamp_max(count)

    def total(x: Tensor) -> Tensor:
        return x.new_zeros(len(x), count + 1).scatter_add_(1, group, x)[:, :count]

    return total(held), total(hit), [total(w.gather(1, order) * held) for w in worth]
