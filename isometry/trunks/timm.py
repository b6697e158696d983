"""Any trunk that PyTorch Image Models (Wightman, 2019) knows, by its name."""

import difflib
import re
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isometry.trunks.trunk import Ends, Features, Trunk, wants_weights


class Timm(Trunk):
    """Sees pictures as a published network does: a convolutional one gives maps, a transformer gives tokens.

    Args:
        name: timm's name of the model, with or without the tag of its weights: `resnet50`, `resnet50.a1_in1k`.
        pretrained: starts from published weights; else from random ones.
        weights: a local file to take them from (`.safetensors`, or `.pth` read without running code), in place of the
            hub. A classifier in it is left out.
        class_token: gives the transformer's class token alone, as the only token; else its patches alone.

    >>> import torch
    >>> Timm(name="resnet18", pretrained=False)(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 512, 2, 2])
    >>> Timm(name="resnet51", pretrained=False)
    Traceback (most recent call last):
    ValueError: timm has no model 'resnet51'. Nearest: 'resnet51q', 'resnet50', 'resnet18'.

    Raises:
        ValueError: for a name that timm does not know (the nearest ones are given), a file whose weights do not fit, or
            a class token where there is none.
        FileNotFoundError: when the file is not there.
        ConnectionError: when the hub cannot be reached.
    """

    name: str = "resnet50"
    pretrained: bool = True
    weights: str | None = None
    class_token: bool = False

    def __post_init__(self) -> None:
        from_hub = self.pretrained and self.weights is None and wants_weights()
        self.net = _made(self.name, from_hub)
        if self.weights is not None and wants_weights():
            _fill(self.net, self.weights)
        if self.class_token and not self._prefix:
            raise ValueError(f"{self.name} has no class token: leave class_token out.")
        self.freeze()

    @property
    def ends(self) -> Ends:
        config: dict[str, Any] = self.net.pretrained_cfg  # type: ignore[assignment]
        features = int(self.net.num_features)  # type: ignore[arg-type]
        return Ends(3, features, config["input_size"][-1], config["mean"], config["std"])

    @property
    def _prefix(self) -> int:
        return int(getattr(self.net, "num_prefix_tokens", 0))

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Features:
        features = self.net.forward_features(images)  # type: ignore[operator]
        if features.ndim == 4 and getattr(self.net, "output_fmt", "NCHW") == "NHWC":
            return features.permute(0, 3, 1, 2)
        if features.ndim == 3:
            return features[:, :1] if self.class_token else features[:, self._prefix :]
        return features


def nearest_models(name: str) -> str:
    """Models whose names are like `name`, to put into a message."""
    import timm

    close = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
    return f" Nearest: {', '.join(map(repr, close))}." if close else ""


def knows(name: str) -> bool:
    """Whether timm has a model of this name; the tag of its weights is not looked at."""
    import timm

    return re.fullmatch(r"[\w.\-]+", name) is not None and timm.is_model(name)


def _made(name: str, pretrained: bool) -> nn.Module:
    import timm

    if not knows(name):
        raise ValueError(f"timm has no model {name!r}.{nearest_models(name)}")
    try:
        with _no_retries_offline():
            return timm.create_model(name, pretrained=pretrained, num_classes=0)
    except RuntimeError as error:
        if "No pretrained weights" in str(error) or "Invalid pretrained tag" in str(error):
            raise ValueError(
                f"{_line(error)} Write Timm(name={name!r}, pretrained=False), or weights='FILE'."
            ) from None
        raise
    except Exception as error:  # the hub's client raises a dozen kinds, by version and by what is down
        if not pretrained:
            raise
        raise ConnectionError(
            f"The weights of {name} could not be fetched ({type(error).__name__}: {_line(error)}) "
            "Give a local file (--weights FILE), or pretrained=False."
        ) from None


@contextmanager
def _no_retries_offline() -> Iterator[None]:
    """Where the hub's name does not even resolve, looks in its cache at once instead of trying for a minute."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    if not urllib.request.getproxies():  # a proxy resolves names itself
        try:
            socket.getaddrinfo(urllib.parse.urlsplit(constants.ENDPOINT).hostname, 443)
        except OSError:
            constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _fill(net: nn.Module, weights: str) -> None:
    """Loads a local file; a classifier in it is left out."""
    path = Path(weights)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of weights {weights!r}.")
    tensors = _tensors(path)
    wanted = net.state_dict()
    found = {name: tensor for name, tensor in tensors.items() if name in wanted and tensor.shape == wanted[name].shape}
    missing = [name for name in wanted if name not in found and not name.endswith("num_batches_tracked")]
    if missing:
        raise ValueError(
            f"{weights} does not fit: {len(missing)} of {len(wanted)} tensors are missing or of another shape, "
            f"such as {missing[0]!r}. Is it a file of this model, in timm's names?"
        )
    net.load_state_dict(found, strict=False)


def _tensors(path: Path) -> dict[str, Tensor]:
    """What a file holds, in a checkpoint's `state_dict` or `model` if there is one."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        held: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return dict(held.get("state_dict") or held.get("model") or held)
    except Exception as error:  # truncated, not weights at all, or code where only tensors are read
        raise ValueError(f"{path} holds no weights that can be read: {_line(error)}") from None


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
