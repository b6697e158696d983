"""How many items of the gallery match each query."""

import torch
from jaxtyping import Int
from torch import Tensor

from isometry.ops.memory import in_bytes
from isometry.ops.ranking import occurrences, relevant
from isometry.protocols.rankings import Contest


def relevant_items(c: Contest) -> Int[Tensor, " n"]:
    """Matches of each query, what is left out for it not counted: by grouping for classes, by products for label sets."""
    q, g = c.q, c.g
    if q.y.ndim == 2:
        parts = []
        for at in torch.arange(len(q.y), device=q.y.device).split(max(1, in_bytes(c.memory) // (16 * len(g.y)))):
            parts.append((c.matches(at) & c.others(at)).sum(1))
        return torch.cat(parts)
    count = relevant(q.y, g.y, q.ids, g.ids)
    if c.same_sequence is None:
        return count
    code, code_g = c.same_sequence
    count = count - occurrences(code, code_g)
    if q.ids is not None and g.ids is not None:  # what shares the id and the sequence was taken away twice
        pairs = torch.cat([torch.stack([q.ids, code], 1), torch.stack([g.ids, code_g], 1)])
        both = torch.unique(pairs, dim=0, return_inverse=True)[1]
        same = occurrences(both[: len(code)], both[len(code) :])
        count = count + torch.where(code >= 0, same, 0)
    return count.clamp_min(0)
