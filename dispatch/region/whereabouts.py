"""Where a region's couriers are, for the planner: live positions, and the last known ones while Redis is away."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from dispatch.region.world import Whereabouts
from tracking import outages
from tracking.position import CourierId, Position, Region

log = logging.getLogger(__name__)

AT_REST_MPS = 1.0
"""Slower than this at the last fix a courier stood: receivers drift a little."""


class Live(Protocol):
    """What `tracking.live.LivePosition` has of a courier."""

    @property
    def position(self) -> Position: ...
    @property
    def contact_at(self) -> datetime: ...


class LiveSource(Protocol):
    """The part of `tracking.live.LivePositions` that the dispatcher needs."""

    async def all(self, region: Region) -> Mapping[CourierId, Live]: ...
    async def get(self, courier_id: CourierId, region: Region) -> Live | None: ...


class Locator:
    """
    Answers where couriers are, always.

    Without Redis it repeats what it saw last, growing older: after a while nobody's position is fresh, and only what is
    under way goes on.
    """

    def __init__(self, live: LiveSource) -> None:
        self._live = live
        self._last: dict[Region, Mapping[CourierId, Live]] = {}

    async def locate(self, region: Region, now: datetime) -> dict[CourierId, Whereabouts]:
        """Last good position of each courier and its age at `now`."""
        try:
            live = await self._live.all(region)
        except outages.DRIVERS as exc:
            outages.tell(log, "positions not read", exc, event="positions_not_read", region=region)
        else:
            self._last[region] = live
        return {courier_id: whereabouts_of(found, now) for courier_id, found in self._last.get(region, {}).items()}

    async def locate_one(self, region: Region, courier_id: CourierId, now: datetime) -> Whereabouts | None:
        """Last good position of one courier; None when it is not known, or Redis is away."""
        try:
            live = await self._live.get(courier_id, region)
        except outages.DRIVERS as exc:
            outages.tell(log, "position not read", exc, event="position_not_read", region=region)
            return None
        return None if live is None else whereabouts_of(live, now)


def whereabouts_of(live: Live, now: datetime) -> Whereabouts:
    """Where that was, and how long ago at `now`."""
    fix = live.position.fix
    return Whereabouts(
        at=fix.at,
        age_s=max(0.0, (now - fix.fixed_at).total_seconds()),
        contact_age_s=max(0.0, (now - live.contact_at).total_seconds()),
        at_rest=fix.speed_mps is not None and fix.speed_mps < AT_REST_MPS,
    )
