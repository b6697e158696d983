"""Places on the earth at their distance in kilometres."""

import math

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from isometry.label_metric import Bound, LabelMetric, rows_where

EARTH = 6371.0088  # kilometres: the mean radius of the ellipsoid (IUGG)


class Places(LabelMetric):
    """Pictures are alike when they were taken near each other: D is the great-circle distance in kilometres.

    Targets are `[n 2]`: latitude and longitude, in degrees. With φ and λ in radians and R = 6371.0088 km,
    D = 2R asin √(sin²(Δφ/2) + cos φ cos φ' sin²(Δλ/2)) (the haversine formula, on a sphere: up to 0.6 % off the ellipsoid).
    `radius` is in kilometres, 25 by default (a city). D is a metric; points in space lie at chord ≤ D ≤ π/2 chord. Degrees
    in single precision are good to about two metres.

    >>> cities = torch.tensor([[52.5200, 13.4050], [48.8566, 2.3522]])  # Berlin and Paris
    >>> Places().distances(cities, cities)[0].round()
    tensor([  0., 877.])

    Raises:
        ValueError: for targets that are not two columns.
    """

    radius: float = 25.0

    def prepared(self, labels: Shaped[Tensor, "n ..."]) -> Float[Tensor, "n t"]:
        flat = super().prepared(labels)
        if flat.shape[1] != 2:
            raise ValueError(
                f"Places reads two label columns, latitude and longitude in degrees; got {flat.shape[1]}: choose the two."
            )
        return flat

    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        (lat, lon), (lat2, lon2) = rows.deg2rad().unbind(-1), cols.deg2rad().unbind(-1)
        down = ((lat[..., :, None] - lat2[..., None, :]) / 2).sin().square()
        along = ((lon[..., :, None] - lon2[..., None, :]) / 2).sin().square()
        half = (down + (lat.cos()[..., :, None] * lat2.cos()[..., None, :]) * along).clamp(0, 1)
        return 2 * EARTH * half.sqrt().asin()

    def bound(self, labels: Float[Tensor, "n t"]) -> Bound:
        angles = labels.double().deg2rad()
        lat, lon = angles.unbind(1)
        points = torch.stack([lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()], 1) * EARTH
        widest = float(angles.abs().max()) if len(labels) else 0.0  # `gap` rounds each angle, and then subtracts
        return Bound(points, 1.0, math.pi / 2, error=4 * torch.finfo(labels.dtype).eps * widest * EARTH)

    def faults(self, labels: Float[Tensor, "n t"]) -> dict[int, str]:
        lat, lon = labels.unbind(1)
        return {
            **rows_where(_beyond(lon, 360), "a longitude beyond ±360°"),
            **rows_where(_beyond(lat, 90), "a latitude beyond ±90°: are latitude and longitude swapped?"),
        }


def _beyond(degrees: Float[Tensor, " n"], most: float) -> Bool[Tensor, " n"]:
    return degrees.abs() > most
