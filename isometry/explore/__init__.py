"""A local web page: the map of an embedding space, search by picture, neighbours, errors, two models side by side."""

from isometry.explore.app import app
from isometry.explore.opened import opened
from isometry.explore.server import serve
from isometry.explore.shown import Items, Part, Shown, Space

__all__ = ["Items", "Part", "Shown", "Space", "app", "opened", "serve"]
