"""Where the live feed gets its positions from: the position log, and live state for what was before."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from tracking.feed.crowd import Sighting
from tracking.live import LivePositions
from tracking.log import Entry, PositionLog, parted
from tracking.position import Position, Region


class LogSightings:
    """Reads what `tracking.intake.ingest` writes; satisfies `tracking.feed.Source`."""

    def __init__(self, redis: Redis) -> None:
        self._live = LivePositions(redis)
        self._log = PositionLog(redis)

    async def keys(self, region: str) -> Sequence[str]:
        """Names of the streams of the region's log."""
        return [part.log for part in (await self._log.layout(Region(region))).all(Region(region))]

    def following(self, region: str, fields: Mapping[Any, Any]) -> Sequence[str]:
        """The streams that the log goes on in, where this is the last entry of one."""
        layout = parted(fields)
        return [] if layout is None else [part.log for part in layout.now(Region(region))]

    def decode(self, fields: Mapping[Any, Any]) -> Iterable[Sighting]:
        """What moved live state forward in one entry; raises ValueError when the entry is poisoned."""
        return [
            sighting_of(position, position.received_at) for position in Entry("0-0", dict(fields)).moved_positions()
        ]

    async def everybody(self, region: str) -> Iterable[Sighting]:
        """Everybody's last good position."""
        return [sighting_of(live.position, live.contact_at) for live in (await self._live.all(Region(region))).values()]


def sighting_of(position: Position, contact_at: datetime) -> Sighting:
    """A position as the live map sees it."""
    fix = position.fix
    return Sighting(
        courier_id=str(position.courier_id),
        fixed_at=fix.fixed_at,
        received_at=position.received_at,
        contact_at=contact_at,
        lat=fix.at.lat,
        lon=fix.at.lon,
        accuracy_m=fix.accuracy_m,
        speed_mps=fix.speed_mps,
        course_deg=fix.course_deg,
        battery_pct=fix.battery_pct,
    )
