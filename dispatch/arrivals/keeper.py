"""
Keeps the arrivals: follows every courier on a route, fix by fix, and tells new arrivals in the book.

    position log ──▶ couriers on a route ──▶ following ──▶ book (Redis) ──▶ API, console, alerts
    events, timer ──▶ routes from PostgreSQL ──┘        └── ways from the travel chain, in the background

Ingest is not slowed: the log is read from its end, without a group, by whoever holds the region's lease; the book
refuses what one writes whose lease has passed to another. When the keeper is behind, only the last fix of each courier
in a batch counts. Nothing is lost with the keeper but the pace on the current leg: what was told is read back from the
book, so that arrivals stay smooth over a restart. What was told of an order goes with it to its next courier.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from time import monotonic
from typing import Any, Final
from uuid import UUID

import asyncpg
from prometheus_client import Counter, Gauge, Histogram
from redis.asyncio import Redis

from dispatch import aside as asides
from dispatch.arrivals import promises
from dispatch.arrivals.book import FRESH_S, EtaBook
from dispatch.arrivals.eta import Eta
from dispatch.arrivals.following import Following
from dispatch.arrivals.forecast import Forecaster
from dispatch.arrivals.history import History
from dispatch.arrivals.itinerary import Itinerary, itineraries
from dispatch.arrivals.promises import Promises
from dispatch.arrivals.reporting import Reporting
from dispatch.arrivals.widths import Widths
from dispatch.aside import REGION, Aside
from dispatch.asides import Asides
from dispatch.crews import Crew
from dispatch.stop import OrderId
from dispatch.travel.times import TravelTimes
from sql import queries
from tracking import events, outages
from tracking.errors import LeaseLost
from tracking.lanes import LaneParams, Lanes
from tracking.lease import Lease
from tracking.live import LivePositions
from tracking.log import Entry, PositionLog, entry_of, parted
from tracking.parts import Part
from tracking.pause import first_to_end, rest
from tracking.position import CourierId, Region
from tracking.streams import StreamEntry, Tail, Tails, text_of

log = logging.getLogger(__name__)

JOB: Final = "arrivals"
FOLLOWED = Gauge(
    "postrider_eta_routes", "Routes whose arrivals this process keeps.", ["region"], multiprocess_mode="livesum"
)
TOLD = Counter("postrider_eta_told_total", "Arrivals of couriers computed and told.")
NOT_KEPT = Counter("postrider_eta_words_not_kept_total", "Arrivals that were told and could not be written down.")
TELL_SECONDS = Histogram(
    "postrider_eta_batch_seconds",
    "Time to compute and tell the arrivals of a batch of couriers.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)

WRITE_WITHIN_S = 2.0
"""What was told is for later: arrivals wait no longer for it to be written down."""
SLICE = 25
"""Couriers computed between two chances for other tasks of the process: some 25 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperParams:
    """How the keeper paces itself."""

    take_s: float = 0.5
    """Longest wait for something new."""
    tell_every_s: float = 10.0
    """A courier without a new fix is told anew so often: time passes, positions grow stale."""
    reload_every_s: float = 20.0
    """All routes are read so often even when no event said that one changed."""
    lease_s: float = 8.0
    """So long after a keeper died another takes over."""
    n_asking: int = 8
    """Questions to the travel chain at a time."""
    way_budget_s: float = 2.0
    """Longest wait for the ways of one route."""
    regions_every_s: float = 10.0
    """Looks for new regions so often."""
    retry_s: float = 1.0
    """Pause after a failure."""
    report_every_s: float = 5.0
    """Looks so often for what other systems are to be told."""


@dataclass(slots=True)
class _Region:
    """What the keeper holds of a region."""

    region: Region
    lease: Lease
    reporting: Reporting
    after: dict[str, str]
    """Where log and events are read from."""
    seen: set[CourierId] = field(default_factory=set)
    """Couriers who have a new fix since arrivals were told."""
    followings: dict[CourierId, Following] = field(default_factory=dict)
    told_at: dict[CourierId, float] = field(default_factory=dict)
    """Monotonic."""
    changed: set[CourierId] = field(default_factory=set)
    """Couriers whose route must be read again."""
    reloaded_at: float = float("-inf")
    promises: Promises = field(default_factory=dict)
    history: History = field(default_factory=History)
    widths: Widths = field(default_factory=Widths)
    aside: Aside = field(default_factory=Aside)
    """What could not be borne since all routes were last read."""
    asking: set[asyncio.Task[None]] = field(default_factory=set)
    """At most one a courier."""


