"""Open-set identification: naming a picture by a gallery, or saying that it shows none of its classes.

calibration = openset.calibrate(index, "strangers/", rate=0.01)
openset.keep(index, calibration, held)
openset.match(index, ["one.png"])
"""

from isometry.openset.calibrating import calibrate
from isometry.openset.calibration import Calibration, Known, Point
from isometry.openset.drift import Drift, drift
from isometry.openset.gallery import Vectors
from isometry.openset.held import Held, held_of
from isometry.openset.kept import Stale, Standing, keep, kept, kept_pictures, standing
from isometry.openset.matching import Identity, match, match_vectors
from isometry.ops.conformal import TooFew

__all__ = [
    "Calibration",
    "Drift",
    "Held",
    "Identity",
    "Known",
    "Point",
    "Stale",
    "Standing",
    "TooFew",
    "Vectors",
    "calibrate",
    "drift",
    "held_of",
    "keep",
    "kept",
    "kept_pictures",
    "match",
    "match_vectors",
    "standing",
]
