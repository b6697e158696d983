"""Terms that shape the space whatever the labels."""

from .koleo import KoLeo
from .zero_mean import ZeroMean

__all__ = ["KoLeo", "ZeroMean"]
