"""
Raises and resolves alerts: `judge` on the rows of the database. Rides on `tracking.watching.watch`.

Nothing here must survive: what the fixes have shown is found again from history, and which alerts are open stands in
the table, whose unique index lets two watchers at once raise only one.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import msgspec
import redis.asyncio as aioredis
from prometheus_client import Counter, Gauge

from dispatch.alert_kind import AlertKind
from dispatch.alerts import judge, vigil
from dispatch.alerts.facts import CourierFacts
from dispatch.alerts.judge import AlertKey, Verdict
from dispatch.alerts.region_facts import RegionFacts
from dispatch.alerts.vigil import AlertFix, Vigil
from dispatch.stop import OrderId
from dispatch.visits import from_fixes
from dispatch.visits.from_fixes import ArrivalFix, ArrivalParams, ArrivalState, Arrived, RouteStop
from sql import queries
from tracking import events
from tracking.batch import E7, PositionColumns, instant, microseconds
from tracking.log import RegionKeys
from tracking.position import CourierId, Region
from tracking.quality import Limits

log = logging.getLogger(__name__)

RAISED = Counter("postrider_alerts_raised_total", "Alerts raised, by kind.", ["kind"])
RESOLVED = Counter("postrider_alerts_resolved_total", "Alerts resolved by themselves, by kind.", ["kind"])
OPEN = Gauge("postrider_alerts_open", "Alerts that are open, by kind.", ["region", "kind"])
ARRIVALS = Counter("postrider_stop_arrivals_total", "Arrivals at stops recognised from the fixes.")


class FactsSource(Protocol):
    """`dispatch.alerts.region_facts.FactsOfRegion`."""

    async def load(self, region: Region, now: datetime) -> RegionFacts:
        """A region as it is now."""
        ...


@dataclass(slots=True)
class _Watched:
    """What is known of one region."""

    facts: RegionFacts | None = None
    vigils: dict[CourierId, Vigil] = field(default_factory=dict)
    arrivals: dict[CourierId, ArrivalState] = field(default_factory=dict)
    contact_us: dict[CourierId, int] = field(default_factory=dict)


class Vigilance:
    """An observer of `tracking.watching.watch.Watcher`."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        redis: aioredis.Redis,
        facts: FactsSource,
        arrival_params: ArrivalParams | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._pool = pool
        self._redis = redis
        self._facts = facts
        self._arrival_params = arrival_params or ArrivalParams()
        self._limits = limits or Limits()
        self._regions: dict[Region, _Watched] = {}

    def forget(self, region: Region) -> None:
        """Begin anew: somebody else may have watched the region meanwhile."""
        self._regions.pop(region, None)

    async def saw(self, region: Region, columns: PositionColumns) -> None:
        """Take in fixes. Alerts are about now: of late fixes only the contact counts."""
        now = instant(int(columns.received_us.max()))
        watched = await self._watched(region, now)
        await self._recall(watched, [CourierId(i) for i in columns.courier_ids], now)
        assert watched.facts is not None
        order = columns.fixed_us.argsort(kind="stable")
        rows = columns.take(order)
        found: list[tuple[CourierId, Any]] = []
        for i in range(len(rows)):
            courier_id = CourierId(rows.courier_ids[rows.courier[i]])
            received_us = int(rows.received_us[i])
            watched.contact_us[courier_id] = max(watched.contact_us.get(courier_id, 0), received_us)
            before = watched.vigils[courier_id]
            newest = before.suspect or before.last
            if rows.marks[i] or (newest is not None and rows.fixed_us[i] <= newest.at_us):
                continue
            facts = watched.facts.couriers.get(courier_id, NOBODY)
            fix = _fix(rows, i)
            watched.vigils[courier_id] = after = vigil.step(before, fix, facts, watched.facts.params, self._limits)
            if after.last is fix:
                found += [(courier_id, event) for event in self._arrive(watched, courier_id, fix, facts)]
        await self._note_arrivals(region, found)

    async def tick(self, region: Region, now: datetime) -> None:
        """Raise what holds now and resolve what has ended."""
        watched = await self._watched(region, now)
        watched.facts = facts = await self._facts.load(region, now)
        await self._recall(watched, list(facts.couriers), now)
        await self._hear(watched, region)
        open_keys: dict[CourierId, set[AlertKey]] = {}
        for row in await self._pool.fetch(queries["alerts.open_in_region"], region):
            key = (AlertKind(row["kind"]), None if row["order_id"] is None else OrderId(row["order_id"]))
            open_keys.setdefault(CourierId(row["courier_id"]), set()).add(key)
        raised: list[tuple[CourierId, Verdict]] = []
        resolved: list[tuple[CourierId, Verdict]] = []
        for courier_id in facts.couriers.keys() | open_keys.keys():
            of_courier = facts.couriers.get(courier_id, NOBODY)
            verdicts = list(
                judge.judge(
                    watched.vigils.get(courier_id, vigil.EMPTY),
                    of_courier,
                    facts.params,
                    contact_us=watched.contact_us.get(courier_id),
                    now_us=microseconds(now),
                )
            )
            up, down = judge.decide(open_keys.get(courier_id, ()), verdicts, stops=of_courier.stops)
            raised += [(courier_id, verdict) for verdict in up]
            resolved += [(courier_id, verdict) for verdict in down]
        await self._write(region, raised, resolved, now=now)
        await self._count(region)

    async def _watched(self, region: Region, now: datetime) -> _Watched:
        watched = self._regions.setdefault(region, _Watched())
        if watched.facts is None:
            watched.facts = await self._facts.load(region, now)
        return watched

    async def _recall(self, watched: _Watched, courier_ids: list[CourierId], now: datetime) -> None:
        """Find from history what the last minutes have shown of couriers that are new here."""
        new = [courier_id for courier_id in courier_ids if courier_id not in watched.vigils]
        if not new:
            return
        assert watched.facts is not None
        params = watched.facts.params
        watched.vigils.update(dict.fromkeys(new, vigil.EMPTY))
        since = now - timedelta(seconds=2 * params.stuck_after_s)
        for row in await self._pool.fetch(queries["recounts.recent_fixes"], new, since):
            courier_id = CourierId(row["courier_id"])
            fix = AlertFix(
                microseconds(row["fixed_at"]),
                row["lat_e7"] / E7,
                row["lon_e7"] / E7,
                None if row["accuracy_dm"] is None else row["accuracy_dm"] / 10,
                row["battery_pct"],
            )
            facts = watched.facts.couriers.get(courier_id, NOBODY)
            watched.vigils[courier_id] = vigil.step(watched.vigils[courier_id], fix, facts, params, self._limits)

    async def _hear(self, watched: _Watched, region: Region) -> None:
        """Contacts without a position count too: a phone that says it has none is not silent."""
        contacts: dict[Any, Any] = await self._redis.hgetall(RegionKeys(region).contacts)
        for raw_id, milliseconds in contacts.items():
            courier_id = CourierId(UUID(bytes=bytes(raw_id)))
            heard_us = int(float(milliseconds) * 1000)
            watched.contact_us[courier_id] = max(watched.contact_us.get(courier_id, 0), heard_us)

    def _arrive(
        self, watched: _Watched, courier_id: CourierId, fix: AlertFix, facts: CourierFacts
    ) -> tuple[Arrived | from_fixes.Departed, ...]:
        state = watched.arrivals.get(courier_id, from_fixes.EMPTY)
        if not facts.stops and not state.visits:
            watched.arrivals.pop(courier_id, None)
            return ()
        stops = [RouteStop(stop.order_id, stop.kind, stop.at) for stop in facts.stops]
        state, found = from_fixes.step(state, ArrivalFix(fix.at_us, fix.lat, fix.lon), stops, self._arrival_params)
        watched.arrivals[courier_id] = state
        return found

    async def _note_arrivals(
        self, region: Region, found: list[tuple[CourierId, Arrived | from_fixes.Departed]]
    ) -> None:
        for courier_id, event in found:
            order_id, kind = event.key
            at = instant(event.at_us)
            if isinstance(event, Arrived):
                new = await self._pool.fetchval(
                    queries["stop_visits.arrive"], order_id, kind.value, courier_id, region, at
                )
                name = "stop.arrived"
                ARRIVALS.inc()
            else:
                new = await self._pool.fetchval(queries["stop_visits.depart"], order_id, kind.value, courier_id, at)
                name = "stop.departed"
            if new is not None:
                facts = {"courier_id": courier_id, "order_id": order_id, "kind": kind.value}
                await events.tell(self._redis, [(region, name, facts)], at=at)

    async def _write(
        self,
        region: Region,
        raised: list[tuple[CourierId, Verdict]],
        resolved: list[tuple[CourierId, Verdict]],
        *,
        now: datetime,
    ) -> None:
        told: list[tuple[str, Any]] = []
        if resolved:
            rows = await self._pool.fetch(
                queries["alerts.resolve_many"],
                region,
                now,
                [v.kind.value for _, v in resolved],
                [courier_id for courier_id, _ in resolved],
                [v.order_id for _, v in resolved],
                [_json(v.facts) for _, v in resolved],
            )
            told += [("alert.resolved", row) for row in rows]
        if raised:
            rows = await self._pool.fetch(
                queries["alerts.raise_many"],
                region,
                now,
                [v.kind.value for _, v in raised],
                [courier_id for courier_id, _ in raised],
                [v.order_id for _, v in raised],
                [_json(v.facts) for _, v in raised],
                [_json(v.expected) for _, v in raised],
            )
            told += [("alert.raised", row) for row in rows]
        tellings: list[tuple[str, str, Mapping[str, Any]]] = []
        for name, row in told:
            (RAISED if name == "alert.raised" else RESOLVED).labels(row["kind"]).inc()
            facts = {"alert_id": row["id"], "kind": row["kind"], "courier_id": row["courier_id"]}
            if row["order_id"] is not None:
                facts["order_id"] = row["order_id"]
            log.info(
                name.replace(".", " "), extra={"event": name.replace(".", "_"), **{k: str(v) for k, v in facts.items()}}
            )
            tellings.append((region, name, facts))
        await events.tell(self._redis, tellings, at=now)

    async def _count(self, region: Region) -> None:
        counts = {row["kind"]: row["n"] for row in await self._pool.fetch(queries["alerts.counts"], region)}
        for kind in AlertKind:
            OPEN.labels(region, kind.value).set(counts.get(kind.value, 0))


NOBODY = CourierFacts(on_duty=False)
"""A courier who is not at work in the region: whatever is open ends."""


def _fix(rows: PositionColumns, i: int) -> AlertFix:
    accuracy_dm, battery_pct = int(rows.accuracy_dm[i]), int(rows.battery_pct[i])
    return AlertFix(
        int(rows.fixed_us[i]),
        int(rows.lat_e7[i]) / E7,
        int(rows.lon_e7[i]) / E7,
        None if accuracy_dm < 0 else accuracy_dm / 10,
        None if battery_pct < 0 else float(battery_pct),
    )


def _json(facts: Mapping[str, Any]) -> str:
    """Facts as JSON, instants as people read them."""
    readable = {
        f"{name.removesuffix('_us')}_at" if name.endswith("_us") and name != "at_us" else name.removesuffix("_us"): (
            instant(value).isoformat() if name.endswith("_us") and value is not None else value
        )
        for name, value in facts.items()
        if value is not None
    }
    return msgspec.json.encode(readable).decode()
