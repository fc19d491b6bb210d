"""
Raises and resolves alerts: `judge` on the rows of the database. Rides on `tracking.watching.watch`.

Where the couriers of a region are watched in several parts, each sees to its own, and the first to what is said of the
region as a whole: whether its intake is silent, and how many alerts are open.

Nothing here must survive: what the fixes have shown is found again from history, and which alerts are open stands in
the table, whose unique index lets two watchers at once raise only one.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import redis.asyncio as aioredis
from prometheus_client import Counter, Gauge

from dispatch import alert_rows
from dispatch import aside as asides
from dispatch.alert_kind import AlertKind
from dispatch.alert_rows import AlertChange
from dispatch.alerts import intake, judge, vigil
from dispatch.alerts.facts import AlertParams, CourierFacts
from dispatch.alerts.intake_alert import IntakeAlert
from dispatch.alerts.judge import AlertKey, Verdict
from dispatch.alerts.region_facts import RegionFacts, route_stops
from dispatch.alerts.vigil import AlertFix, Vigil
from dispatch.aside import REGION, Aside, Subject
from dispatch.asides import Asides
from dispatch.stop import OrderId, StopKind
from dispatch.visits import from_fixes
from dispatch.visits.at_stop import AT_STOP, ArrivalParams
from dispatch.visits.from_fixes import ArrivalFix, ArrivalState, Arrived
from sql import queries
from tracking import events
from tracking import lease as leases
from tracking.batch import E7, PositionColumns, instant, microseconds
from tracking.lease import Lease
from tracking.log import RegionKeys
from tracking.position import CourierId, LatLon, Region
from tracking.quality import Limits
from tracking.watching.findings import NOTIFY_WITHIN_S
from tracking.watching.fix_columns import TrackFix

log = logging.getLogger(__name__)

OPEN = Gauge(
    "postrider_alerts_open", "Alerts that are open, by kind.", ["region", "kind"], multiprocess_mode="livemostrecent"
)
ARRIVALS = Counter("postrider_stop_arrivals_total", "Arrivals at stops recognised from the fixes.")


KINDS = frozenset(AlertKind)
RECALL_AT_ONCE = 100
"""Couriers whose last minutes are read between two chances for the other tasks of the process."""


class FactsSource(Protocol):
    """`dispatch.alerts.region_facts.FactsOfRegion`."""

    async def load(
        self, region: Region, now: datetime, *, of: Callable[[CourierId], bool] | None = None
    ) -> RegionFacts:
        """A region as it is now; `of`: only what concerns these couriers."""
        ...


@dataclass(slots=True)
class _Watched:
    """What is known of one region."""

    facts: RegionFacts | None = None
    vigils: dict[CourierId, Vigil] = field(default_factory=dict)
    arrivals: dict[CourierId, ArrivalState] = field(default_factory=dict)
    contact_us: dict[CourierId, int] = field(default_factory=dict)
    aside: Aside = field(default_factory=Aside)
    """What could not be borne since the last tick."""
    intake_silent: bool = False
    """Nobody is judged by silence now."""


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
        self._arrival_params = arrival_params or AT_STOP
        self._limits = limits or Limits()
        self._asides = Asides(pool, redis, part="watch")
        self._intake = IntakeAlert(pool, redis)
        self._watched_by: dict[Region, _Watched] = {}
        """By the lease's name."""

    def forget(self, lease: Lease) -> None:
        """Begin anew: somebody else may have watched meanwhile."""
        self._watched_by.pop(lease.name, None)
        if _leads(lease):
            self._intake.forget(lease.region)

    async def saw(self, lease: Lease, columns: PositionColumns) -> Mapping[CourierId, int]:
        """
        Take in fixes. Alerts are about now: of late fixes only the contact counts.

        Returns whose arrivals at stops a late fix may change, and from when on: see `found_again`.
        """
        now = instant(int(columns.received_us.max()))
        watched = await self._watched(lease, now)
        await self._recall(watched, [CourierId(i) for i in columns.courier_ids], now)
        assert watched.facts is not None
        order = columns.fixed_us.argsort(kind="stable")
        rows = columns.take(order)
        found: list[tuple[CourierId, Any]] = []
        late: dict[CourierId, int] = {}
        for i in range(len(rows)):
            courier_id = CourierId(rows.courier_ids[rows.courier[i]])
            with watched.aside.bearing(asides.courier(courier_id), doing="watch"):
                found += self._see(watched, courier_id, rows, i, late)
        await self._note_arrivals(lease, found)
        return late

    async def found_again(
        self, lease: Lease, courier_id: CourierId, fixes: Sequence[TrackFix], *, since_us: int, now: datetime
    ) -> None:
        """
        Every believable fix of a courier from an instant on, in order: find the arrivals in them again.

        It happens after late fixes and when a watcher begins, so the arrivals are those of the set of fixes.
        """
        region = lease.region
        watched = await self._watched(lease, now)
        assert watched.facts is not None
        since = instant(since_us)
        rows = await self._pool.fetch(queries["stop_visits.stops"], [courier_id], since)
        stops = route_stops(rows, watched.facts.couriers).get(courier_id, ())
        going_on = await self._pool.fetch(queries["stop_visits.open_of_region"], region, courier_id, since)
        before = _resumed(going_on).get(courier_id, from_fixes.EMPTY)
        few = [ArrivalFix(fix.at_us, fix.lat, fix.lon) for fix in fixes]
        after, visits = await asyncio.to_thread(from_fixes.fold, before, few, stops, self._arrival_params)
        watched.arrivals[courier_id] = after
        keys = sorted({(stop.order_id, stop.kind) for stop in stops} | visits.keys())
        if not keys:
            return
        found = [visits.get(key) for key in keys]
        async with leases.held(self._pool, lease) as connection:
            rows = await connection.fetch(
                queries["stop_visits.put_again"],
                region,
                courier_id,
                since,
                [order_id for order_id, _ in keys],
                [kind.value for _, kind in keys],
                [None if visit is None else instant(visit.arrived_us) for visit in found],
                [None if visit is None or visit.departed_us is None else instant(visit.departed_us) for visit in found],
            )
        for row in rows:
            facts = {"courier_id": courier_id, "order_id": row["order_id"], "kind": row["kind"]}
            if row["is_new"]:
                await self._tell_arrival(region, "stop.arrived", facts, row["arrived_at"], now)
            if row["departed_at"] is not None and row["had_not_departed"]:
                await self._tell_arrival(region, "stop.departed", facts, row["departed_at"], now)

    async def _tell_arrival(
        self, region: Region, name: str, facts: Mapping[str, Any], at: datetime, now: datetime
    ) -> None:
        """What is found late is recorded and told to nobody."""
        if at >= now - timedelta(seconds=NOTIFY_WITHIN_S):
            await events.tell(self._redis, [(region, name, facts)], at=at)

    def _see(
        self, watched: _Watched, courier_id: CourierId, rows: PositionColumns, i: int, late: dict[CourierId, int]
    ) -> list[tuple[CourierId, Any]]:
        """Take in one fix; the arrivals and departures it shows. `late` is told of one that came after a newer one."""
        assert watched.facts is not None
        received_us = int(rows.received_us[i])
        watched.contact_us[courier_id] = max(watched.contact_us.get(courier_id, 0), received_us)
        before = watched.vigils[courier_id]
        newest = before.suspect or before.last
        if rows.marks[i]:
            return []
        if newest is not None and rows.fixed_us[i] <= newest.at_us:
            at_us = int(rows.fixed_us[i])
            if at_us < newest.at_us and (watched.facts.visits.get(courier_id) or watched.arrivals.get(courier_id)):
                late[courier_id] = min(late.get(courier_id, at_us), at_us)
            return []
        facts = watched.facts.couriers.get(courier_id, NOBODY)
        fix = _fix(rows, i)
        watched.vigils[courier_id] = after = vigil.step(before, fix, facts, watched.facts.params, self._limits)
        if after.last is not fix:
            return []
        return [(courier_id, event) for event in self._arrive(watched, courier_id, fix)]

    async def tick(self, lease: Lease, now: datetime) -> None:
        """Raise what holds now and resolve what has ended."""
        region = lease.region
        watched = await self._watched(lease, now)
        watched.facts = facts = await self._load(lease, now)
        watched.aside.causes |= facts.set_aside
        await self._recall(watched, [courier_id for courier_id in facts.couriers if lease.has(courier_id)], now)
        await self._hear(watched, lease)
        _let_go(watched, facts, microseconds(now))
        if _leads(lease):
            watched.intake_silent = await self._intake.judge(lease, facts, watched.contact_us, now)
        else:
            watched.intake_silent = await self._intake.is_open(region)
        open_keys: dict[CourierId, set[AlertKey]] = {}
        for row in await self._pool.fetch(queries["alerts.open_in_region"], region, ""):
            if row["kind"] not in KINDS or row["courier_id"] is None:
                continue  # raised by another part of the program, or by a later release
            key = (AlertKind(row["kind"]), None if row["order_id"] is None else OrderId(row["order_id"]))
            open_keys.setdefault(CourierId(row["courier_id"]), set()).add(key)
        raised: list[AlertChange] = []
        resolved: list[AlertChange] = []
        for courier_id in facts.couriers.keys() | open_keys.keys():
            if not lease.has(courier_id):
                continue
            if asides.courier(courier_id) in watched.aside.causes:
                continue  # what is open stays open
            with watched.aside.bearing(asides.courier(courier_id), doing="judge"):
                up, down = self._judge(watched, courier_id, open_keys.get(courier_id, set()), now)
                raised += [_change(courier_id, verdict) for verdict in up]
                resolved += [_change(courier_id, verdict) for verdict in down]
        await alert_rows.write(self._pool, self._redis, region, raised=raised, resolved=resolved, now=now, lease=lease)
        if _leads(lease):
            await self._count(region)
        await self._asides.tell(region, watched.aside, turn=lease.name, mine=partial(_tells_of, lease))
        watched.aside = Aside()

    def _judge(
        self, watched: _Watched, courier_id: CourierId, open_keys: set[AlertKey], now: datetime
    ) -> tuple[list[Verdict], list[Verdict]]:
        assert watched.facts is not None
        of_courier = watched.facts.couriers.get(courier_id, NOBODY)
        verdicts = judge.judge(
            watched.vigils.get(courier_id, vigil.EMPTY),
            of_courier,
            watched.facts.params,
            contact_us=watched.contact_us.get(courier_id),
            now_us=microseconds(now),
        )
        fair = [v for v in verdicts if not (watched.intake_silent and v.holds and v.kind in intake.BY_SILENCE)]
        return judge.decide(open_keys, fair, stops=of_courier.stops)

    async def _watched(self, lease: Lease, now: datetime) -> _Watched:
        watched = self._watched_by.setdefault(lease.name, _Watched())
        if watched.facts is None:
            rows = await self._pool.fetch(queries["stop_visits.open_of_region"], lease.region, None, now)
            watched.arrivals.update(_resumed(row for row in rows if lease.has(row["courier_id"])))
            watched.facts = await self._load(lease, now)
        return watched

    async def _load(self, lease: Lease, now: datetime) -> RegionFacts:
        """Of those that the lease is about; whoever leads judges the intake by the whole region."""
        return await self._facts.load(lease.region, now, of=None if _leads(lease) else lease.has)

    async def _recall(self, watched: _Watched, courier_ids: list[CourierId], now: datetime) -> None:
        """Find from history what the last minutes have shown of couriers that are new here."""
        new = [courier_id for courier_id in courier_ids if courier_id not in watched.vigils]
        if not new:
            return
        assert watched.facts is not None
        params = watched.facts.params
        watched.vigils.update(dict.fromkeys(new, vigil.EMPTY))
        since = now - timedelta(seconds=2 * params.stuck_after_s)
        for first in range(0, len(new), RECALL_AT_ONCE):
            few = new[first : first + RECALL_AT_ONCE]
            await self._recall_few(watched, few, params, since)
            await asyncio.sleep(0)

    async def _recall_few(self, watched: _Watched, few: list[CourierId], params: AlertParams, since: datetime) -> None:
        assert watched.facts is not None
        for row in await self._pool.fetch(queries["recounts.recent_fixes"], few, since):
            courier_id = CourierId(row["courier_id"])
            with watched.aside.bearing(asides.courier(courier_id), doing="recall"):
                fix = AlertFix(
                    microseconds(row["fixed_at"]),
                    row["lat_e7"] / E7,
                    row["lon_e7"] / E7,
                    None if row["accuracy_dm"] is None else row["accuracy_dm"] / 10,
                    row["battery_pct"],
                )
                facts = watched.facts.couriers.get(courier_id, NOBODY)
                watched.vigils[courier_id] = vigil.step(watched.vigils[courier_id], fix, facts, params, self._limits)

    async def _hear(self, watched: _Watched, lease: Lease) -> None:
        """Contacts without a position count too: a phone that says it has none is not silent."""
        contacts: dict[Any, Any] = await self._redis.hgetall(RegionKeys(lease.region).contacts)
        is_all = _leads(lease)
        for raw_id, milliseconds in contacts.items():
            with watched.aside.bearing(REGION, doing="hear of contacts"):
                courier_id = CourierId(UUID(bytes=bytes(raw_id)))
                if not is_all and not lease.has(courier_id):
                    continue
                heard_us = int(float(milliseconds) * 1000)
                watched.contact_us[courier_id] = max(watched.contact_us.get(courier_id, 0), heard_us)

    def _arrive(
        self, watched: _Watched, courier_id: CourierId, fix: AlertFix
    ) -> tuple[Arrived | from_fixes.Departed, ...]:
        assert watched.facts is not None
        state = watched.arrivals.get(courier_id, from_fixes.EMPTY)
        stops = watched.facts.visits.get(courier_id, ())
        if state.last is not None and fix.at_us <= state.last.at_us:
            return ()  # it was among those found again
        if not stops and not state.visits:
            watched.arrivals.pop(courier_id, None)
            return ()
        state, found = from_fixes.step(state, ArrivalFix(fix.at_us, fix.lat, fix.lon), stops, self._arrival_params)
        watched.arrivals[courier_id] = state
        return found

    async def _note_arrivals(self, lease: Lease, found: list[tuple[CourierId, Arrived | from_fixes.Departed]]) -> None:
        if not found:
            return
        told: list[tuple[str, datetime, Mapping[str, Any]]] = []
        async with leases.held(self._pool, lease) as connection:
            for courier_id, event in found:
                order_id, kind = event.key
                at = instant(event.at_us)
                if isinstance(event, Arrived):
                    new = await connection.fetchval(
                        queries["stop_visits.arrive"], order_id, kind.value, courier_id, lease.region, at
                    )
                    name = "stop.arrived"
                    ARRIVALS.inc()
                else:
                    new = await connection.fetchval(queries["stop_visits.depart"], order_id, kind.value, courier_id, at)
                    name = "stop.departed"
                if new is not None:
                    told.append((name, at, {"courier_id": courier_id, "order_id": order_id, "kind": kind.value}))
        for name, at, facts in told:
            await events.tell(self._redis, [(lease.region, name, facts)], at=at)

    async def _count(self, region: Region) -> None:
        counts = {row["kind"]: row["n"] for row in await self._pool.fetch(queries["alerts.counts"], region)}
        for kind in AlertKind:
            OPEN.labels(region, kind.value).set(counts.get(kind.value, 0))


