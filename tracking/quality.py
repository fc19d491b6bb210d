"""
Which fixes can be used: one named predicate a rule, on scalars or on whole columns; no I/O, no clock.

What one fix alone shows (a future time, an impossible place) is a reason to quarantine it. What only its neighbours
show (a jump) or what the device admits (poor accuracy) is a mark: the fix is stored, and left out of live state and
analysis.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from tracking.geo import EARTH_RADIUS_M

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Reason(StrEnum):
    """Why a fix is in quarantine."""

    FUTURE = "future"
    """The device's clock is ahead of ours."""
    TOO_OLD = "too_old"
    OUT_OF_RANGE = "out_of_range"
    """A latitude, longitude, speed or the like that cannot be."""
    NULL_ISLAND = "null_island"
    """(0, 0): a device that does not know where it is says so."""
    MOCK = "mock"
    """An app on the device made the position up, and the device says so."""
    UNREADABLE = "unreadable"
    """Not the format, a wrong type, or a field that must be there is missing."""
    NO_COURIER = "no_courier"
    """A service token's fix that does not say whose it is."""
    UNKNOWN_COURIER = "unknown_courier"
    WRONG_COURIER = "wrong_courier"
    """A device token's fix that names another courier."""
    WRONG_DEVICE = "wrong_device"
    """The device identifier in the payload belongs to another courier than the token."""
    INVALID = "invalid"
    """The device itself says that the position is not valid."""
    ENCRYPTED = "encrypted"
    """OwnTracks payload encryption; we hold no key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Thresholds of the rules."""

    ahead_s: float = 120.0
    """A fix this far in the future still passes: phones' clocks drift."""
    oldest_s: float = 7 * 86_400.0
    """Older fixes are not believed: a phone's buffer holds days, not weeks."""
    null_island_deg: float = 1e-4
    """About 11 m around (0, 0)."""
    highest_speed_mps: float = 327.0
    """What the storage column holds; faster than any aircraft a courier may sit in."""
    poor_accuracy_m: float = 200.0
    """A worse radius is a cell tower or a guess: useless for arrival times and distances."""
    jump_speed_mps: float = 60.0
    """Faster than this between two fixes (216 km/h) is a jump, not a journey on the road."""
    jump_slack_m: float = 100.0
    """Distance that is never a jump: urban canyons throw a fix that far."""
    witness_s: float = 600.0
    """Fixes farther away in time say nothing about a jump."""


N_WITNESSES: Final = 2
"""Neighbours on each side that testify about a jump."""


def is_future(fixed_s: Floats, now_s: float, limits: Limits) -> Bools:
    """Measured later than now, by more than clocks drift. Seconds since the epoch."""
    return fixed_s > now_s + limits.ahead_s


def is_too_old(fixed_s: Floats, now_s: float, limits: Limits) -> Bools:
    """Measured longer ago than any phone buffers."""
    return fixed_s < now_s - limits.oldest_s


def is_off_the_globe(lat: Floats, lon: Floats) -> Bools:
    """Not a place in WGS 84 degrees. NaN is not a place."""
    return ~((np.abs(lat) <= 90.0) & (np.abs(lon) <= 180.0))


def is_null_island(lat: Floats, lon: Floats, limits: Limits) -> Bools:
    """At (0, 0)."""
    return (np.abs(lat) < limits.null_island_deg) & (np.abs(lon) < limits.null_island_deg)


def is_outside(values: Floats, low: float, high: float) -> Bools:
    """A measured value that cannot be; NaN stands for unknown and passes."""
    return (values < low) | (values > high) | np.isinf(values)


def is_poor(accuracy_m: Floats, limits: Limits) -> Bools:
    """The device itself says that it does not know well where it is; NaN stands for unknown and passes."""
    return accuracy_m > limits.poor_accuracy_m


def jump_marks(
    *,
    courier: npt.NDArray[np.integer],
    fixed_s: Floats,
    lat: Floats,
    lon: Floats,
    accuracy_m: Floats,
    limits: Limits,
) -> Bools:
    """
    Which fixes are jumps: places that most of their neighbours in time cannot reach or be reached from.

    Columns of one length, ordered by (courier, fix time), one fix a time, poor fixes left out; `courier` is any number
    per courier, `accuracy_m` NaN where unknown. A fix's witnesses are the N_WITNESSES fixes before it and after it,
    marked or not, within `witness_s`; it is a jump when more than half of them speak against it. So two wild fixes in a
    row are found, and a courier who really moved (a ferry, a lost hour) is believed from the second fix after. A first
    fix needs N_WITNESSES later ones against it: with one earlier and one later fix, the earlier is believed.

    The answer depends on the set of fixes, not on the order in which they came, and a new fix changes the marks of at
    most N_WITNESSES fixes on either side of it.
    """
    n = len(fixed_s)
    before, before_against, after, after_against = (np.zeros(n, dtype=np.int8) for _ in range(4))
    slack_m = np.nan_to_num(accuracy_m, nan=0.0)
    for step in range(1, N_WITNESSES + 1):
        if n <= step:
            break
        gap_s = fixed_s[step:] - fixed_s[:-step]
        testifies = (courier[step:] == courier[:-step]) & (gap_s <= limits.witness_s)
        reach_m = limits.jump_speed_mps * gap_s + limits.jump_slack_m + slack_m[step:] + slack_m[:-step]
        against = testifies & (_distances_m(lat[:-step], lon[:-step], lat[step:], lon[step:]) > reach_m)
        after[:-step] += testifies
        after_against[:-step] += against
        before[step:] += testifies
        before_against[step:] += against
    against_all = before_against + after_against
    has_no_past = (before == 0) & (after_against < N_WITNESSES)
    marks: Bools = (2 * against_all > before + after) & ~has_no_past
    return marks


def _distances_m(lat_a: Floats, lon_a: Floats, lat_b: Floats, lon_b: Floats) -> Floats:
    """Great-circle distances in metres, element by element; see `tracking.geo.distance_m`."""
    phi_a, phi_b = np.radians(lat_a), np.radians(lat_b)
    h = np.sin((phi_b - phi_a) / 2) ** 2 + np.cos(phi_a) * np.cos(phi_b) * np.sin(np.radians(lon_b - lon_a) / 2) ** 2
    metres: Floats = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(1.0, np.sqrt(h)))
    return metres
