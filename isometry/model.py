"""The model: trunk, pool and head, written as three expressions, and what training wants to know of it."""

import re
from collections.abc import Iterator
from pathlib import PureWindowsPath

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from isometry.embedded import Embedded
from isometry.expression import names, parse

WEIGHTS_FILE = re.compile(r"""\bweights=(['"])(.*?)\1""")
Images = Float[Tensor, "*b_c_h_w"] | UInt8[Tensor, "*b_c_h_w"]


class Embedder(nn.Module):
    """Maps pictures to embeddings: head(pool(trunk(pictures))).

    Pictures are float in 0 … 1 or uint8 in 0 … 255, not normalised: the trunk's `mean` and `std` are applied here, so
    that training, evaluation and use cannot differ. One channel becomes three where the trunk wants three.

    Args:
        trunk: pictures to feature maps or tokens. pool: to one vector `h`. head: to the embedding `z`.

    >>> embedder = Embedder.parse("ConvNet()", "Average()", "Linear(dim=16)")
    >>> embedder(torch.zeros(2, 1, 32, 32)).z.shape
    torch.Size([2, 16])
    >>> embedder.texts
    {'trunk': 'ConvNet()', 'pool': 'Average()', 'head': 'Linear(dim=16)'}

    Raises:
        ValueError: for pictures of another shape or number of channels than the trunk takes.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, trunk: nn.Module, pool: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.trunk, self.pool, self.head, self.frozen = trunk, pool, head, False
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(getattr(trunk, name)).view(-1, 1, 1), persistent=False)

    @classmethod
    def parse(cls, trunk: str = "ConvNet()", pool: str = "Average()", head: str = "Linear()") -> "Embedder":
        """Builds a model from its three expressions; a trunk may also be a bare name that timm knows."""
        seen = parse_trunk(trunk)
        pooled = parse(pool)
        return cls(seen, pooled, parse(head, in_features=features(seen, pooled)))

    @property
    def texts(self) -> dict[str, str]:
        """The three expressions that rebuild this model (its weights apart); files are named without their folders."""
        return {"trunk": without_folders(repr(self.trunk)), "pool": repr(self.pool), "head": repr(self.head)}

    @property
    def dim(self) -> int:
        """Dimensions of the embedding."""
        return int(self.head.dim)  # type: ignore[arg-type]

    def forward(self, images: Images) -> Embedded:
        h = self.pool(self.trunk(self.normalised(images)))
        made = self.head.embedded(h) if self.training else Embedded(self.head(h), h)  # type: ignore[operator]
        return made._replace(model=self, images=images)

    def freeze_trunk(self) -> None:
        """Leaves the trunk as it is from now on: neither its weights nor its batch norm's statistics change."""
        self.trunk.requires_grad_(False)
        self.frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> "Embedder":
        super().train(mode)
        if self.frozen:
            self.trunk.train(False)
        return self

    def normalised(self, images: Images) -> Float[Tensor, "b k h w"]:
        """What the trunk sees."""
        channels = len(self.mean)
        if images.ndim != 4 or images.shape[1] not in (1, channels):
            raise ValueError(
                f"The trunk takes pictures [b {channels} h w] and got {list(images.shape)}: convert them, "
                "or choose a trunk for them, such as ConvNet(channels=…)."
            )
        if images.dtype == torch.uint8:
            images = images.to(self.mean.dtype) / 255
        return (images - self.mean) / self.std

    def embed(self, images: Images) -> Float[Tensor, "b d"]:
        """Embeddings as they are used: in evaluation mode, without gradient; the mode is put back."""
        training = self.training
        self.eval()
        try:
            with torch.no_grad():
                return self(images).z
        finally:
            self.train(training)


def without_folders(text: str) -> str:
    """A trunk's text, its file of weights by name alone: what is shipped does not say where that lay.

    >>> without_folders("Timm(name='resnet18', weights='/data/mine/a.pth')")
    "Timm(name='resnet18', weights='a.pth')"
    """
    return WEIGHTS_FILE.sub(lambda found: f"weights={PureWindowsPath(found[2]).name!r}", text)


