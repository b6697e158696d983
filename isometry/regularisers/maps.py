"""Which map a regulariser looks at: the head, its second flow, or the whole model."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from isometry.caching import running_statistics_held
from isometry.embedded import Embedded
from isometry.regularisers.local import Draw, FlowLocal, LinearLocal, Local

Map = Callable[[Embedded, Draw, bool], Local]


def head(embedded: Embedded, draw: Draw, detach: bool = False) -> Local:
    """The head, where the batch's features stand: a flow F after its linear layer, any other head after its layer norm.

    Nothing of the trunk is run again. `detach` holds the features: what is made of it trains the head alone.
    """
    top, h = _head(embedded), _features(embedded, detach)
    if hasattr(top, "pulled_back"):
        return _flow(top.first, embedded, 1, draw, detach) or FlowLocal(top.first, top.start(h), draw)
    x = top.normed(h)
    if top.slope is not None:
        z = None if detach or top.normalise else embedded.z.to(x.dtype)
        return LinearLocal(top.project, top.slope, x, top, draw, z)
    return Local(top.project, x, top.dim, top, draw)


def second(embedded: Embedded, draw: Draw, detach: bool = False) -> Local:
    """The second flow of a head that has one (`RealNVP(second=True)`), where the batch's features stand.

    Raises:
        ValueError: for another head.
    """
    top = _head(embedded)
    if getattr(top, "mate", None) is None:
        raise ValueError(f"The head {top!r} has no second flow: take one such as RealNVP(second=True).")
    at = _flow(top.mate, embedded, 2, draw, detach)
    return at or FlowLocal(top.mate, top.start(_features(embedded, detach)), draw)


def model(embedded: Embedded, draw: Draw, detach: bool = False) -> Local:
    """The whole model, pictures to embeddings (features to embeddings, where only a head is trained), run once more.

    In training a batch norm normalises with the batch, which ties rows together: the derivative by a picture is then that of
    all embeddings of the batch. Its running statistics stay as they are.

    Raises:
        ValueError: where pictures are not at hand, as in gradient caching.
    """
    if detach:
        raise ValueError("of=model looks at the trunk too: detach=True, which trains the head alone, is for of=head.")
    _head(embedded)
    whole, images = embedded.model, embedded.images
    if images is None:
        raise ValueError(
            "of=model runs the model on the pictures again, and gradient caching (chunk=…) does not keep them: take "
            "of=head, or chunk=0."
        )
    x = images if images.dtype == torch.float64 else images.float()
    x = x / 255 if images.dtype == torch.uint8 else x

    def run(x: Tensor) -> Tensor:
        kind = type(whole)  # its own forward: what wraps an instance's may turn half precision on again
        with running_statistics_held(whole), sdpa_kernel(SDPBackend.MATH):  # type: ignore[arg-type]
            return kind.forward(whole, x).z  # type: ignore[arg-type, union-attr]

    return Local(run, x.detach(), whole.head.dim, whole, draw)  # type: ignore[arg-type]


def _head(embedded: Embedded) -> Any:
    top: nn.Module | None = getattr(embedded.model, "head", None)
    if top is None or embedded.h is None:
        raise ValueError(
            "This term looks at the head that made the embeddings, and was given embeddings alone: hand it model(images) "
            "of an Embedder, as training does."
        )
    return top


def _flow(flow: Any, embedded: Embedded, which: int, draw: Draw, detach: bool) -> FlowLocal | None:
    """A flow where it has been run, with what it made; None where that is not at hand, or features are to be held."""
    if embedded.trace is None or detach:
        return None
    return FlowLocal(flow, embedded.trace[0], draw, embedded.trace[which])


def _features(embedded: Embedded, detach: bool) -> Tensor:
    h: Tensor = embedded.h  # type: ignore[assignment]
    h = h if h.dtype == torch.float64 else h.float()
    return h.detach() if detach else h
