"""
Which fixes can be used: one named predicate a rule, on scalars or on whole columns; no I/O, no clock.

What one fix alone shows (a future time, an impossible place) is a reason to quarantine it. What only its neighbours
show (a jump) or what the device admits (poor accuracy) is a mark: the fix is stored, and left out of live state and
analysis.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

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
    """A latitude or longitude that cannot be."""
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
    poor_accuracy_m: float = 200.0
    """A worse radius is a cell tower or a guess: useless for arrival times and distances."""
    jump_speed_mps: float = 60.0
    """Faster than this between two fixes (216 km/h) is a jump, not a journey on the road."""
    jump_slack_m: float = 100.0
    """Distance that is never a jump: urban canyons throw a fix that far."""
    witness_s: float = 600.0
    """Fixes farther away in time say nothing about a jump."""


N_WITNESSES: Final = 4
"""Neighbours on each side that testify about a jump: more wrong fixes in a row are where the courier was."""
REPEAT_WEIGHT: Final = 0.2
"""A fix at exactly a place that a neighbour named already counts so little: a device that repeats an old place."""


GPS_EPOCH_S: Final = 1024 * 7 * 86_400
"""After so many weeks the week number of the GPS signal begins again at 0 (IS-GPS-200, 20.3.3.3.1.1)."""


def lost_epochs_s(fixed_s: Floats, now_s: float, limits: Limits) -> Floats:
    """Seconds to add where a receiver took the week for one 1,024 (or 2,048) weeks ago, and 0 elsewhere."""
    if not (fixed_s <= now_s + limits.ahead_s - GPS_EPOCH_S).any():
        return np.zeros_like(fixed_s)
    back_s = np.floor((now_s + limits.ahead_s - fixed_s) / GPS_EPOCH_S) * GPS_EPOCH_S
    is_lost = (back_s > 0) & ~is_too_old(fixed_s + back_s, now_s, limits)
    found: Floats = np.where(is_lost, back_s, 0.0)
    return found


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


def is_outside(values: Floats, low: float | Floats, high: float | Floats) -> Bools:
    """A measured value that cannot be; NaN stands for unknown and passes."""
    return (values < low) | (values > high) | np.isinf(values)


def is_poor(accuracy_m: Floats, limits: Limits) -> Bools:
    """The device itself says that it does not know well where it is; NaN stands for unknown and passes."""
    return accuracy_m > limits.poor_accuracy_m


def is_reachable(
    metres: float, seconds: float, accuracy_a_m: float | None, accuracy_b_m: float | None, limits: Limits
) -> bool:
    """Whether a courier can be at one fix and then at the other, so far apart: the one rule behind every jump."""
    return metres <= (
        limits.jump_speed_mps * seconds + limits.jump_slack_m + (accuracy_a_m or 0.0) + (accuracy_b_m or 0.0)
    )


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
    Which fixes are jumps: those that the most consistent chain of their neighbours in time leaves out.

    Columns of one length, ordered by (courier, fix time), one fix a time, poor fixes left out; `courier` is any number
    per courier, `accuracy_m` NaN where unknown. A fix's witnesses are the N_WITNESSES fixes before it and after it,
    within `witness_s`. A chain is a row of them in which each can be reached from the one before; the heaviest chain
    that leads through the fix is compared with the heaviest that leads past it and cannot take it in. The fix is a jump
    when that one is heavier and was there before it and is again after it; so every second fix may be wrong, or two of
    four. A courier who really moved (a ferry, a lost hour) is believed from the second fix after, and so is whoever
    stayed for more than N_WITNESSES fixes in a row. A first fix needs two later ones against it: with one earlier and
    one later fix, the earlier is believed.

    The answer depends on the set of fixes, not on the order in which they came, and a new fix changes the marks of at
    most N_WITNESSES fixes on either side of it.
    """
    n = len(fixed_s)
    marks = np.zeros(n, dtype=np.bool_)
    if n < 2:
        return marks
    slack_m = np.nan_to_num(accuracy_m, nan=0.0)
    columns = _Columns(courier, fixed_s, lat, lon, slack_m)
    here = np.arange(n)
    near, far = columns.known(here[:-1], here[1:], limits)
    unrest = np.zeros(n, dtype=np.bool_)
    for pair in np.flatnonzero(near & ~far).tolist():
        unrest[max(0, pair + 1 - N_WITNESSES) : pair + 1 + N_WITNESSES] = True
    # Where every fix leads to the next nothing can be a jump: the usual case, at no cost.
    rows = np.flatnonzero(unrest)
    if len(rows):
        marks[rows] = _Windows(columns, rows, limits).are_jumps()
    return marks