def _leads(lease: Lease) -> bool:
    """Whether it is up to this one to look at the region as a whole, besides the couriers it has."""
    return lease.part is None or lease.part.k == 0


def _tells_of(lease: Lease, subject: Subject) -> bool:
    return _leads(lease) if subject.courier_id is None else lease.has(subject.courier_id)


def _let_go(watched: _Watched, facts: RegionFacts, now_us: int) -> None:
    """Forget who is not of the region any more and was not heard of for long; who comes back is found in history."""
    since_us = now_us - facts.params.silent_at_most_s * vigil.MICROS
    of_courier: tuple[dict[CourierId, Any], ...] = (watched.vigils, watched.arrivals, watched.contact_us)
    for courier_id in watched.vigils.keys() | watched.arrivals.keys() | watched.contact_us.keys():
        if courier_id not in facts.couriers and watched.contact_us.get(courier_id, 0) < since_us:
            for known in of_courier:
                known.pop(courier_id, None)


def _resumed(rows: Iterable[Mapping[str, Any]]) -> dict[CourierId, ArrivalState]:
    """Who is at which stop, from rows of the query `stop_visits.open_of_region`."""
    visits: dict[CourierId, dict[from_fixes.StopKey, tuple[LatLon, int]]] = {}
    for row in rows:
        key = (OrderId(row["order_id"]), StopKind(row["kind"]))
        place = LatLon(row["lat"], row["lon"])
        visits.setdefault(CourierId(row["courier_id"]), {})[key] = (place, microseconds(row["arrived_at"]))
    return {courier_id: from_fixes.resumed(theirs) for courier_id, theirs in visits.items()}


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


def _change(courier_id: CourierId, verdict: Verdict) -> AlertChange:
    return AlertChange(
        kind=verdict.kind,
        courier_id=courier_id,
        order_id=verdict.order_id,
        facts=alert_rows.readable(verdict.facts),
        expected=alert_rows.readable(verdict.expected),
    )
