"""The watcher on real servers: what it finds does not depend on order, restarts, or a second watcher."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from redis.asyncio import Redis

from dispatch.alerts.observer import Vigilance
from dispatch.alerts.region_facts import FactsOfRegion
from tests.unit.tracking.watching.tracks import MICROS, at, walk
from tests.waiting import PATIENCE_S, until
from tracking import events
from tracking import lease as leases
from tracking.batch import MODES, PositionColumns, instant, microseconds
from tracking.dead_letters import DeadLetters
from tracking.errors import LeaseLost
from tracking.history.history import History, erase
from tracking.history.writer import Pace, Writer
from tracking.intake.ingest import Ingest
from tracking.intake.reading import Reading
from tracking.intake.screening import Sender, Upload
from tracking.log import WATCH, PositionLog
from tracking.position import Fix, LatLon, Mode, Position, Region
from tracking.quarantine import QuarantineStore
from tracking.watching.findings import Batch, Findings
from tracking.watching.lookout import Lookout, WatchParams
from tracking.watching.motion import DEFAULT_PARAMS, Sample, Stay, segments
from tracking.watching.watch import SLICE_FIXES, Watcher

CITY = Region("default")
FAST = WatchParams(lease_s=1.0, tick_s=0.1, block_ms=50, recount_after_s=0.2, backoff_s=0.02, backoff_at_most_s=0.1)
FAST_WRITER = Pace(linger_s=0.01, block_ms=50, claim_idle_ms=100, claim_every_s=0.05, backoff_s=0.02)
SQUARE = '{"type": "Point", "coordinates": [%s, %s]}'


async def regions():
    return [CITY]


class World:
    """A courier, a writer and watchers, and the clock moved so that recorded walks are recent."""

    def __init__(self, pool, redis):
        self.pool, self.redis = pool, redis
        self.ingest = Ingest(redis)
        self.log = PositionLog(redis, keep_s=0)

    async def hire(self, mode="bicycle"):
        courier_id = await self.pool.fetchval(
            "INSERT INTO couriers (name, mode, region) VALUES ('Ana', $1, 'default') RETURNING id", mode
        )
        return Sender(courier_id, CITY, MODES.index(Mode(mode)))

    async def fence(self, x_m, y_m, radius_m, dwell_s=None):
        middle = at(x_m, y_m, 0)
        return await self.pool.fetchval(
            "INSERT INTO geofences (region, name, geometry, radius_m, dwell_s, created_at)"
            " VALUES ('default', 'yard', $1::jsonb, $2, $3, '2020-01-01') RETURNING id",
            SQUARE % (middle.lon, middle.lat),
            radius_m,
            dwell_s,
        )

    async def post(self, sender, fixes, chunk=100):
        for i in range(0, len(fixes), chunk):
            readings = [
                Reading(
                    fixed_at=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=f.at_us),
                    lat=f.lat,
                    lon=f.lon,
                    accuracy_m=f.accuracy_m,
                )
                for f in fixes[i : i + chunk]
            ]
            await self.ingest.accept(Upload(region=CITY, readings=readings, senders=[sender] * len(readings)))

    @asynccontextmanager
    async def writing(self):
        writer = Writer(
            PositionLog(self.redis, keep_s=0),
            History(self.pool),
            QuarantineStore(self.pool),
            DeadLetters(self.redis),
            regions,
            pace=FAST_WRITER,
        )
        async with running(writer.run):
            yield

    @asynccontextmanager
    async def watching(self, *observers, regions=regions, params=FAST):
        facts = FactsOfRegion(self.pool)
        watcher = Watcher(
            pool=self.pool,
            redis=self.redis,
            position_log=self.log,
            regions=regions,
            observers=[Vigilance(pool=self.pool, redis=self.redis, facts=facts), *observers],
            params=params,
        )
        async with running(watcher.run) as task:
            yield task

    async def settled(self):
        """The watcher has read everything, and counted again what came late."""
        lags = {lag.group: lag.n_fixes for lag in await self.log.lag(CITY)}
        return (
            lags.get(WATCH) == 0
            and all(n == 0 for n in lags.values())
            and not await self.pool.fetchval("SELECT count(*) FROM recounts")
        )

    async def stays(self, courier_id):
        rows = await self.pool.fetch("SELECT * FROM stays WHERE courier_id = $1 ORDER BY arrived_at", courier_id)
        return [
            (_us(r["arrived_at"]), *((_us(r["departed_at"]), r["n_fixes"]) if r["departed_at"] else (None, None)))
            for r in rows
        ]

    async def fence_events(self, courier_id):
        rows = await self.pool.fetch("SELECT * FROM fence_events WHERE courier_id = $1 ORDER BY at, kind", courier_id)
        return [(r["kind"], _us(r["at"]), r["passed"]) for r in rows]

    async def told(self, *types):
        found = await events.read(self.redis, CITY, after="0-0", count=10_000)
        return [e for e in found if e.type in types]


def _us(instant):
    return round(instant.timestamp() * MICROS)


@asynccontextmanager
async def running(start):
    stop = asyncio.Event()
    task = asyncio.create_task(start(stop))
    try:
        yield task
    finally:
        stop.set()
        if not task.cancelled():
            await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), PATIENCE_S)


@pytest.fixture
async def world(database_url, redis_url):
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(asyncpg.create_pool(database_url, min_size=0, max_size=8))
        redis = Redis.from_url(redis_url)
        stack.push_async_callback(redis.aclose)
        yield World(pool, redis)


async def leave_session_alone(_connection):
    """RESET ALL would set the search path of every client of a shared session."""


@pytest.fixture(params=["timescale_wasm_url", "timescale_native_url"])
async def timescale_world(request, redis_url):
    url = request.getfixturevalue(request.param)
    shared = request.param == "timescale_wasm_url"
    options = {"reset": leave_session_alone, "statement_cache_size": 0, "max_size": 3} if shared else {}
    redis = Redis.from_url(redis_url)
    async with asyncpg.create_pool(url, min_size=0, **options) as pool:
        yield World(pool, redis)
        await pool.execute("TRUNCATE positions, stays, fence_events, geofences, alerts, recounts, leases CASCADE")
        await pool.execute("DELETE FROM couriers")
    await redis.aclose()


def recent(fixes, ends_s_ago=5):
    """The same walk, ending so many seconds ago."""
    last_us = round(datetime.now(UTC).timestamp()) * MICROS
    shift_us = last_us - ends_s_ago * MICROS - fixes[-1].at_us
    return [f._replace(at_us=f.at_us + shift_us) for f in fixes]


ROUND = [(0, 0, 0), (600, 0, 120), (600, 0, 150), (600, 900, 180), (600, 900, 200), (0, 0, 240), (0, 0, 90)]


def expected_stays(fixes, mode=Mode.BICYCLE):
    found = segments([Sample(f.at_us, f.lat, f.lon) for f in fixes], DEFAULT_PARAMS[mode])
    return [
        (s.arrived_us, None if s.open else s.departed_us, None if s.open else s.n_fixes)
        for s in found
        if isinstance(s, Stay)
    ]


async def test_stays_and_fence_events_from_the_log_are_those_from_history(world):
    ana = await world.hire()
    await world.fence(600, 0, 80, dwell_s=60)
    fixes = recent(walk(ROUND, every_s=5))
    async with world.writing(), world.watching():
        await world.post(ana, fixes, chunk=7)
        await until(world.settled)
        await until(lambda: _is(world.stays(ana.courier_id), expected_stays(fixes)))
    assert [kind for kind, _, _ in await world.fence_events(ana.courier_id)] == ["enter", "dwell", "exit"]
    told = await world.told("stay.began", "stay.ended", "fence.enter", "fence.exit", "fence.dwell")
    assert sorted({e.type for e in told}) == ["fence.dwell", "fence.enter", "fence.exit", "stay.began", "stay.ended"]


async def _is(value, expected):
    return await value == expected


async def test_an_hour_that_comes_late_ends_in_the_same_rows_and_notifies_nobody(world):
    ana, bea = await world.hire(), await world.hire()
    await world.fence(600, 0, 80)
    earlier = recent(walk(ROUND, seed=3), ends_s_ago=4000)
    later = recent(walk(ROUND, seed=4), ends_s_ago=5)
    async with world.writing(), world.watching():
        await world.post(ana, [*earlier, *later])
        await world.post(bea, later)
        await until(world.settled)
        told = len(await world.told("fence.enter", "fence.exit", "stay.ended"))
        shuffled = earlier[::-1]
        await world.post(bea, shuffled[100:])
        await world.post(bea, shuffled[:100])
        await until(world.settled)
        await until(lambda: _is(world.stays(bea.courier_id), expected_stays([*earlier, *later])))
    assert await world.stays(ana.courier_id) == await world.stays(bea.courier_id)
    assert await world.fence_events(ana.courier_id) == await world.fence_events(bea.courier_id)
    assert len(await world.fence_events(bea.courier_id)) == 4
    after = await world.told("fence.enter", "fence.exit", "stay.ended")
    assert len(after) == told


async def test_a_watcher_killed_in_the_middle_leaves_no_gap_and_no_double(world):
    ana = await world.hire()
    await world.fence(600, 0, 80)
    fixes = recent(walk(ROUND))
    async with world.writing():
        for i in range(0, len(fixes), 40):
            async with world.watching() as task:
                await world.post(ana, fixes[i : i + 40], chunk=10)
                await asyncio.sleep(0.15)
                task.cancel()
        async with world.watching():
            await until(world.settled)
            await until(lambda: _is(world.stays(ana.courier_id), expected_stays(fixes)))
    kinds = [kind for kind, _, _ in await world.fence_events(ana.courier_id)]
    assert kinds == ["enter", "exit"]


async def test_a_courier_noted_again_is_not_settled_with_the_note_before_whatever_the_time_was(world):
    ana = (await world.hire()).courier_id
    findings, now = Findings(world.pool), datetime.now(UTC)
    lease = await leases.take(world.pool, "watch", CITY, "test", ttl_s=60)

    async def noted():
        [(_, _, noted_at, _)] = await findings.due(CITY, before=now + timedelta(hours=1), limit=9)
        return noted_at

    await findings.note_late(CITY, {ana: microseconds(now)}, now=now)
    for s in (-5, 0, 5):  # by whoever looked at the clock before another did
        before = await noted()
        await findings.note_late(CITY, {ana: microseconds(now)}, now=now + timedelta(seconds=s))
        assert await noted() > before
        await findings.settle(lease, ana, before)
    assert await noted() == now + timedelta(seconds=5)


async def test_two_watchers_at_once_find_everything_once(world):
    ana, bea = await world.hire(), await world.hire("foot")
    await world.fence(600, 0, 80)
    fixes = recent(walk(ROUND))
    async with world.writing(), world.watching(), world.watching():
        for i in range(0, len(fixes), 30):
            await world.post(ana, fixes[i : i + 30])
            await world.post(bea, fixes[i : i + 30])
        await until(world.settled)
        await until(lambda: _is(world.stays(ana.courier_id), expected_stays(fixes)))
        await until(lambda: _is(world.stays(bea.courier_id), expected_stays(fixes, Mode.FOOT)))
    told = [(e.type, e.facts["courier_id"], e.at) for e in await world.told("stay.began", "fence.enter", "fence.exit")]
    assert len(told) == len(set(told))


async def test_the_other_watcher_takes_over_when_one_dies(world):
    ana = await world.hire()
    fixes = recent(walk(ROUND))
    async with world.writing(), world.watching() as first:
        await world.post(ana, fixes[:60])
        await until(world.settled)
        async with world.watching():
            first.cancel()
            await world.post(ana, fixes[60:])
            await until(world.settled)
            await until(lambda: _is(world.stays(ana.courier_id), expected_stays(fixes)))


async def test_on_timescale_late_fixes_and_silence_come_to_the_same_rows(timescale_world):
    world = timescale_world
    ana = await world.hire()
    await world.fence(600, 0, 80)
    await world.pool.execute(
        """UPDATE regions SET settings = '{"alerts": {"silent_after_s": 1}}' WHERE id = 'default'"""
    )
    fixes = recent(walk(ROUND))
    late = fixes[60:120]
    async with world.writing(), world.watching():
        await world.post(ana, [*fixes[:60], *fixes[120:]])
        await until(world.settled)
        await world.post(ana, late)
        await until(world.settled)
        await until(lambda: _is(world.stays(ana.courier_id), expected_stays(fixes)))
        await until(lambda: world.pool.fetchval("SELECT count(*) FROM alerts WHERE kind = 'silent'"))
    await world.pool.execute("UPDATE regions SET settings = '{}'")
    assert [kind for kind, _, _ in await world.fence_events(ana.courier_id)] == ["enter", "exit"]


async def test_an_erased_courier_leaves_no_findings_and_gets_none(world):
    ana = await world.hire()
    fixes = recent(walk(ROUND))
    async with world.writing(), world.watching():
        await world.post(ana, fixes[:-20])
        await until(world.settled)
        assert await world.stays(ana.courier_id)
        async with world.pool.acquire() as connection, connection.transaction():
            await erase(connection, ana.courier_id)
        # The watcher still has the courier in mind, and goes on with what it was about.
        await world.post(ana, fixes[-20:])
        await until(world.settled)
    assert await world.stays(ana.courier_id) == []


async def test_a_stored_fence_that_makes_no_sense_is_set_aside_and_the_others_are_looked_at(world):
    ana = await world.hire()
    await world.pool.execute(
        "INSERT INTO geofences (region, name, geometry, radius_m, created_at)"
        " VALUES ('default', 'pole', $1::jsonb, 500, '2020-01-01')",
        SQUARE % (0, 90),
    )
    await world.fence(600, 0, 80)
    async with world.writing(), world.watching():
        await world.post(ana, recent(walk(ROUND)))
        await until(world.settled)
    assert [kind for kind, _, _ in await world.fence_events(ana.courier_id)] == ["enter", "exit"]


DAY = 86_400
ALL_DAY = {
    "at several places": [(0, 0, 0), (0, 0, 20_000), (3000, 0, 3000), (3000, 0, 40_000), (0, 0, 3000), (0, 0, 40_000)],
    "at one place since yesterday": [(900, 0, 0), (0, 0, 1200), (0, 0, 100_000)],
    "at one place for days": [(900, 0, 0), (0, 0, 1200), (0, 0, 4 * DAY)],
}


@pytest.mark.parametrize("every_s", [150, 900])
@pytest.mark.parametrize("legs", ALL_DAY.values(), ids=ALL_DAY)
async def test_a_restart_makes_no_other_stays_for_a_phone_that_is_on_all_day(world, legs, every_s):
    ana = await world.hire()
    fixes = recent(walk(legs, every_s=every_s))
    first, second = fixes[:-3], fixes[-3:]
    async with world.writing():
        async with world.watching():
            await world.post(ana, first)
            await until(world.settled)
            await until(lambda: _is(world.stays(ana.courier_id), expected_stays(first)))
        async with world.watching():
            await world.post(ana, second, chunk=1)
            await until(world.settled)
        async with world.watching():
            late = second[-1]._replace(at_us=second[-1].at_us - 30 * MICROS)
            await world.post(ana, [late])
            await until(world.settled)
    assert await world.stays(ana.courier_id) == expected_stays(sorted([*fixes, late]))


class Onlooker:
    """Notes what it is shown; may be told to fail."""

    def __init__(self, fails_in=()):
        self.fails_in = fails_in
        self.batches = []

    async def saw(self, lease, columns):
        if lease.region in self.fails_in:
            raise RuntimeError("cannot bear this")
        self.batches.append(len(columns))
        return {}

    async def found_again(self, lease, courier_id, fixes, *, since_us, now):
        if lease.region in self.fails_in:
            raise RuntimeError("cannot bear it again")

    async def tick(self, lease, now):
        if lease.region in self.fails_in:
            raise RuntimeError("cannot bear the time")

    def forget(self, lease):
        pass


async def test_an_observer_that_cannot_bear_the_fixes_ends_neither_watching_nor_other_regions(world):
    ana = await world.hire()
    await world.pool.execute(
        "INSERT INTO regions (id, name, settings) VALUES ('r2', 'R2', $1::jsonb)",
        '{"boundary": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}, "alerts": 5}',
    )
    fixes = recent(walk(ROUND))
    onlooker = Onlooker(fails_in={"default", "r2"})

    async def both():
        return [CITY, Region("r2")]

    async with world.writing(), world.watching(onlooker, regions=both):
        await world.post(ana, fixes)
        await until(world.settled)
        await until(lambda: _is(world.stays(ana.courier_id), expected_stays(fixes)))
        held = await world.pool.fetch("SELECT region FROM leases WHERE job = 'watch' ORDER BY region")
        assert [row["region"] for row in held] == ["default", "r2"]


async def test_large_uploads_are_looked_at_in_small_parts(world):
    ana = await world.hire()
    fixes = recent(walk(ROUND))
    onlooker = Onlooker()
    many = [fix._replace(at_us=fix.at_us - k * MICROS // 20) for k in range(20) for fix in fixes]
    async with world.watching(onlooker):
        await world.post(ana, many, chunk=len(many))
        await until(lambda: _is(_value(sum(onlooker.batches)), len(many)))
    assert len(many) > SLICE_FIXES >= max(onlooker.batches)


async def _value(value):
    return value


async def test_reading_goes_on_while_couriers_are_counted_and_what_comes_meanwhile_is_not_lost(world, monkeypatch):
    ana, bea = await world.hire(), await world.hire()
    fixes = recent(walk(ROUND))
    onlooker, may_count = Onlooker(), asyncio.Event()
    read = Findings.fixes

    async def slowly(self, courier_id, since):
        await may_count.wait()
        return await read(self, courier_id, since)

    monkeypatch.setattr(Findings, "fixes", slowly)
    async with world.writing(), world.watching(onlooker):
        await world.post(ana, fixes[:60])
        await world.post(bea, fixes[:60])
        await until(lambda: _is(_value(sum(onlooker.batches)), 120))
        await world.post(ana, fixes[60:])
        await until(lambda: _is(_value(sum(onlooker.batches)), 60 + len(fixes)))
        may_count.set()
        await until(world.settled)
        await until(lambda: _is(world.stays(ana.courier_id), expected_stays(fixes)))


async def test_one_too_far_behind_loses_its_place_and_finds_everything_in_history(world):
    ana = await world.hire("foot")
    fixes = recent(walk(ROUND))
    await world.log.ensure_group(WATCH, CITY)
    async with world.writing():
        await world.post(ana, fixes)
        async with world.watching(params=replace(FAST, behind_fixes=len(fixes) - 1)):
            await until(world.settled)
            await until(lambda: _is(world.stays(ana.courier_id), expected_stays(fixes, Mode.FOOT)))
    assert await world.log.read(WATCH, "another", CITY, block_ms=0) == []


async def test_what_one_without_the_lease_has_found_is_refused(world):
    ana = await world.hire()
    stale = await leases.take(world.pool, "watch", CITY, "first", ttl_s=0.01)
    await asyncio.sleep(0.05)
    assert await leases.take(world.pool, "watch", CITY, "second", ttl_s=60) is not None
    batch = Batch(stays={(ana.courier_id, 0): Stay(arrived_us=0, departed_us=0, lat=0, lon=0, n_fixes=2, open=True)})
    with pytest.raises(LeaseLost):
        await Findings(world.pool).apply(stale, batch, now=datetime.now(UTC))
    assert await world.stays(ana.courier_id) == []


async def lookout_of(world):
    """One that counts when it is told to."""
    return Lookout(
        await leases.take(world.pool, "watch", CITY, "test", ttl_s=600),
        pool=world.pool,
        redis=world.redis,
        findings=Findings(world.pool),
        position_log=world.log,
        observers=(),
        params=replace(FAST, recount_after_s=0.0, forget_after_s=0.0),
    )


async def test_of_who_waits_to_be_counted_only_what_no_note_covers_is_noted(world):
    ana = await world.hire()
    lookout = await lookout_of(world)
    fixes = recent(walk(ROUND))[:4]

    async def look(*some):
        await lookout.look(columns_of(ana, some))
        return await world.pool.fetchrow("SELECT from_at, noted_at FROM recounts WHERE courier_id = $1", ana.courier_id)

    first = await look(fixes[1])
    assert microseconds(first["from_at"]) == fixes[1].at_us
    assert await look(fixes[2]) == first
    older = await look(fixes[0])
    assert microseconds(older["from_at"]) == fixes[0].at_us
    assert await look(fixes[3]) == older
    lookout._waiting[ana.courier_id] = []
    await lookout._recount_due(now=datetime.now(UTC) + timedelta(seconds=60))
    assert await world.pool.fetchval("SELECT count(*) FROM recounts") == 0
    # Counted, and not settled yet: what comes meanwhile is noted.
    lookout._waiting[ana.courier_id] = []
    assert await look(fixes[3]) is not None


async def test_one_counted_again_and_never_heard_of_is_forgotten_with_the_others(world):
    ana, ben = await world.hire(), await world.hire()
    lookout = await lookout_of(world)
    async with world.writing():
        for sender in (ana, ben):
            await world.post(sender, recent(walk(ROUND)))
        await until(lambda: _stored(world, ana, ben))
    now = datetime.now(UTC)
    from_us = {sender.courier_id: microseconds(now - timedelta(hours=1)) for sender in (ana, ben)}
    await lookout._findings.note_late(CITY, from_us, now=now)
    assert await lookout._recount_due(now=now + timedelta(seconds=60)) == 2
    assert set(lookout._tracks) == {ana.courier_id, ben.courier_id}
    lookout.forget_silent()
    assert not lookout._tracks


def columns_of(sender, fixes):
    """As the log has them."""
    return PositionColumns.from_positions(
        [
            Position(
                courier_id=sender.courier_id,
                fix=Fix(at=LatLon(fix.lat, fix.lon), fixed_at=instant(fix.at_us), accuracy_m=fix.accuracy_m),
                received_at=instant(fix.at_us),
            )
            for fix in fixes
        ]
    )


async def _stored(world, *senders):
    n = await world.pool.fetchval("SELECT count(DISTINCT courier_id) FROM positions")
    return n == len(senders)
