"""BN-Inception (Ioffe and Szegedy, "Batch normalization", ICML 2015), the trunk of much of metric learning until 2020."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from isometry.trunks.trunk import Ends, Trunk, wants_weights


class Block(NamedTuple):
    """Channels of a block's branches: 1×1; 1×1 then 3×3; 1×1 then two 3×3; 1×1 after pooling. 0: there is no such branch.

    A block without a branch after pooling halves the map, and passes its own maxima on.
    """

    one: int
    three: tuple[int, int]
    double: tuple[int, int]
    pooled: int
    largest: bool = False


BLOCKS = {
    "3a": Block(64, (64, 64), (64, 96), 32),
    "3b": Block(64, (64, 96), (64, 96), 64),
    "3c": Block(0, (128, 160), (64, 96), 0),
    "4a": Block(224, (64, 96), (96, 128), 128),
    "4b": Block(192, (96, 128), (96, 128), 128),
    "4c": Block(160, (128, 160), (128, 160), 128),
    "4d": Block(96, (128, 192), (160, 192), 128),
    "4e": Block(0, (128, 192), (192, 256), 0),
    "5a": Block(352, (192, 320), (160, 224), 128),
    "5b": Block(352, (192, 320), (192, 224), 128, largest=True),
}


class BNInception(Trunk):
    """Sees photographs through ten blocks of parallel convolutions; 10.3 million weights, and 1,024 channels at the end.

    Musgrave et al. (ECCV 2020), multi-similarity, SoftTriple and proxy anchor report their results with it. Parameters are
    named as in the port of its ImageNet weights to torch (`bn_inception-52deb4733.pth` and `bn_inception-239d2248.pth`), so that
    such a file loads. That port takes pictures as blue, green, red from 0 to 255 less a mean; here the trunk turns the
    channels itself. Its batch norm has a momentum of 0.9, meant as 0.1, which is torch's: it matters where batch norm is
    not frozen.

    Args:
        weights: a local file of weights (`.pth`, read without running code, or `.safetensors`), classifier or not; else they are
            random.

    >>> import torch
    >>> BNInception()(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 1024, 2, 2])

    Raises:
        FileNotFoundError: when the file is not there.
        ValueError: when it holds no weights of this network.
    """

    weights: str | None = None

    def __post_init__(self) -> None:
        self._add("conv1_7x7_s2", 3, 64, 7, stride=2)
        self._add("conv2_3x3_reduce", 64, 64)
        self._add("conv2_3x3", 64, 192, 3)
        width = 192
        for name, block in BLOCKS.items():
            width = self._add_block(f"inception_{name}", width, block)
        if self.weights is not None and wants_weights():
            self.load_state_dict(_of_file(Path(self.weights), self.state_dict()))
        self.freeze()

    def _add(self, name: str, narrow: int, wide: int, kernel: int = 1, stride: int = 1) -> None:
        self.add_module(name, nn.Conv2d(narrow, wide, kernel, stride, padding=kernel // 2))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(wide))

    def _add_block(self, name: str, width: int, block: Block) -> int:
        stride = 1 if block.pooled else 2
        if block.one:
            self._add(f"{name}_1x1", width, block.one)
        self._add(f"{name}_3x3_reduce", width, block.three[0])
        self._add(f"{name}_3x3", *block.three, kernel=3, stride=stride)
        self._add(f"{name}_double_3x3_reduce", width, block.double[0])
        self._add(f"{name}_double_3x3_1", *block.double, kernel=3)
        self._add(f"{name}_double_3x3_2", block.double[1], block.double[1], kernel=3, stride=stride)
        if block.pooled:
            self._add(f"{name}_pool_proj", width, block.pooled)
        return block.one + block.three[1] + block.double[1] + (block.pooled or width)

    @property
    def ends(self) -> Ends:
        return Ends(3, 1024, 224, (128 / 255, 117 / 255, 104 / 255), (1 / 255,) * 3)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1024 y x"]:
        maps = halved(self._through(images.flip(1), "conv1_7x7_s2"))
        maps = halved(self._through(maps, "conv2_3x3_reduce", "conv2_3x3"))
        for name, block in BLOCKS.items():
            maps = self._block(maps, f"inception_{name}", block)
        return maps

    def _through(self, maps: Tensor, *names: str) -> Tensor:
        for name in names:
            maps = functional.relu(self.get_submodule(f"{name}_bn")(self.get_submodule(name)(maps)))
        return maps

    def _block(self, maps: Tensor, name: str, block: Block) -> Tensor:
        branches = [self._through(maps, f"{name}_1x1")] if block.one else []
        branches.append(self._through(maps, f"{name}_3x3_reduce", f"{name}_3x3"))
        double = (f"{name}_double_3x3_reduce", f"{name}_double_3x3_1", f"{name}_double_3x3_2")
        branches.append(self._through(maps, *double))
        if not block.pooled:
            return torch.cat([*branches, halved(maps)], 1)
        pool = functional.max_pool2d if block.largest else functional.avg_pool2d
        return torch.cat([*branches, self._through(pool(maps, 3, stride=1, padding=1), f"{name}_pool_proj")], 1)


def halved(maps: Float[Tensor, "b c y x"]) -> Float[Tensor, "b c v u"]:
    """Maxima over 3×3 at every second place, the last row and column included."""
    return functional.max_pool2d(maps, 3, stride=2, ceil_mode=True)


def _of_file(path: Path, wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """A file's tensors, in the shapes that are wanted: older ports keep batch norm's as one row."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of weights {str(path)!r}.")
    try:
        held: dict[str, Any] = _held(path)
    except Exception as error:  # truncated, not weights at all, or code where only tensors are read
        line = str(error).strip().partition("\n")[0][:200]
        raise ValueError(f"{path} holds no weights that can be read: {line}") from None
    found = {name: held[name] for name in wanted.keys() & held.keys()}
    found |= {name: own for name, own in wanted.items() if name.endswith("num_batches_tracked")}
    missing = [n for n, own in wanted.items() if n not in found or found[n].numel() != own.numel()]
    if missing:
        raise ValueError(
            f"{path} does not fit: {len(missing)} of {len(wanted)} tensors of BN-Inception are missing or of another "
            f"shape, such as {missing[0]!r}."
        )
    return {name: found[name].reshape(own.shape) for name, own in wanted.items()}


def _held(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    held = torch.load(path, map_location="cpu", weights_only=True)
    return held.get("state_dict") or held
