"""
What the planner is told to want: weights of the objective, rules of bundling, how far it looks; no I/O.

Costs are whole numbers. With the default weights one unit is a second of an order's delivery time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

ShouldEnd = Callable[[], bool]
"""Asked between steps; True: give the best plan found so far, at once."""


def never() -> bool:
    """Not told to end: the planner ends by its own limits."""
    return False


Rate = Annotated[int, Meta(ge=0, le=1000)]
"""Cost of a second."""
Price = Annotated[int, Meta(ge=0, le=10_000_000)]
"""Cost of something that happens once."""


class Bundling(StrEnum):
    """Which orders may share a trip."""

    NONE = "none"
    """One order at a time: delivered before the next is collected."""
    SAME_PICKUP = "same_pickup"
    """Collected together at one place, all delivered before the next pickup."""
    ON_THE_WAY = "on_the_way"
    """Any order of stops that capacity and windows allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Units of cost for each term of the objective; see cost.py for what the terms count."""

    travel: Rate = 1
    """For a second driven."""
    delivery: Rate = 1
    """For a second from the goods being ready to the drop-off."""
    lateness: Rate = 4
    """For a second after `due_at` at either stop, on top of `delivery`."""
    overtime: Rate = 4
    """For a second of work after the end of the shift."""
    waiting: Rate = 0
    """For a second a courier waits at a stop."""
    change: Price = 600
    """For moving an order away from the courier who has been shown it."""
    position: Rate = 0
    """For a second by which orders yet to come wait longer because a courier leaves its place."""
    unassigned: Price = 14_400
    """For leaving an order without a courier. With more than this at stake an order waits for a better moment."""
    ageing: Rate = 4
    """For each second since the order was placed while it is without a courier: no order starves."""

    def __post_init__(self) -> None:
        if min(getattr(self, name) for name in self.__slots__) < 0:
            raise ValueError("expected weights >= 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How to plan. The defaults suit food and parcels in a city."""

    weights: Weights = field(default_factory=Weights)
    bundling: Bundling = Bundling.ON_THE_WAY
    horizon_s: int = 7200
    """Orders whose pickup opens later than this from now are left for a later cycle."""
    furthest_s: int = 21_600
    """Nobody is sent on a longer way, to a pickup or from there to the drop-off: swapped coordinates, a sea between."""
    commit_lead_s: int = 120
    """An order is fixed when its courier must leave within this time: the time an offer and an answer take."""
    n_candidates: int = 12
    """So many couriers are tried for an order: those soonest at the pickup. All others too when none of these can."""
    thorough: bool = False
    """Improve every order that could do better; False: only those that are late or share a route with what changed."""
    n_rounds: int = 20
    """Passes of improvement at most over the orders that could do better; far fewer are needed for a stable plan."""
    absence_s: int = 1500
    """How long a courier is away for one order, about: the time that `position` looks ahead."""
    spare_s: int = 0
    """Orders yet to come wait for a courier who needs longer than this to be there: the time to make them ready."""
    reposition_above_s: int | None = None
    """Send an idle courier towards expected demand when orders to come then wait so much less in all; None: never."""
    min_gain: int = 30
    """A change must save at least this much, so that plans are calm."""
    search_s: float = 0.0
    """Seconds for the search by OR-Tools (depth b); 0: insertion and matching only."""
    search_iterations: int | None = None
    """Limit of the search in iterations instead of seconds: the same plan on every run."""
    search_above: int = 0
    """Search only when the plan costs so much more than if each order had a courier to itself at its pickup in time."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_candidates < 1 or self.min_gain < 1:
            raise ValueError("expected n_candidates >= 1 and min_gain >= 1")
        if min(self.horizon_s, self.commit_lead_s, self.n_rounds, self.search_s) < 0:
            raise ValueError("expected times and limits >= 0")
