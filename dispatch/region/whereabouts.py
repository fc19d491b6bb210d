"""Where a region's couriers are, for the planner: live positions, and the last known ones while Redis is away."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

import numpy as np

from dispatch.region.world import Whereabouts
from tracking import outages
from tracking.batch import E7, PositionColumns, microseconds
from tracking.geo import distance_m
from tracking.position import CourierId, LatLon, Position, Region

log = logging.getLogger(__name__)

AT_REST_MPS = 1.0
"""Slower than this at the last fix a courier stood: receivers drift a little."""

MOVED_M: Final = 50.0
"""Less than this is some seconds of travel, as far as places of one cell are from one another to maps APIs."""

Latest = tuple[PositionColumns, Mapping[bytes, bytes]]
"""Everybody's last good position, one row a courier, and milliseconds since the epoch of contacts, by courier id."""


class Live(Protocol):
    """What `tracking.live.LivePosition` has of a courier."""

    @property
    def position(self) -> Position: ...
    @property
    def contact_at(self) -> datetime: ...


class LiveSource(Protocol):
    """The part of `tracking.live.LivePositions` that the dispatcher needs."""

    async def all_columns(self, region: Region) -> Latest: ...
    async def get(self, courier_id: CourierId, region: Region) -> Live | None: ...


class Locator:
    """
    Answers where couriers are, always.

    Without Redis it repeats what it saw last, growing older: after a while nobody's position is fresh, and only what is
    under way goes on.
    """

    def __init__(self, live: LiveSource) -> None:
        self._live = live
        self._last: dict[Region, Latest] = {}

    async def locate(self, region: Region, now: datetime) -> dict[CourierId, Whereabouts]:
        """Last good position of each courier and its age at `now`."""
        try:
            live = await self._live.all_columns(region)
        except outages.DRIVERS as exc:
            outages.tell(log, "positions not read", exc, event="positions_not_read", region=region)
        else:
            self._last[region] = live
        return all_whereabouts(*self._last[region], now) if region in self._last else {}

    async def locate_one(self, region: Region, courier_id: CourierId, now: datetime) -> Whereabouts | None:
        """Last good position of one courier; None when it is not known, or Redis is away."""
        try:
            live = await self._live.get(courier_id, region)
        except outages.DRIVERS as exc:
            outages.tell(log, "position not read", exc, event="position_not_read", region=region)
            return None
        return None if live is None else whereabouts_of(live, now)


class Standing:
    """
    Where couriers are taken to be: where they were, until they have gone MOVED_M from there.

    Travel times that were asked for then still hold: of thousands who ride, or whose receivers drift, few need new ones
    in a turn.
    """

    def __init__(self) -> None:
        self._at: dict[CourierId, LatLon] = {}

    def of(self, seen: Mapping[CourierId, Whereabouts]) -> dict[CourierId, Whereabouts]:
        """The same couriers, as long ago as they were seen."""
        self._at = {courier_id: self._standing(courier_id, one.at) for courier_id, one in seen.items()}
        return {courier_id: replace(one, at=self._at[courier_id]) for courier_id, one in seen.items()}

    def _standing(self, courier_id: CourierId, at: LatLon) -> LatLon:
        before = self._at.get(courier_id)
        return before if before is not None and distance_m(before, at) < MOVED_M else at


def whereabouts_of(live: Live, now: datetime) -> Whereabouts:
    """Where that was, and how long ago at `now`."""
    fix = live.position.fix
    return Whereabouts(
        at=fix.at,
        age_s=max(0.0, (now - fix.fixed_at).total_seconds()),
        contact_age_s=max(0.0, (now - live.contact_at).total_seconds()),
        at_rest=fix.speed_mps is not None and fix.speed_mps < AT_REST_MPS,
    )


def all_whereabouts(
    columns: PositionColumns, contacts: Mapping[bytes, bytes], now: datetime
) -> dict[CourierId, Whereabouts]:
    """The same of everybody in a region: without a fix made of each, of which there may be thousands."""
    now_us, ids = microseconds(now), [columns.courier_ids[i] for i in columns.courier.tolist()]
    contact_us = np.array([1000 * int(contacts.get(courier_id.bytes, 0)) for courier_id in ids], dtype=np.int64)
    ages_s = np.maximum(now_us - columns.fixed_us, 0) / 1e6
    contact_ages_s = np.maximum(now_us - np.maximum(columns.received_us, contact_us), 0) / 1e6
    rest = (columns.speed_cmps >= 0) & (columns.speed_cmps < 100 * AT_REST_MPS)
    rows = zip(
        ids,
        (columns.lat_e7 / E7).tolist(),
        (columns.lon_e7 / E7).tolist(),
        ages_s.tolist(),
        contact_ages_s.tolist(),
        rest.tolist(),
        strict=True,
    )
    return {
        CourierId(courier_id): Whereabouts(
            at=LatLon(lat, lon), age_s=age_s, contact_age_s=contact_age_s, at_rest=at_rest
        )
        for courier_id, lat, lon, age_s, contact_age_s, at_rest in rows
    }
