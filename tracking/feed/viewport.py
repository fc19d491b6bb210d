"""The part of the world a viewer looks at."""

import math
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """
    A box on the globe, edges included.

    West greater than east means that it crosses the antimeridian (RFC 7946, section 5.2).
    """

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        if not (-180 <= self.west <= 180 and -180 <= self.east <= 180):
            raise ValueError("expected -180 <= west, east <= 180")
        if not -90 <= self.south <= self.north <= 90:
            raise ValueError("expected -90 <= south <= north <= 90")

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        From `west,south,east,north` in degrees, the order of GeoJSON; raises ValueError.

        A map that was dragged around the globe counts on beyond ±180°: such longitudes are wrapped, and a box that goes
        all the way around holds everything.
        """
        try:
            west, south, east, north = (float(part) for part in text.split(","))
        except ValueError:
            raise ValueError("expected four numbers: west,south,east,north") from None
        if not (math.isfinite(west) and math.isfinite(east)):
            raise ValueError("expected finite west and east")
        if east - west >= 360:
            west, east = -180.0, 180.0
        return cls(west=_wrapped(west), south=south, east=_wrapped(east), north=north)

    def contains(self, lat: float, lon: float) -> bool:
        """Whether the point lies inside or on the edge."""
        if not self.south <= lat <= self.north:
            return False
        if self.west <= self.east:
            return self.west <= lon <= self.east
        return lon >= self.west or lon <= self.east


def _wrapped(lon: float) -> float:
    """The same meridian within ±180°; both edges stay what they are."""
    return lon if -180 <= lon <= 180 else (lon + 180) % 360 - 180
