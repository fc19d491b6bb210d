"""
Engine times corrected by what couriers needed on top of them, as arrivals correct them; no I/O of its own.

For the planner: what it plans with must be what is told of the plan, also for couriers who are quicker or slower than
others, and for legs that are driven at another hour. The learner and the arrivals ask the chain itself,
because they learn and apply that correction.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import numpy as np

from dispatch.rhythm import Habits
from dispatch.travel.times import ANYWHERE, SOURCES, Matrix, Onwards, Pair, RoutePath, Source, SpeedFactors, TravelTimes
from tracking.position import LatLon, Mode

FALLBACKS = frozenset({Source.LEARNED, Source.DEFAULT})
"""Corrected where they are made, in the great circle."""


class Corrected:
    """Travel times of a chain, those of engines times what was learned of the engine. Implements TravelTimes."""

    def __init__(self, travel: TravelTimes, learned: SpeedFactors) -> None:
        self._travel = travel
        self._learned = learned

    async def matrix(
        self,
        mode: Mode,
        origins: Sequence[LatLon],
        destinations: Sequence[LatLon],
        departs_at: datetime,
        *,
        budget_s: float = 1.0,
        also: Sequence[Pair] = (),
        only: Onwards = ANYWHERE,
    ) -> Matrix:
        """See TravelTimes."""
        answer = await self._travel.matrix(
            mode, origins, destinations, departs_at, budget_s=budget_s, also=also, only=only
        )
        durations, habits = answer.durations_s, Habits()
        if answer.sources.size:
            source = SOURCES[int(np.bincount(answer.sources.ravel()).argmax())]
            engine_asked = None if source in FALLBACKS else source
            habits = self._learned.habits(mode, origins[0], departs_at, engine=engine_asked)
        for code in np.unique(answer.sources):
            engine = SOURCES[int(code)]
            if engine in FALLBACKS:
                continue
            factors = self._learned.factors(mode, origins, destinations, departs_at, engine=engine)
            known = (answer.sources == code) & np.isfinite(factors)
            if known.any():
                durations = np.where(known, np.rint(durations * np.where(known, factors, 1.0)), durations)
        return replace(answer, durations_s=durations.astype(np.int32), habits=habits)

    async def route(
        self, mode: Mode, places: Sequence[LatLon], departs_at: datetime, *, budget_s: float = 1.0
    ) -> RoutePath:
        """See TravelTimes."""
        path = await self._travel.route(mode, places, departs_at, budget_s=budget_s)
        legs = []
        for (origin, destination), leg in zip(pairwise(places), path.legs, strict=True):
            factor = np.nan
            if leg.source not in FALLBACKS:
                factor = self._learned.factors(mode, [origin], [destination], departs_at, engine=leg.source)[0, 0]
            legs.append(leg if np.isnan(factor) else replace(leg, duration_s=round(leg.duration_s * factor)))
        return RoutePath(legs=tuple(legs))