def parse_trunk(text: str) -> nn.Module:
    """The trunk that an expression, or a bare name that timm knows, stands for.

    >>> parse_trunk("ConvNet(channels=3)")
    ConvNet(channels=3)

    Raises:
        ValueError: for a name that is neither a component nor one of timm's; the nearest are given.
    """
    from isometry.trunks.timm import Timm, knows, nearest_models

    text = text.strip()
    bare = re.fullmatch(r"[\w.\-]+", text) is not None
    if bare and text not in names():
        if not knows(text):
            raise ValueError(f"There is no trunk {text!r}, here or in timm.{nearest_models(text)}")
        return Timm(name=text)
    trunk = parse(text)
    if not isinstance(trunk, nn.Module) or not hasattr(trunk, "out_features"):
        raise ValueError(f"{text!r} is no trunk. Write ConvNet(), EfficientNetLite0() or a name that timm knows.")
    return trunk


def features(trunk: nn.Module, pool: nn.Module) -> int:
    """How many features the head is given. A pool that keeps places is tried on a picture of the trunk's own size."""
    if not getattr(pool, "keeps_places", False):
        return int(trunk.out_features)  # type: ignore[arg-type]
    side = int(trunk.image_size)  # type: ignore[arg-type]
    training = trunk.training
    with torch.no_grad():
        h = pool(trunk.eval()(torch.zeros(1, int(trunk.in_channels), side, side)))  # type: ignore[arg-type]
    trunk.train(training)
    return h.shape[1]


def parameter_groups(
    model: nn.Module,
    loss: nn.Module | None = None,
    *,
    lr: float,
    weight_decay: float = 0.01,
    trunk_lr: float | None = None,
    head_lr: float | None = None,
    loss_lr: float | None = None,
) -> list[dict]:
    """Parameters by learning rate and weight decay, as an optimizer takes them; `model` has a trunk, a pool and a head, or
    None for those that are not trained.

    Trunk, head (the pool's weights count to it) and loss learn at rates of their own, `lr` unless given, times the
    `lr_multiple` of the component that holds the parameter: proxies declare 100, since at the trunk's rate they hardly
    move. Decay is for weights of layers: neither norms, biases and scalars nor the loss's parameters decay. What is
    frozen is left out. Each group says where it comes from in `name`.

    >>> model = Embedder.parse("ConvNet()", "GeM()", "Linear()")
    >>> [(g["name"], g["lr"], g["weight_decay"]) for g in parameter_groups(model, lr=0.001, head_lr=0.01)]
    [('trunk', 0.001, 0.01), ('trunk', 0.001, 0.0), ('head', 0.01, 0.0), ('head', 0.01, 0.01)]
    """
    parts = (("trunk", model.trunk, trunk_lr), ("head", model.pool, head_lr), ("head", model.head, head_lr))
    groups: dict[tuple[str, float, float], list[Tensor]] = {}
    taken: set[int] = set()
    for name, part, rate in (*parts, ("loss", loss, loss_lr)):
        for parameter, multiple in _learning(part):  # type: ignore[arg-type]
            if id(parameter) not in taken:
                taken.add(id(parameter))
                decay = weight_decay if parameter.ndim > 1 and name != "loss" else 0.0
                groups.setdefault((name, (lr if rate is None else rate) * multiple, decay), []).append(parameter)
    return [{"name": n, "params": p, "lr": rate, "weight_decay": decay} for (n, rate, decay), p in groups.items()]


def _learning(part: nn.Module | None) -> Iterator[tuple[Tensor, float]]:
    for module in part.modules() if part is not None else ():
        for parameter in module.parameters(recurse=False):
            if parameter.requires_grad:
                yield parameter, float(getattr(module, "lr_multiple", 1.0))


class EMA(AveragedModel):
    """Keeps a moving average of a model's weights and buffers (batch norm's statistics among them).

    After the k-th update the average is ā ← r ā + (1 − r) a, where r = min(decay, k / (k + 10)), k from 0: early on it
    follows the weights, so that a short run is not held back by its random start. `ema.module` is the averaged model.

    >>> model = nn.Linear(1, 1)
    >>> ema = EMA(model, decay=0.99)
    >>> ema.update_parameters(model)
    >>> bool(ema.module.weight == model.weight)
    True

    Raises:
        ValueError: for a decay outside 0 … 1.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"The decay of EMA is at least 0 and below 1; got {decay}.")

        def average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
            keep = min(decay, float(updates) / (float(updates) + 10))
            return torch.lerp(averaged, current, 1 - keep) if averaged.is_floating_point() else current

        super().__init__(model, avg_fn=average, use_buffers=True)
        self.requires_grad_(False)
