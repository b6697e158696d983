"""What makes an embedding of a trunk's features: a pool (one vector a picture), then a head (its dimensions)."""

from .beside import Beside
from .flow import Flow
from .gem import GeM
from .glow import Glow
from .head import Head
from .levels import Levels
from .linear import Linear
from .lu import LU
from .mlp import MLP
from .nice import NICE
from .pool import Average, AveragePlusMax, Flatten, Max, Pool
from .real_nvp import RealNVP

__all__ = ["LU", "MLP", "NICE", "Average", "AveragePlusMax", "Beside", "Flatten", "Flow", "GeM", "Glow", "Head", "Levels",
           "Linear", "Max", "Pool", "RealNVP"]  # fmt: skip
