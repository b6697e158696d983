"""Template pooling of IJB-B and IJB-C (Whitelam et al., CVPRW 2017, "IARPA Janus Benchmark-B face dataset"; Maze et
al., ICB 2018, "IARPA Janus Benchmark-C").

As in the code that published results come from: features enter unnormalised, for a face that is hard to see has a short
one; where the face detector's scores are given they multiply the features, and the mean over a medium still divides by
the number of its images.
"""

from typing import Any

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from isometry.ops.memory import in_bytes
from isometry.protocols.sides import tensor


def pool(
    z: Any, template: Any, medium: Any, *, weight: Any = None, memory: str | int = "256 MB"
) -> tuple[Float32[Tensor, "t d"], Int64[Tensor, " t"]]:
    """One unit vector a template, so that a video counts no more than a photograph.

    s_t = Σ_{media m of t} (1/|m|) Σ_{i in m} w_i z_i, and the result is s_t / ‖s_t‖. (A sum of zero stays zero.)

    Args:
        z: embeddings of the images `[n d]`, as the network gives them: not normalised.
        template, medium: integers `[n]`. The same medium in two templates is two media.
        weight: multiplies each image's embedding, `[n]`; the published protocol takes the face detector's score.
        memory: for the rows that are converted at a time, beside the result.

    Returns:
        The embeddings and what the templates are called, in increasing order, on the device of `z`.

    >>> z = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0]])
    >>> pool(z, [7, 7, 7], [1, 1, 2])  # a video of two frames and a photograph
    (tensor([[0.7071, 0.7071]]), tensor([7]))

    Raises:
        ValueError: for anything that is not n embeddings with n templates, media and weights.
    """
    z = tensor(z, "Embeddings")
    names = {"templates": template, "media": medium} | ({} if weight is None else {"weights": weight})
    given = {name: tensor(value, name.capitalize()).to(z.device) for name, value in names.items()}
    for name, value in given.items():
        whole = name == "weights" or not value.is_floating_point()
        if z.ndim != 2 or value.shape != z.shape[:1] or not whole:
            kind = "numbers" if name == "weights" else "integers"
            raise ValueError(
                f"Pooling takes embeddings [n d] and {name} [n], {kind}; got {list(z.shape)} and "
                f"{str(value.dtype)[6:]} {list(value.shape)}."
            )
    found, of = torch.unique(given["templates"].long(), return_inverse=True)
    media, in_medium = torch.unique(given["media"].long(), return_inverse=True)
    _, group, count = torch.unique(of * len(media) + in_medium, return_inverse=True, return_counts=True)
    share = 1 / count[group].double()
    if weight is not None:
        share *= given["weights"].double()
    total = torch.zeros(len(found), z.shape[1], dtype=torch.float64, device=z.device)
    for rows in torch.arange(len(z), device=z.device).split(max(1, in_bytes(memory) // (24 * max(1, z.shape[1])))):
        total.index_add_(0, of[rows], z[rows].double() * share[rows, None])
    length = total.norm(dim=1, keepdim=True)
    return (total / torch.where(length > 0, length, 1)).float(), found
