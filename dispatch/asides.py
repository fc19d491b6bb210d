"""Tells staff what a part of the program has set aside: an alert each, raised at the second try, resolved when well."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import asyncpg
from prometheus_client import Gauge
from redis.asyncio import Redis

from dispatch import alert_rows
from dispatch.alert_kind import AlertKind
from dispatch.alert_rows import AlertChange
from dispatch.aside import Aside, Subject
from sql import queries
from tracking import outages
from tracking.position import Region

log = logging.getLogger(__name__)

SET_ASIDE = Gauge(
    "postrider_left_out",
    "Orders, couriers and regions left out by a part of the program.",
    ["part", "region", "subject"],
    multiprocess_mode="livemostrecent",
)

SUBJECTS = ("order", "courier", "region")


class Asides:
    """What a part of the program has set aside, by region."""

    def __init__(self, pool: asyncpg.Pool, redis: Redis, *, part: str) -> None:
        self._pool = pool
        self._redis = redis
        self._part = part
        self._before: dict[Region, Mapping[Subject, str]] = {}

    async def tell(
        self, region: Region, aside: Aside, *, turn: Region | None = None, mine: Callable[[Subject], bool] | None = None
    ) -> None:
        """
        The outcome of a whole turn of a region: raise what was set aside twice running, resolve what is well again.

        Where several see to a region side by side each gives its turn a name, and says which subjects are its own: of
        the others it tells nothing. Costs a query only while something is set aside, and at first. An outage is not
        raised: it is told again.
        """
        turn, mine = turn or region, mine or (lambda _: True)
        causes = {subject: cause for subject, cause in aside.causes.items() if mine(subject)}
        before, self._before[turn] = self._before.get(turn), causes
        for kind in SUBJECTS:
            SET_ASIDE.labels(self._part, turn, kind).set(sum(1 for found in causes if found.kind == kind))
        if before == {} and not causes:
            return
        try:
            await self._tell(region, before or {}, causes, mine)
        except outages.DRIVERS as exc:
            self._before.pop(turn)
            outages.tell(log, "set aside not told", exc, event="set_aside_not_told", region=region)

    async def _tell(
        self,
        region: Region,
        before: Mapping[Subject, str],
        causes: Mapping[Subject, str],
        mine: Callable[[Subject], bool],
    ) -> None:
        rows = await self._pool.fetch(queries["alerts.open_in_region"], region, self._part)
        told = {Subject(order_id=row["order_id"], courier_id=row["courier_id"]) for row in rows}
        told = {subject for subject in told if mine(subject)}
        twice = [subject for subject in causes if subject in before and subject not in told]
        well = [subject for subject in told if subject not in causes]
        await alert_rows.write(
            self._pool,
            self._redis,
            region,
            source=self._part,
            raised=[self._change(subject, causes[subject]) for subject in twice],
            resolved=[self._change(subject, "it can be used again") for subject in well],
            now=datetime.now(UTC),
        )

    def _change(self, subject: Subject, cause: str) -> AlertChange:
        return AlertChange(
            kind=AlertKind.SET_ASIDE,
            courier_id=subject.courier_id,
            order_id=subject.order_id,
            facts={"by": self._part, "subject": subject.kind, "cause": cause},
        )
