"""What makes an embedding of a trunk's features: a pool (one vector a picture), then a head (its dimensions)."""

from .gem import GeM
from .head import Head
from .linear import Linear
from .mlp import MLP
from .pool import Average, AveragePlusMax, Flatten, Max, Pool

__all__ = ["MLP", "Average", "AveragePlusMax", "Flatten", "GeM", "Head", "Linear", "Max", "Pool"]
