"""Integrated gradients (Sundararajan, Taly and Yan, ICML 2017) of the similarity of pairs."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isometry.embedder import Ready
from isometry.expression import parse
from isometry.ops.mixed import full_precision, single
from isometry.similarity import Similarity

Compare = Callable[[Tensor, Tensor], Tensor]
HALF = (torch.float16, torch.bfloat16)
ROWS = 64  # compared at once: similarities compare all with all, of which only row i with row i is wanted


@contextmanager
def quiet(net: nn.Module) -> Iterator[nn.Module]:
    """The model in evaluation mode and at least single precision, whatever surrounds the call; its mode is put back.

    A model in half precision is copied, since its gradients would vanish; and so is one that was made in inference mode.
    """
    training, weights = net.training, next(net.parameters())
    try:
        with torch.inference_mode(False), torch.enable_grad(), full_precision(weights):
            used = copy.deepcopy(net) if weights.is_inference() or weights.dtype in HALF else net
            yield (used.float() if weights.dtype in HALF else used).eval()
    finally:
        if training:
            net.train()


def compared_by(model: Ready) -> str:
    """The similarity that a model was trained for."""
    return str(model.note.get("similarity", "cosine"))


def similarity_of(text: str) -> Similarity:
    """The similarity that a text stands for.

    Raises:
        ValueError: when it stands for something else.
    """
    parsed = parse(text)
    if not isinstance(parsed, Similarity):
        raise ValueError(f"{text!r} is no similarity; one is written like 'cosine' or 'euclidean'.")
    return parsed


def comparison(text: str) -> Compare:
    """The similarity of row i of one side to row i of the other."""
    chosen = similarity_of(text)
    return lambda z, r: torch.cat([chosen(x, y).diagonal() for x, y in zip(z.split(ROWS), r.split(ROWS), strict=True)])


def embedded(net: nn.Module, images: Float[Tensor, "n c h w"], batch_size: int) -> Float[Tensor, "n d"]:
    """Embeddings, without gradient."""
    with torch.no_grad():
        return torch.cat([single(net(some).z) for some in images.split(batch_size)])


def added(
    net: nn.Module,
    score: Compare,
    images: Float[Tensor, "n c h w"],
    starts: Float[Tensor, "n c h w"],
    partners: Float[Tensor, "n d"],
    *,
    steps: int,
    batch_size: int,
) -> Float[Tensor, "n h w"]:
    """What each pixel adds to the score on the straight way from `starts` to `images`, the partner staying as it is.

    With x' the start and x the picture, pixel p adds Σ_c (x − x')_pc · mean_k ∂s/∂x_pc at x' + (k − ½)/steps · (x − x'):
    the midpoint rule for the integral, whose sum over the pixels is s(x) − s(x').

    Raises:
        ValueError: for a similarity that has no gradient.
    """
    heat = torch.zeros_like(images[:, 0])
    for rows in torch.arange(len(images) * steps, device=images.device).split(batch_size):
        pair, step = rows // steps, rows % steps
        way = images[pair] - starts[pair]
        leaf = (starts[pair] + ((step + 0.5) / steps).view(-1, 1, 1, 1) * way).requires_grad_()
        total = score(single(net(leaf).z), partners[pair]).sum()
        if not total.requires_grad:
            raise ValueError(
                "This similarity has no gradient, so nothing can be traced back: compare by cosine instead."
            )
        (slope,) = torch.autograd.grad(total, leaf)
        heat.index_add_(0, pair, (slope * way).sum(1) / steps)
    return heat
