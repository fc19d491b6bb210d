"""
A simulated courier: moves along a path at the speed of its mode, and sees itself through a noisy receiver; no I/O.

Time is an argument and chance comes from a seed, so the same seed makes the same day.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tracking.geo import bearing_deg, distance_m
from tracking.position import LatLon, Mode

CRUISE_MPS: Final = {Mode.CAR: 8.6, Mode.MOTORCYCLE: 9.2, Mode.BICYCLE: 4.6, Mode.FOOT: 1.45}
"""Mean speeds under way in a city, stops at lights included."""
ERROR_M: Final = 3.5
"""Standard deviation of a phone's error in open streets."""
ERROR_MEMORY: Final = 0.9
"""Errors of fixes 5 s apart resemble each other by this correlation: a phone's error wanders, it does not jump."""
METRES_PER_DEGREE: Final = 111_195.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the phone says."""

    lat: float
    lon: float
    accuracy_m: float
    speed_mps: float
    course_deg: float | None
    battery_pct: float


@dataclass(slots=True)
class SimulatedCourier:
    """Where one is, and where it goes."""

    mode: Mode
    at: LatLon
    random: Random
    path: list[LatLon] = field(default_factory=list)
    """Places ahead, next one first."""
    speed_mps: float = 0.0
    course_deg: float | None = None
    waits_s: float = 0.0
    """Stands still for so long before going on."""
    battery_pct: float = 100.0
    slowed: float = 1.0
    """Goes at this share of its speed."""
    is_frozen: bool = False
    """Does not move, whatever its path (for the alert demo)."""
    _pace: float = 1.0
    _east_m: float = 0.0
    _north_m: float = 0.0

    def __post_init__(self) -> None:
        self._pace = self.random.uniform(0.85, 1.15)
        self.battery_pct = self.random.uniform(45, 100)

    @property
    def has_arrived(self) -> bool:
        """Whether there is nowhere to go."""
        return not self.path

    def go(self, path: Sequence[LatLon]) -> None:
        """Take another path."""
        self.path = list(path)

    def step(self, elapsed_s: float) -> None:
        """Move on for so long."""
        self.battery_pct = max(4.0, self.battery_pct - elapsed_s / 3600 * 9)
        waited_s = min(self.waits_s, elapsed_s)
        self.waits_s -= waited_s
        left_s = elapsed_s - waited_s
        if self.is_frozen or not self.path or left_s <= 0:
            self.speed_mps = 0.0
            return
        self.speed_mps = CRUISE_MPS[self.mode] * self._pace * self.slowed * self.random.uniform(0.65, 1.2)
        if self.mode is not Mode.FOOT and self.random.random() < 0.07:
            # A red light, or somebody crossing.
            self.waits_s = self.random.uniform(5, 25)
        self._advance(self.speed_mps * left_s)

    def _advance(self, metres: float) -> None:
        while metres > 0 and self.path:
            step_m = distance_m(self.at, self.path[0])
            if step_m > 0.5:
                self.course_deg = bearing_deg(self.at, self.path[0])
            if step_m > metres:
                share = metres / step_m
                to = self.path[0]
                self.at = LatLon(
                    self.at.lat + (to.lat - self.at.lat) * share, self.at.lon + (to.lon - self.at.lon) * share
                )
                return
            metres -= step_m
            self.at = self.path.pop(0)

    def read(self) -> Reading:
        """A fix, with the receiver's wandering error."""
        fresh = math.sqrt(1 - ERROR_MEMORY**2) * ERROR_M
        self._east_m = self._east_m * ERROR_MEMORY + self.random.gauss(0, fresh)
        self._north_m = self._north_m * ERROR_MEMORY + self.random.gauss(0, fresh)
        lat = self.at.lat + self._north_m / METRES_PER_DEGREE
        lon = self.at.lon + self._east_m / (METRES_PER_DEGREE * math.cos(math.radians(self.at.lat)))
        moves = self.speed_mps > 0.3
        course = (self.course_deg or 0.0) + self.random.gauss(0, 4) if moves and self.course_deg is not None else None
        return Reading(
            lat=round(lat, 7),
            lon=round(lon, 7),
            accuracy_m=round(self.random.uniform(3.5, 12), 1),
            speed_mps=round(max(0.0, self.speed_mps + self.random.gauss(0, 0.3)), 1) if moves else 0.0,
            course_deg=None if course is None else round(course % 360, 1) % 360,
            battery_pct=round(self.battery_pct),
        )