class EtaKeeper:
    """Keeps the arrivals of all regions that nobody else keeps; `run` is a background task."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        redis: Redis,
        travel: TravelTimes,
        forecaster: Forecaster,
        regions: Callable[[], Awaitable[Iterable[Region]]],
        *,
        engine_expected: bool = False,
        params: KeeperParams | None = None,
        tails: Tails | None = None,
        crew: Crew | None = None,
    ) -> None:
        """`regions`: those there are, or with a `crew` its own; `engine_expected`: a routing engine is configured."""
        self._pool = pool
        self._redis = redis
        self._book = EtaBook(redis)
        self._travel = travel
        self._forecaster = forecaster
        self._engine_expected = engine_expected
        self._params = params or KeeperParams()
        self._asking = asyncio.Semaphore(self._params.n_asking)
        self._asides = Asides(pool, redis, part="arrivals")
        self._tails = tails or Tails(redis)
        params = self._params
        self.lanes = Lanes(
            pool,
            job=JOB,
            crew=None if crew is None else crew.name(JOB),
            regions=regions if crew is None else partial(crew.regions, JOB),
            work=self._keep,
            params=LaneParams(lease_s=params.lease_s, regions_every_s=params.regions_every_s, backoff_s=params.retry_s),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Keep until `stop` is set; a failure in one region does not end the others."""
        await self.lanes.run(stop)

    async def _keep(self, lease: Lease, stop: asyncio.Event) -> None:
        """Keep a region's arrivals, from the rows on: events and fixes from before may have been missed."""
        state: _Region | None = None
        try:
            state = await self._begin(lease)
            with self._tails.follow(state.after) as tail:
                await first_to_end(self._keep_up(state, tail, stop), self._report_on(state))
        except LeaseLost:
            raise
        except outages.DRIVERS:
            raise
        except Exception as exc:
            await self._asides.tell(lease.region, Aside({REGION: outages.words(exc)}))
            raise
        finally:
            self._let_go(state)

    async def _keep_up(self, state: _Region, tail: Tail, stop: asyncio.Event) -> None:
        while not stop.is_set():
            tail.also(self._take(state, await tail.take(self._params.take_s)))
            await self._round(state)

    async def _report_on(self, state: _Region) -> None:
        """Beside it, for as long as it goes on: what holds the outbox holds no arrival."""
        while True:
            await rest(self._params.report_every_s)
            try:
                with state.aside.bearing(REGION, doing="report arrivals"):
                    await state.reporting.turn(state.followings.values(), state.aside)
            except outages.DRIVERS as exc:
                outages.tell(log, "arrivals not reported", exc, event="etas_not_reported", region=state.region)

    async def _begin(self, lease: Lease) -> _Region:
        """Take over a region: routes from the rows, what was told from the book, positions as they are known."""
        region = lease.region
        parts = (await PositionLog(self._redis).layout(region)).all(region)
        after = {part.log: await self._end_of(part) for part in parts}
        after[events.key(region)] = await events.last_id(self._redis, region)
        promised, widths = await self._book.promises(region), await self._book.widths(region)
        kept = await self._pool.fetch(queries["told_arrivals.last_of_open"], region)
        history = History.of({OrderId(row["order_id"]): (row["p50"], row["n"]) for row in kept})
        state = _Region(region, lease, Reporting(self._pool), after, promises=promised, widths=widths, history=history)
        told_before = await self._book.of_region(region)
        await self._reload(state, None)
        now = datetime.now(UTC).timestamp()
        for courier_id, told in told_before.items():
            following = state.followings.get(courier_id)
            if following is None:
                await self._book.put(lease, {}, [courier_id])
            else:
                following.resume(told.etas, now if now - told.computed_at > FRESH_S else None)
        theirs = {courier_id: told.etas for courier_id, told in told_before.items()}
        await self._hand_on(state, theirs, state.followings)
        log.info(
            "keeping arrivals",
            extra={"event": "etas_kept", "region": region, "n_routes": len(state.followings)},
        )
        return state

    def _let_go(self, state: _Region | None) -> None:
        if state is not None:
            for task in state.asking:
                task.cancel()
            FOLLOWED.labels(state.region).set(0)

    def _take(self, state: _Region, entries: Iterable[StreamEntry]) -> list[str]:
        """
        What is new: which routes changed, by the events, and where couriers are; only their last fix counts.

        Returns the streams in which the log goes on, where it has just been given other parts.
        """
        events_key, following = events.key(state.region), []
        for entry in entries:
            if entry.key == events_key:
                for event in events.readable([entry]):
                    self._hear(state, event)
                continue
            with state.aside.bearing(REGION, doing="read fixes"):
                state.seen |= _see(state, entry_of(entry))
                if (layout := parted(entry.fields)) is not None:
                    following += [part.log for part in layout.now(state.region)]
        return following

    def _hear(self, state: _Region, event: events.Event) -> None:
        """A lost event is made good by the next reload."""
        courier_id = event.facts.get("courier_id")
        if courier_id and event.type.partition(".")[0] in ("route", "order", "courier"):
            with state.aside.bearing(REGION, doing=f"hear {event.type}"):
                state.changed.add(CourierId(_uuid(courier_id)))

    async def _round(self, state: _Region) -> None:
        """Tell what follows from what is new."""
        if monotonic() - state.reloaded_at > self._params.reload_every_s:
            await self._reload(state, None)
        elif state.changed:
            await self._reload(state, list(state.changed))
        overdue = monotonic() - self._params.tell_every_s
        seen, state.seen = state.seen, set()
        seen |= {courier_id for courier_id in state.followings if state.told_at.get(courier_id, 0.0) < overdue}
        await self._tell(state, seen)
        await self._write_down(state)
        for courier_id in seen:
            following = state.followings.get(courier_id)
            if following is not None and following.wants_ways and following.at is not None:
                self._ask(state, following)

    async def _reload(self, state: _Region, courier_ids: list[CourierId] | None) -> None:
        """Read routes from the rows: those of some couriers, or all."""
        state.changed.clear()
        rows = await self._pool.fetch(queries["arrivals.stops"], state.region, courier_ids)
        routes: dict[CourierId, Itinerary] = {}
        for courier_id, mine in groupby(rows, key=lambda row: CourierId(row["courier_id"])):
            with state.aside.bearing(asides.courier(courier_id), doing="follow"):
                routes |= itineraries(list(mine), state.region)
        asked = set(state.followings) if courier_ids is None else set(courier_ids)
        told = {courier_id: state.followings[courier_id].said for courier_id in asked & state.followings.keys()}
        gone = [courier_id for courier_id in asked - routes.keys() if state.followings.pop(courier_id, None)]
        new = [courier_id for courier_id in routes if courier_id not in state.followings]
        for courier_id, route in routes.items():
            following = state.followings.get(courier_id)
            if following is None:
                state.followings[courier_id] = Following(
                    route, engine_expected=self._engine_expected, widths=state.widths
                )
                state.told_at[courier_id] = float("-inf")
            elif following.itinerary != route:
                following.change(route)
                state.told_at[courier_id] = float("-inf")
        for courier_id in gone:
            state.told_at.pop(courier_id, None)
        await self._book.put(state.lease, {}, gone)
        await self._hand_on(state, told, routes)
        await self._locate(state, new)
        if courier_ids is None:
            orders = {call.stop.order_id for one in state.followings.values() for call in one.itinerary.calls}
            state.history.forget_all_but(orders | state.promises.keys())
            await self._book.put(state.lease, {}, widths=state.widths)
            await self._forget_closed(state)
            state.reloaded_at = monotonic()
            await self._asides.tell(state.region, state.aside)
            state.aside = Aside()
        FOLLOWED.labels(state.region).set(len(state.followings))

    async def _hand_on(
        self, state: _Region, told: Mapping[CourierId, Sequence[Eta]], changed: Iterable[CourierId]
    ) -> None:
        """What was told of orders that are not on their couriers' routes any more goes to those who have them now."""
        lost = promises.lost(told, state.followings)
        if lost:
            rows = await self._pool.fetch(queries["arrivals.still_open"], list(lost))
            still_open = {row["id"] for row in rows}
            lost = {order_id: etas for order_id, etas in lost.items() if order_id in still_open}
            state.promises |= lost
        kept = promises.hand_on(state.promises, state.followings, changed)
        nobodys = {order_id: lost[order_id] for order_id in lost.keys() - kept}
        await self._book.put(state.lease, {}, promises=nobodys, kept=kept)

    async def _forget_closed(self, state: _Region) -> None:
        """Of an order that was closed while nobody had it, nothing is to be told any more."""
        if state.promises:
            rows = await self._pool.fetch(queries["arrivals.still_open"], list(state.promises))
            closed = state.promises.keys() - {row["id"] for row in rows}
            for order_id in closed:
                del state.promises[order_id]
            await self._book.put(state.lease, {}, kept=closed)

    async def _locate(self, state: _Region, courier_ids: list[CourierId]) -> None:
        """Where couriers who were not followed are now."""
        if courier_ids:
            for courier_id, live in (await LivePositions(self._redis).get_many(courier_ids, state.region)).items():
                fix = live.position.fix
                state.followings[courier_id].see(fix.at, fix.fixed_at.timestamp())

    async def _tell(self, state: _Region, courier_ids: Iterable[CourierId]) -> None:
        """Compute the arrivals of some couriers and put them into the book."""
        todo = [courier_id for courier_id in courier_ids if courier_id in state.followings]
        for first in range(0, len(todo), SLICE):
            with TELL_SECONDS.time():
                now = datetime.now(UTC).timestamp()
                entries = {}
                for courier_id in todo[first : first + SLICE]:
                    following = state.followings[courier_id]
                    state.told_at[courier_id] = monotonic()
                    with state.aside.bearing(asides.courier(courier_id), doing="tell arrivals"):
                        told = following.tell(self._forecaster, now)
                        entries[courier_id] = (following.itinerary.version, now, told)
                        state.history.heard(told, now)
                await self._book.put(state.lease, entries)
            TOLD.inc(len(entries))

    async def _write_down(self, state: _Region) -> None:
        """What people will be told that they were told; a gap in it stops no arrival."""
        words = state.history.take()
        if not words:
            return
        try:
            async with asyncio.timeout(WRITE_WITHIN_S):
                await self._pool.execute(
                    queries["told_arrivals.insert_many"],
                    [word.order_id for word in words],
                    [word.at for word in words],
                    [word.p50 for word in words],
                    [word.p90 for word in words],
                    [word.because for word in words],
                )
        except outages.DRIVERS as exc:
            NOT_KEPT.inc(len(words))
            outages.tell(log, "arrivals not written down", exc, event="etas_not_kept", region=state.region)

    def _ask(self, state: _Region, following: Following) -> None:
        """Ask for the ways of a route in the background; not twice at once, and not at all without an engine."""
        following.wants_ways = False
        if not self._engine_expected:
            return
        task = asyncio.create_task(self._ask_ways(state, following))
        state.asking.add(task)
        task.add_done_callback(state.asking.discard)

    async def _ask_ways(self, state: _Region, following: Following) -> None:
        async with self._asking:
            places, asked_at = following.places(), datetime.now(UTC)
            try:
                path = await self._travel.route(
                    following.itinerary.mode, places, asked_at, budget_s=self._params.way_budget_s
                )
            except Exception:
                # Without ways the arrivals go on from what was learned.
                log.exception("ways not found", extra={"event": "ways_not_found"})
                return
            if places[1:] == following.places()[1:]:
                following.find_ways(places, path.legs, asked_at=asked_at.timestamp())
                if following.itinerary.courier_id in state.followings:
                    state.told_at[following.itinerary.courier_id] = float("-inf")

    async def _end_of(self, part: Part) -> str:
        newest = await self._redis.xrevrange(part.log, count=1)
        return text_of(newest[0][0]) if newest else "0-0"


def _see(state: _Region, entry: Entry) -> set[CourierId]:
    """Take in the good fixes of a log entry; the couriers on a route among them."""
    columns = entry.columns()
    seen: set[CourierId] = set()
    for row in entry.moved().tolist():
        courier_id = CourierId(columns.courier_ids[columns.courier[row]])
        following = state.followings.get(courier_id)
        if following is not None:
            with state.aside.bearing(asides.courier(courier_id), doing="see a fix"):
                fix = columns.position(row).fix
                following.see(fix.at, fix.fixed_at.timestamp())
                seen.add(courier_id)
    return seen


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))
