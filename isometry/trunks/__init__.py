"""Trunks: networks that see. Each maps pictures to feature maps or tokens; pool and head make an embedding of them."""

from .bn_inception import BNInception
from .conv_net import ConvNet
from .efficient_net_lite0 import EfficientNetLite0
from .timm import Timm
from .trunk import Trunk, unfilled

__all__ = ["BNInception", "ConvNet", "EfficientNetLite0", "Timm", "Trunk", "unfilled"]
