"""Why two pictures match: what each place of either adds to their similarity."""

from isometry.attribution.drawing import drawn, overlay
from isometry.attribution.heat import Why, why, why_each
from isometry.attribution.pairs import Places, places

__all__ = ["Places", "Why", "drawn", "overlay", "places", "why", "why_each"]
