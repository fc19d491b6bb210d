"""
What a region's history says of orders to come: how many an hour, by where they are collected.

Read at most once a minute, and only for planners that weigh it (profile `meal`); the reckoning is
`planning.demand.expected_per_hour`, as in the benchmarks.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from dispatch.planning.demand import expected_per_hour
from dispatch.planning.params import Params
from sql import queries
from tracking.position import LatLon, Region

EVERY: Final = timedelta(minutes=1)
TODAY: Final = timedelta(hours=12)
"""What is popular today is told by so long."""
WEEKS: Final = 4
"""The same hour of so many weeks is usual; weeks in which nobody ordered then do not count: the shop was not there."""
MOST: Final = 5_000
"""Orders read of today, and of each week's hour."""
DIGITS: Final = 4
"""Coordinates within 11 m are one place: the same kitchen, found twice by two geocoders."""


class Outlook:
    """Orders expected, by region; kept for a minute."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._told: dict[Region, tuple[datetime, Mapping[LatLon, float]]] = {}

    async def expected(self, region: Region, now: datetime, params: Params) -> Mapping[LatLon, float]:
        """Orders expected an hour by pickup place; nothing where the planner takes no thought for them."""
        if not params.weights.position and params.reposition_above_s is None:
            return {}
        told = self._told.get(region)
        if told is None or not told[0] <= now < told[0] + EVERY:
            told = self._told[region] = (now, await self._read(region, now))
        return told[1]

    async def _read(self, region: Region, now: datetime) -> Mapping[LatLon, float]:
        placed = await self._pool.fetch(queries["demand.placed"], region, now - TODAY, MOST)
        weeks = [now - timedelta(weeks=back) for back in range(1, WEEKS + 1)]
        around = await self._pool.fetch(queries["demand.around"], region, weeks, MOST)
        n_weeks = max(1, len({row["at"] for row in around}))
        usual: dict[LatLon, float] = {}
        for row in around:
            usual[_place(row)] = usual.get(_place(row), 0.0) + row["n"] / n_weeks
        return expected_per_hour(((_place(row), row["placed_at"]) for row in placed), int(now.timestamp()), usual=usual)


def _place(row: Mapping[str, Any]) -> LatLon:
    return LatLon(round(row["lat"], DIGITS), round(row["lon"], DIGITS))