class _Columns(NamedTuple):
    """What decides whether one fix can be reached from another."""

    courier: npt.NDArray[np.integer]
    fixed_s: Floats
    lat: Floats
    lon: Floats
    slack_m: Floats

    def known(self, a: npt.NDArray[np.intp], b: npt.NDArray[np.intp], limits: Limits) -> tuple[Bools, Bools]:
        """Of pairs of rows, a before b: whether they are of one courier and near in time, and whether reachable."""
        gap_s = self.fixed_s[b] - self.fixed_s[a]
        reach_m = limits.jump_speed_mps * gap_s + limits.jump_slack_m + self.slack_m[a] + self.slack_m[b]
        near: Bools = (self.courier[a] == self.courier[b]) & (gap_s <= limits.witness_s)
        reachable: Bools = distances_m(self.lat[a], self.lon[a], self.lat[b], self.lon[b]) <= reach_m
        return near, reachable


class _Windows:
    """The neighbours of each row to judge, all rows at once: axis 0 is the place in the window, axis 1 the row."""

    def __init__(self, columns: _Columns, rows: npt.NDArray[np.intp], limits: Limits) -> None:
        k = N_WITNESSES
        self._width = 2 * k + 1
        at = rows[None, :] + np.arange(-k, k + 1)[:, None]
        inside = (at >= 0) & (at < len(columns.fixed_s))
        self._at = np.clip(at, 0, len(columns.fixed_s) - 1)
        seconds = np.abs(columns.fixed_s[self._at] - columns.fixed_s[rows])
        self._there: Bools = (
            inside & (columns.courier[self._at] == columns.courier[rows]) & (seconds <= limits.witness_s)
        )
        self._weights = np.where(self._there, 1.0, 0.0)
        self._links = np.zeros((self._width, self._width, len(rows)), dtype=np.bool_)
        """By two places in the window, the earlier one first: whether the later can be reached."""
        places, lat, lon = np.arange(self._width), columns.lat[self._at], columns.lon[self._at]
        for step in range(1, self._width):
            both = self._there[:-step] & self._there[step:]
            reachable = columns.known(self._at[:-step], self._at[step:], limits)[1]
            self._links[places[:-step], places[step:]] = both & reachable
            repeats = both & (lat[:-step] == lat[step:]) & (lon[:-step] == lon[step:])
            self._weights[step:][repeats] = REPEAT_WEIGHT

    def are_jumps(self) -> Bools:
        """Of each row."""
        k, links, weights = N_WITNESSES, self._links, self._weights
        until, since = weights.copy(), weights.copy()  # heaviest chain that ends, or begins, at each place
        for b in range(1, self._width):
            until[b] += np.max(np.where(links[:b, b], until[:b], 0.0), axis=0)
        for a in range(self._width - 2, -1, -1):
            since[a] += np.max(np.where(links[a, a + 1 :], since[a + 1 :], 0.0), axis=0)
        own = until[k] + since[k] - weights[k]
        # A chain that leads past the fix and cannot take it in: around it, or only before it, or only after it.
        before = np.max(np.where(links[:k, k], 0.0, until[:k]), axis=0)
        after = np.max(np.where(links[k, k + 1 :], 0.0, since[k + 1 :]), axis=0)
        around = np.zeros(len(own))
        for a in range(k):
            past = links[a, k + 1 :] & ~(links[a, k] & links[k, k + 1 :])
            around = np.maximum(around, np.max(np.where(past, until[a] + since[k + 1 :], 0.0), axis=0))
        run = self._run()
        goes_on = (run <= k) & (around > own)
        is_last = (run == 1) & (since[k] == weights[k]) & (before >= own)
        is_first = (run == 1) & (until[k] == weights[k]) & (after > own)
        jumps: Bools = goes_on | is_last | is_first
        return jumps

    def _run(self) -> npt.NDArray[np.intp]:
        """Fixes in a row, this one included, each reachable from the one before."""
        k = N_WITNESSES
        run = np.ones(self._at.shape[1], dtype=np.intp)
        for places in (range(k - 1, -1, -1), range(k, self._width - 1)):
            goes_on = np.ones(len(run), dtype=np.bool_)
            for a in places:
                goes_on &= self._links[a, a + 1]
                run += goes_on
        return run


def distances_m(lat_a: Floats, lon_a: Floats, lat_b: Floats, lon_b: Floats) -> Floats:
    """Great-circle distances in metres, element by element; see `tracking.geo.distance_m`."""
    phi_a, phi_b = np.radians(lat_a), np.radians(lat_b)
    h = np.sin((phi_b - phi_a) / 2) ** 2 + np.cos(phi_a) * np.cos(phi_b) * np.sin(np.radians(lon_b - lon_a) / 2) ** 2
    metres: Floats = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(1.0, np.sqrt(h)))
    return metres
