"""What a map does to classes that it was trained on, beside those that it has not seen: gaps, radii, stretch."""

from .comparison import Geometry, geometry, values
from .pictures import look, row, side
from .shape import Shape, Stretch
from .sides import Side

__all__ = ["Geometry", "Shape", "Side", "Stretch", "geometry", "look", "row", "side", "values"]
