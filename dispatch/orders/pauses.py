"""
Who lets offers run out gets nothing new for a while; functions on a `Desk`.

A pause is not written anywhere: it follows from the offers and the region's rules, and ends by itself. It is ended
early by forgetting what ran out until then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dispatch.orders.desk import Desk
from sql import queries
from tracking.errors import CourierNotFound
from tracking.position import CourierId, Region

LAPSES_COUNT_FOR = timedelta(hours=2)
"""Offers that ran out longer ago are forgotten, unless the pause itself is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseParams:
    """Who lets offers run out gets nothing new for a while."""

    after_expired: int = 0
    """After so many offers one after the other; 0: never."""
    pause_s: int = 900


async def paused(
    connection: Any, region: Region, now: datetime, params: PauseParams, courier_ids: Sequence[CourierId] | None = None
) -> Mapping[CourierId, datetime]:
    """Those of a region's couriers (or of some) who are paused, and until when. `connection` may be a pool."""
    if not params.after_expired:
        return {}
    pause = timedelta(seconds=params.pause_s)
    since = now - pause
    rows = await connection.fetch(
        queries["offers.lapsed_in_region"],
        region,
        min(since, now - LAPSES_COUNT_FOR),
        params.after_expired,
        since,
        courier_ids,
    )
    return {row["courier_id"]: row["at"] + pause for row in rows}


async def tell_new(desk: Desk, region: Region, params: PauseParams, courier_ids: Sequence[CourierId]) -> None:
    """Publish after the commit which of the couriers, whose offers have just run out, are paused by that."""
    if courier_ids:
        for courier_id, until in (await paused(desk.connection, region, desk.now, params, courier_ids)).items():
            _tell(desk, region, courier_id, "paused", until)


async def end(desk: Desk, courier_id: CourierId) -> None:
    """The courier is asked again from now on; raises CourierNotFound. Without a pause nothing is different."""
    region = await desk.connection.fetchval(queries["offers.forget_lapses"], courier_id, desk.now)
    if region is None:
        raise CourierNotFound(courier_id=courier_id)
    _tell(desk, region, courier_id, "pause_ended", desk.now)


def _tell(desk: Desk, region: Region, courier_id: CourierId, what: str, until: datetime) -> None:
    desk.events.append((region, f"courier.{what}", {"courier_id": str(courier_id), "until": until.isoformat()}))
