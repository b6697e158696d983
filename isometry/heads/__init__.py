"""What makes an embedding of a trunk's features: a pool (one vector a picture), then a head (its dimensions)."""

from .beside import Beside
from .gem import GeM
from .head import Head
from .levels import Levels
from .linear import Linear
from .mlp import MLP
from .pool import Average, AveragePlusMax, Flatten, Max, Pool

__all__ = ["MLP", "Average", "AveragePlusMax", "Beside", "Flatten", "GeM", "Head", "Levels", "Linear", "Max",
           "Pool"]  # fmt: skip
