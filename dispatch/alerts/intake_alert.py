"""Keeps the alert `intake_silent` of each region; while it is open, nobody is judged by silence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from redis.asyncio import Redis

from dispatch import alert_rows
from dispatch.alert_kind import AlertKind
from dispatch.alert_rows import AlertChange
from dispatch.alerts import intake
from dispatch.alerts.quiet_board import QuietBoard
from dispatch.alerts.region_facts import RegionFacts
from sql import queries
from tracking.batch import microseconds
from tracking.intake.pulse import Pulse
from tracking.lease import Lease
from tracking.position import CourierId, Region

SOURCE = "intake"


@dataclass(slots=True)
class _Intake:
    is_open: bool
    well_at: datetime | None = None
    """Since when all is well again; None: it is not, or was never otherwise."""


class IntakeAlert:
    """The alert itself is what is remembered: a watcher that restarts goes on with it, and with its grace time anew."""

    def __init__(self, pool: asyncpg.Pool, redis: Redis) -> None:
        self._pool = pool
        self._redis = redis
        self._pulse = Pulse(redis)
        self._board = QuietBoard(redis)
        self._intakes: dict[Region, _Intake] = {}

    def forget(self, region: Region) -> None:
        """Somebody else may have watched the region meanwhile."""
        self._intakes.pop(region, None)

    async def is_open(self, region: Region) -> bool:
        """Whether somebody has raised it."""
        return bool(await self._pool.fetch(queries["alerts.open_in_region"], region, SOURCE))

    async def judge(self, lease: Lease, facts: RegionFacts, contact_us: Mapping[CourierId, int], now: datetime) -> bool:
        """Raise or resolve it; whether it is open. `contact_us`: when each courier was last heard of."""
        region = lease.region
        why = await self._silence(region, facts, contact_us, now)
        known = self._intakes.get(region)
        if known is None:
            known = self._intakes[region] = _Intake(is_open=await self.is_open(region))
        if why is not None:
            known.well_at = None
            if not known.is_open:
                await self._write(lease, now, why, is_raised=True)
                known.is_open = True
        elif known.is_open:
            known.well_at = known.well_at or now
            if now - known.well_at >= timedelta(seconds=facts.params.intake_grace_s):
                await self._write(lease, now, {"well_since_us": microseconds(known.well_at)}, is_raised=False)
                known.is_open = False
        return known.is_open

    async def _silence(
        self, region: Region, facts: RegionFacts, contact_us: Mapping[CourierId, int], now: datetime
    ) -> Mapping[str, Any] | None:
        now_us = microseconds(now)
        at_work = (courier_id for courier_id, one in facts.couriers.items() if one.on_duty and not one.on_break)
        contacts_us = [contact_us[courier_id] for courier_id in at_work if courier_id in contact_us]
        own = intake.quiet_of(contacts_us, facts.params, now_us=now_us)
        others = await self._board.share(region, own, now_us=now_us)
        beat_us = await self._pulse.beat_us()
        newest_us = max(contacts_us, default=0)
        return intake.silence(
            own, list(others.values()), facts.params, newest_us=newest_us, beat_us=beat_us, now_us=now_us
        )

    async def _write(self, lease: Lease, now: datetime, facts: Mapping[str, Any], *, is_raised: bool) -> None:
        change = AlertChange(kind=AlertKind.INTAKE_SILENT, facts=alert_rows.readable(facts))
        await alert_rows.write(
            self._pool,
            self._redis,
            lease.region,
            source=SOURCE,
            raised=[change] if is_raised else (),
            resolved=() if is_raised else [change],
            now=now,
            lease=lease,
        )
