"""When a courier counts as being at a stop: one set of thresholds, for fixes as they come and for a stored track."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalParams:
    """What counts as having arrived."""

    near_m: float = 60.0
    """Within this of the stop a courier may have arrived: a building, a car park, the error of a phone in a street."""
    slow_mps: float = 2.0
    """A brisk walk: slower than anything that rides by."""
    next_s: int = 10
    """Near and slow for so long at the next stop, and at the others of its place."""
    later_s: int = 45
    """... at a stop that is not next."""
    away_m: float = 100.0
    """Farther is gone, when two fixes in a row say so."""


AT_STOP = ArrivalParams()
STILL_M = 25.0
"""Standing still: no farther than this from where the courier came to rest."""
