"""Terms that shape the space whatever the labels."""

from .koleo import KoLeo
from .lp import Lp
from .quantisation import Quantisation
from .vicreg import VICReg
from .zero_mean import ZeroMean

__all__ = ["KoLeo", "Lp", "Quantisation", "VICReg", "ZeroMean"]
