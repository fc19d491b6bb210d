"""
How travel times go up and down with the hour, for legs that are driven later than the travel matrix is of; no I/O.

Speed is constant within a quarter of an hour and a leg goes on at the speed of the quarter it has come to, so that who
leaves later never arrives earlier (first in, first out), whatever the speeds are.
Source: S. Ichoua, M. Gendreau, J.-Y. Potvin, "Vehicle dispatching with time-dependent travel times", Eur. J. Oper. Res.
144 (2), 2003, p. 379.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

from tracking.position import CourierId

STEP_S: Final = 900
N_STEPS: Final = 96
"""A day; later than that it goes on as it ended."""
N_SOON: Final = 8
"""Two hours: what is planned to be driven later is little, and is not searched for as closely."""
HAIR: Final = 1e-6
"""Seconds, for what floating point loses on the way."""
LEAST: Final = 0.05
"""Log durations are told in such steps: 2.5 % of a leg of ten minutes is 15 s. More steps cost more to plan with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Durations by when a leg is driven, beside those of the matrix."""

    begins_at: int
    """Of the first step, seconds since the Unix epoch."""
    slowness: tuple[float, ...]
    """By step: duration / duration in the matrix, > 0. Before the first step and after the last as in these."""

    def __post_init__(self) -> None:
        if not self.slowness or min(self.slowness) <= 0:
            raise ValueError("expected slowness > 0")

    @property
    def steady_until(self) -> float:
        """A leg that ends by then takes what the matrix says."""
        changed = next((number for number, slow in enumerate(self.slowness) if slow != 1.0), None)
        return inf if changed is None else -inf if changed == 0 else self.begins_at + changed * STEP_S

    @property
    def fastest(self) -> float:
        """No leg that is driven soon is shorter than this times what the matrix says; at most 1."""
        return min(1.0, *self.slowness[:N_SOON])

    def leg_s(self, leaves_at: int, matrix_s: int) -> int:
        """What a leg takes that is left for then and takes `matrix_s` by the matrix."""
        slowness, begins_at = self.slowness, self.begins_at
        # asked for each leg that is tried: what is spelled out here is what costs least
        step, last = (leaves_at - begins_at) // STEP_S, len(slowness) - 1
        if step < 0:
            step = 0
        elif step > last:
            step = last
        at, left, ends_at = leaves_at, float(matrix_s), begins_at + (step + 1) * STEP_S
        while step < last:
            slow = slowness[step]
            arrives_at = at + left * slow
            if arrives_at <= ends_at:
                return int(arrives_at + HAIR) - leaves_at
            left -= (ends_at - at) / slow
            at, step = ends_at, step + 1
            ends_at += STEP_S
        return int(at + left * slowness[last] + HAIR) - leaves_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What is learned of a mode beside its speeds from place to place."""

    rhythm: Rhythm | None = None
    """None: all hours are alike, as far as is known."""
    paces: Mapping[CourierId, float] = field(default_factory=dict)
    """Of couriers who are not as everybody: their duration / everybody's."""
