"""
Named sets of planner settings: what an installation or a region chooses, and what benchmarks are run with; no I/O.

A figure in benchmarks/README.md names its profile, so whoever chooses that gets the planner that was measured.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from dispatch.planning.params import Bundling, Params, Weights
from dispatch.planning.search.day_ahead import Cooling
from dispatch.planning.search.waves import Patience


class Profile(StrEnum):
    """A set of planner settings."""

    QUICK = "quick"
    """Mixed goods, answered soonest: only what is late or shares a route with what changed is improved at once."""
    MEAL = "meal"
    """Hot food: minutes from the kitchen to the door count, and couriers are kept where the next orders will be."""
    PARCEL = "parcel"
    """Parcels in promised windows: seconds driven count, and the way is planned far ahead."""


PROFILES: Final[Mapping[Profile, Params]] = {
    Profile.QUICK: Params(),
    Profile.MEAL: Params(
        # Tuned on the Grubhub days (benchmarks.mdrp): a second of delivery is worth ten, so that a second by which
        # one order yet to come waits longer can be worth one.
        weights=Weights(
            travel=0,
            delivery=10,
            lateness=10,
            overtime=0,
            waiting=0,
            change=6000,
            position=1,
            unassigned=1_000_000,
            ageing=1,
        ),
        bundling=Bundling.SAME_PICKUP,
        commit_lead_s=60,
        min_gain=60,
        thorough=True,
        search_iterations=40,
        search_above=6000,
    ),
    Profile.PARCEL: Params(
        weights=Weights(
            travel=4,
            delivery=0,
            lateness=12,
            overtime=12,
            waiting=1,
            change=1200,
            position=0,
            unassigned=200_000,
            ageing=1,
        ),
        horizon_s=6 * 3600,
        commit_lead_s=600,
        min_gain=120,
        thorough=True,
    ),
}

DAYS: Final[Mapping[Profile, Cooling]] = {
    Profile.QUICK: Cooling(fewest=False),
    Profile.MEAL: Cooling(fewest=False),
    Profile.PARCEL: Cooling(fewest=True),
}
"""How a day is planned ahead: where parcels are carried, a van that stays at home is worth any way."""

WAVES: Final[Mapping[Profile, Patience]] = dict.fromkeys(Profile, Patience())
"""How it is decided who waits for a later wave."""
