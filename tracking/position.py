"""
Where and when: places, fixes and positions, with their invariants.

Coordinates are WGS 84 degrees, times timezone-aware UTC, distances metres, speeds m/s, angles degrees clockwise from
true north.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag, StrEnum
from typing import NewType
from uuid import UUID

CourierId = NewType("CourierId", UUID)
Region = NewType("Region", str)
"""A city or the like: the unit of scale. Lower-case letters, digits, `-` and `_`; see `app.settings`."""


class Mode(StrEnum):
    """How a courier travels."""

    CAR = "car"
    MOTORCYCLE = "motorcycle"
    BICYCLE = "bicycle"
    FOOT = "foot"


@dataclass(frozen=True, slots=True)
class LatLon:
    """
    A point on the globe.

    Never pass bare tuples: Redis, shapely and GeoJSON want `lonlat`, h3 wants `latlon`.
    """

    lat: float
    """Degrees north, -90 to 90."""
    lon: float
    """Degrees east, -180 to 180."""

    def __post_init__(self) -> None:
        if not (-90 <= self.lat <= 90 and -180 <= self.lon <= 180):
            raise ValueError("expected -90 <= lat <= 90 and -180 <= lon <= 180")

    @property
    def latlon(self) -> tuple[float, float]:
        """(lat, lon), as h3 wants it."""
        return (self.lat, self.lon)

    @property
    def lonlat(self) -> tuple[float, float]:
        """(lon, lat), as GeoJSON, shapely and Redis want it."""
        return (self.lon, self.lat)


class Mark(IntFlag):
    """What makes a stored fix unfit for live state, distances and analysis; 0 is a good fix."""

    NONE = 0
    JUMP = 1
    """Its neighbours in time cannot be reached at a believable speed."""
    POOR_ACCURACY = 2
    """The device itself says that it does not know well where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One GNSS measurement, as the device reports it."""

    at: LatLon
    fixed_at: datetime
    """The device's clock, timezone-aware."""
    accuracy_m: float | None = None
    """Horizontal accuracy radius reported by the device, >= 0."""
    speed_mps: float | None = None
    course_deg: float | None = None
    """Direction of travel, 0 <= course < 360; None when standing still or unknown."""
    altitude_m: float | None = None
    battery_pct: float | None = None
    """0 to 100."""
    mock: bool = False
    """The device says that the location was made up by an app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A fix tied to a courier and to the moment we received it."""

    courier_id: CourierId
    fix: Fix
    received_at: datetime
    """Our clock, timezone-aware."""
    mark: Mark = Mark.NONE


class Presence(StrEnum):
    """How much a courier's last position is worth now."""

    ONLINE = "online"
    STALE = "stale"
    OFFLINE = "offline"
