"""Ingest, the log and live state against a real server."""

import asyncio
import random
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from redis.asyncio import Redis

from tests.waiting import PATIENCE_S
from tracking.batch import PositionColumns
from tracking.errors import LogFull, LogUnavailable
from tracking.intake.ingest import Bounds, Ingest
from tracking.intake.reading import Reading
from tracking.intake.screening import Receipt, Sender, Unusable, Upload, screen
from tracking.live import LivePositions
from tracking.log import HISTORY, WATCH, PositionLog, RegionKeys
from tracking.position import LatLon, Mode, Region
from tracking.quality import Reason

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CITY = Region("porto")
ANNA, BORIS = (Sender(UUID(int=i << 64 | i), CITY, mode) for i, mode in ((1, 1), (2, 3)))


@pytest.fixture
async def redis(redis_url):
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


def reading(age_s=0.0, lat=41.15, lon=-8.61, **more):
    return Reading(fixed_at=NOW - timedelta(seconds=age_s), lat=lat, lon=lon, **more)


def upload(sender, *readings, **more):
    return Upload(region=CITY, readings=readings, senders=[sender] * len(readings), **more)


def ingest_of(redis, **bounds):
    return Ingest(redis, bounds=Bounds(**bounds), clock=NOW.timestamp)


async def everything(log, group=HISTORY):
    await log.ensure_group(group, CITY)
    return await log.read(group, "reader", CITY, block_ms=0, count=1000)


async def test_accepted_fix_is_in_the_log_and_in_live_state(redis):
    receipt = await ingest_of(redis).accept(
        upload(ANNA, reading(5, accuracy_m=4.5, speed_mps=8.25, course_deg=271, altitude_m=93, battery_pct=64))
    )
    assert (receipt.n_accepted, receipt.quarantined) == (1, ())
    [entry] = await everything(PositionLog(redis))
    [stored] = entry.columns().to_positions()
    live = await LivePositions(redis, clock=NOW.timestamp).get(ANNA.courier_id, CITY)
    assert live is not None
    assert stored == live.position == entry.moved_positions()[0]
    assert stored.courier_id == ANNA.courier_id
    assert stored.fix.at == LatLon(41.15, -8.61)
    assert (stored.fix.fixed_at, stored.received_at) == (NOW - timedelta(seconds=5), NOW)
    assert (stored.fix.accuracy_m, stored.fix.speed_mps, stored.fix.course_deg) == (4.5, 8.25, 271.0)
    assert (live.mode, live.contact_at) == (Mode.CAR, NOW)


async def test_concurrent_uploads_share_a_round_trip_and_each_gets_its_own_receipt(redis):
    ingest = ingest_of(redis)
    receipts = await asyncio.gather(
        *(ingest.accept(upload(ANNA, reading(i), reading(i + 0.5, lat=95.0))) for i in range(100))
    )
    assert [receipt.n_accepted for receipt in receipts] == [1] * 100
    assert all(receipt.quarantined == ((1, Reason.OUT_OF_RANGE),) for receipt in receipts)
    entries = await everything(PositionLog(redis))
    assert sum(entry.n for entry in entries) == 100
    assert len(entries) < 10
    assert sum(len(entry.quarantined()) for entry in entries) == 100


def of_region(n, *readings):
    region = Region(f"city-{n}")
    sender = Sender(UUID(int=100 + n), region, 1)
    return Upload(region=region, readings=readings, senders=[sender] * len(readings))


async def n_in_log(redis, n):
    return sum(int(fields[b"n"]) for _, fields in await redis.xrange(RegionKeys(Region(f"city-{n}")).log))


async def test_uploads_of_several_regions_share_a_round_trip(redis, monkeypatch):
    ingest, pipeline, sent = ingest_of(redis), redis.pipeline, []
    await ingest.accept(of_region(0, reading(60)))  # the server knows the script now
    monkeypatch.setattr(redis, "pipeline", lambda **options: sent.append(options) or pipeline(**options))
    await asyncio.gather(*(ingest.accept(of_region(n % 5, reading(n))) for n in range(50)))
    assert [await n_in_log(redis, n) for n in range(5)] == [11, 10, 10, 10, 10]
    assert len(sent) == 1


async def test_a_server_that_does_not_know_the_script_gets_it_in_a_shared_round_trip(redis):
    await redis.script_flush()
    receipts = await asyncio.gather(*(ingest_of(redis).accept(of_region(n, reading())) for n in range(3)))
    ingest = ingest_of(redis)
    await redis.script_flush()
    receipts += await asyncio.gather(*(ingest.accept(of_region(n, reading(1))) for n in range(3)))
    assert [receipt.n_accepted for receipt in receipts] == [1] * 6
    assert [await n_in_log(redis, n) for n in range(3)] == [2] * 3


async def test_more_than_a_round_trip_holds_goes_in_several_and_all_of_it_is_stored(redis):
    ingest = ingest_of(redis, commit_fixes=10)
    sizes = (4, 25, 3, 7, 1, 12)
    uploads = [of_region(n % 3, *(reading(100 * n + k) for k in range(size))) for n, size in enumerate(sizes)]
    receipts = await asyncio.gather(*(ingest.accept(upload) for upload in uploads))
    assert tuple(receipt.n_accepted for receipt in receipts) == sizes
    assert [await n_in_log(redis, n) for n in range(3)] == [11, 26, 15]


async def test_a_region_that_is_full_or_cannot_be_prepared_costs_the_others_of_its_round_trip_nothing(
    redis, monkeypatch
):
    ingest = ingest_of(redis, log_fixes=2, pause_s=0)
    await ingest.accept(of_region(0, reading(60), reading(61)))

    def broken(uploads, *more):
        if uploads[0].region == "city-1":
            raise ZeroDivisionError
        return screen(uploads, *more)

    monkeypatch.setattr("tracking.intake.ingest.screen", broken)
    answers = await asyncio.gather(*(ingest.accept(of_region(n, reading())) for n in range(4)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [LogFull, ZeroDivisionError, Receipt, Receipt]
    assert [await n_in_log(redis, n) for n in range(4)] == [2, 0, 1, 1]


async def test_what_cannot_be_used_is_quarantined_with_its_reason_and_payload(redis):
    receipt = await ingest_of(redis).accept(
        upload(
            ANNA,
            reading(),
            reading(-3600),
            reading(8 * 86_400),
            reading(lat=0.0, lon=0.0),
            reading(mock=True),
            reading(lat=95.0),
            unusable=[Unusable(6, Reason.UNREADABLE, b'{"lat": "x"}', ANNA)],
        )
    )
    assert receipt.n_accepted == 1
    assert receipt.quarantined == (
        (1, Reason.FUTURE),
        (2, Reason.TOO_OLD),
        (3, Reason.NULL_ISLAND),
        (4, Reason.MOCK),
        (5, Reason.OUT_OF_RANGE),
        (6, Reason.UNREADABLE),
    )
    [entry] = await everything(PositionLog(redis))
    items = entry.quarantined()
    assert {item.reason for item in items} == {reason for _, reason in receipt.quarantined}
    assert items[-1].payload == b'{"lat": "x"}'
    assert {item.courier_id for item in items} == {ANNA.courier_id}


async def test_live_state_moves_only_forward_whatever_the_order_and_the_process(redis):
    ages = list(range(50))
    random.Random(1).shuffle(ages)
    processes = [ingest_of(redis) for _ in range(3)]
    await asyncio.gather(
        *(processes[i % 3].accept(upload(ANNA, reading(age, lon=-8.6 + age / 1e5))) for i, age in enumerate(ages))
    )
    live = await LivePositions(redis, clock=NOW.timestamp).get(ANNA.courier_id, CITY)
    assert live.position.fix.fixed_at == NOW
    assert live.position.fix.at.lon == -8.6


async def test_poor_fix_is_logged_and_left_out_of_live_state(redis):
    await ingest_of(redis).accept(upload(ANNA, reading(10), reading(5, lon=-8.0, accuracy_m=3000)))
    live = await LivePositions(redis, clock=NOW.timestamp).get(ANNA.courier_id, CITY)
    assert live.position.fix.fixed_at == NOW - timedelta(seconds=10)
    [entry] = await everything(PositionLog(redis))
    assert entry.n == 2
    assert len(entry.moved_positions()) == 1


async def test_lone_jump_is_not_shown_and_the_courier_goes_on(redis):
    ingest, live = ingest_of(redis), LivePositions(redis, clock=NOW.timestamp)
    for age_s, lon in ((20, -8.61), (15, -3.0), (10, -8.6101)):
        await ingest.accept(upload(ANNA, reading(age_s, lon=lon)))
        assert (await live.get(ANNA.courier_id, CITY)).position.fix.at.lon < -8
    assert (await live.get(ANNA.courier_id, CITY)).position.fix.at.lon == -8.6101


@pytest.mark.parametrize("together", [True, False])
async def test_jump_that_the_next_fix_confirms_is_shown(redis, together):
    ingest = ingest_of(redis)
    fixes = [reading(20), reading(15, lon=-3.0), reading(10, lon=-3.0001)]
    for group in [fixes] if together else [[fix] for fix in fixes]:
        await ingest.accept(upload(ANNA, *group))
    assert (await LivePositions(redis, clock=NOW.timestamp).get(ANNA.courier_id, CITY)).position.fix.at.lon == -3.0001


async def test_heartbeat_is_a_contact_without_a_position(redis):
    receipt = await ingest_of(redis).accept(Upload(region=CITY, contacts=[ANNA]))
    live = LivePositions(redis, clock=NOW.timestamp)
    assert receipt.n_accepted == 0
    assert await live.get(ANNA.courier_id, CITY) is None
    assert await live.contact_at(ANNA.courier_id, CITY) == NOW
    assert await everything(PositionLog(redis)) == []


async def test_log_longer_than_its_bound_refuses_until_it_is_settled(redis):
    ingest, log = ingest_of(redis, log_fixes=10, pause_s=0), PositionLog(redis, keep_s=0)
    await log.ensure_group(HISTORY, CITY)
    await ingest.accept(upload(ANNA, *(reading(i) for i in range(10))))
    with pytest.raises(LogFull):
        await ingest.accept(upload(ANNA, reading(60)))
    entries = await log.read(HISTORY, "writer", CITY)
    await log.trim(CITY)
    with pytest.raises(LogFull):
        await ingest.accept(upload(ANNA, reading(60)))
    await log.ack(HISTORY, CITY, [entry.id for entry in entries])
    await log.trim(CITY)
    assert (await ingest.accept(upload(ANNA, reading(60)))).n_accepted == 1


async def test_uploads_beyond_what_may_wait_in_the_process_are_refused_at_once(redis):
    ingest = ingest_of(redis, waiting_fixes=5)

    async def send(i):
        return await ingest.accept(upload(ANNA, reading(i)))

    answers = await asyncio.gather(*(send(i) for i in range(20)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, LogFull)]
    assert len(refused) == 15
    assert sum(entry.n for entry in await everything(PositionLog(redis))) == 5


async def test_redis_that_is_down_is_said_at_once_and_ingest_goes_on_when_it_is_back(own_redis):
    server = own_redis()
    client = Redis.from_url(server.url)
    ingest = ingest_of(client, pause_s=0.05)
    await ingest.accept(upload(ANNA, reading(3)))
    server.kill()
    async with asyncio.timeout(PATIENCE_S):
        for i in range(5):
            with pytest.raises(LogUnavailable):
                await ingest.accept(upload(ANNA, reading(2 - i)))
    server.start()
    await asyncio.sleep(0.06)
    assert (await ingest.accept(upload(ANNA, reading(1)))).n_accepted == 1
    assert sum(entry.n for entry in await everything(PositionLog(client))) == 2
    await client.aclose()


async def test_trimming_keeps_what_any_group_has_not_acknowledged(redis):
    ingest, log = ingest_of(redis), PositionLog(redis, keep_s=0)
    for group in (HISTORY, WATCH):
        await log.ensure_group(group, CITY)
    for i in range(4):
        await ingest.accept(upload(ANNA, reading(i)))
    entries = await log.read(HISTORY, "writer", CITY)
    await log.ack(HISTORY, CITY, [entry.id for entry in entries])
    assert await log.trim(CITY) == 0
    seen = await log.read(WATCH, "watcher", CITY)
    await log.ack(WATCH, CITY, [entry.id for entry in seen[:1] + seen[2:]])
    assert await log.trim(CITY) == 1
    assert [entry.id for entry in await log.tail(CITY, "0", block_ms=None)] == [entry.id for entry in entries[1:]]
    await log.ack(WATCH, CITY, [seen[1].id])
    assert await log.trim(CITY) == 3


async def test_acknowledged_entries_stay_a_while_for_readers_without_a_group(redis):
    ingest, log = ingest_of(redis), PositionLog(redis, keep_s=60)
    await ingest.accept(upload(ANNA, reading()))
    [entry] = await everything(log)
    await log.ack(HISTORY, CITY, [entry.id])
    assert await log.trim(CITY) == 0
    assert [found.id for found in await log.tail(CITY, "0", block_ms=None)] == [entry.id]


async def test_a_reader_that_acknowledges_between_two_questions_is_not_behind(redis, monkeypatch):
    """It was told as far behind as the log is long, minutes, and an alert and a place that is let go of hang on it."""
    ingest, log = ingest_of(redis), PositionLog(redis)
    await ingest.accept(upload(ANNA, reading(1)))
    await log.ensure_group(HISTORY, CITY)
    await ingest.accept(upload(ANNA, reading(0)))
    entries = await log.read(HISTORY, "writer", CITY)
    ask = redis.xpending

    async def asked_late(*args):
        await log.ack(HISTORY, CITY, [entry.id for entry in entries])
        return await ask(*args)

    monkeypatch.setattr(redis, "xpending", asked_late)
    [lag] = await log.lag(CITY)
    assert (len(entries), lag.n_fixes, lag.seconds) == (2, 0, 0.0)


async def test_lag_counts_fixes_that_a_group_has_not_acknowledged(redis):
    ingest, log = ingest_of(redis), PositionLog(redis)
    await log.ensure_group(HISTORY, CITY)
    await ingest.accept(upload(ANNA, reading(2), reading(1)))
    await ingest.accept(upload(ANNA, reading(0)))
    assert [(lag.group, lag.n_fixes) for lag in await log.lag(CITY)] == [(HISTORY, 3)]
    first, second = await log.read(HISTORY, "writer", CITY)
    await log.ack(HISTORY, CITY, [first.id])
    [lag] = await log.lag(CITY)
    assert lag.n_fixes == 1
    assert lag.seconds >= 0
    await log.ack(HISTORY, CITY, [second.id])
    assert [(lag.n_fixes, lag.seconds) for lag in await log.lag(CITY)] == [(0, 0.0)]


async def test_entries_of_a_dead_consumer_are_claimed(redis):
    ingest, log = ingest_of(redis), PositionLog(redis)
    await ingest.accept(upload(ANNA, reading()))
    [entry] = await everything(log)
    assert [claimed.id for claimed in await log.claim(HISTORY, "heir", CITY, idle_ms=0)] == [entry.id]


async def test_consumers_that_ended_are_forgotten_unless_they_hold_something(redis):
    ingest, log = ingest_of(redis), PositionLog(redis)
    await log.ensure_group(HISTORY, CITY)
    await log.read(HISTORY, "idle", CITY, block_ms=0)
    await ingest.accept(upload(ANNA, reading()))
    await log.read(HISTORY, "holding", CITY)
    await asyncio.sleep(0.01)
    await log.forget_consumers(HISTORY, CITY, idle_s=0.001)
    left = await redis.xinfo_consumers(RegionKeys(CITY).log, HISTORY)
    assert [consumer["name"] for consumer in left] == [b"holding"]


@asynccontextmanager
async def fleet(redis, n):
    """`n` couriers, one every 100 m to the east, the farther the older their fix."""
    couriers = [Sender(UUID(int=i + 1), CITY, 1 + i % 2) for i in range(n)]
    ingest = ingest_of(redis)
    for i, courier in enumerate(couriers):
        await ingest.accept(upload(courier, reading(i, lat=0.5, lon=i * 100 / 111_195)))
    yield couriers


async def test_nearby_lists_the_nearest_first_within_radius_and_limit(redis):
    live = LivePositions(redis, clock=NOW.timestamp)
    async with fleet(redis, 60) as couriers:
        ask = {"fresh_since": NOW - timedelta(seconds=600)}
        found = await live.nearby(CITY, LatLon(0.5, 0), radius_m=3000, limit=5, **ask)
        assert [hit.live.courier_id for hit in found] == [courier.courier_id for courier in couriers[:5]]
        assert [round(hit.distance_m, -1) for hit in found] == [0, 100, 200, 300, 400]
        assert len(await live.nearby(CITY, LatLon(0.5, 0), radius_m=1050, limit=100, **ask)) == 11
        motorcycles = await live.nearby(CITY, LatLon(0.5, 0), radius_m=9000, limit=3, mode=Mode.MOTORCYCLE, **ask)
        assert [hit.live.courier_id for hit in motorcycles] == [couriers[i].courier_id for i in (1, 3, 5)]


async def test_nearest_of_several_regions_is_one_round_trip_and_few_couriers_are_looked_at_once(redis):
    ask = {"radius_m": 9000, "limit": 7, "fresh_since": NOW - timedelta(seconds=600)}
    regions = [Region(f"region-{i}") for i in range(6)]
    live, ingest = LivePositions(redis, clock=NOW.timestamp), ingest_of(redis)
    senders = [Sender(UUID(int=i << 64 | i), regions[i % 6], 1 + i % 4) for i in range(1, 31)]
    for i, sender in enumerate(senders):
        where = reading(5, lat=0.5 + (i * 7 % 30) * 0.001, lon=0)
        await ingest.accept(Upload(region=sender.region, readings=[where], senders=[sender]))
    for at in (LatLon(0.5, 0), LatLon(0.5152, 0.01)):
        one_by_one = [hit for region in regions for hit in await live.nearby(region, at, **ask)]
        await redis.config_resetstat()
        found = await live.nearest(regions, at, **ask)
        commands = await redis.info("commandstats")
        assert found == sorted(one_by_one, key=lambda hit: hit.distance_m)[:7]
        assert commands["cmdstat_evalsha"]["calls"] == 6
        assert commands["cmdstat_geosearch"]["calls"] == 6 * len(RegionKeys(CITY).geo)
    await redis.script_flush()  # as after a restart
    assert await live.nearest(regions, at, **ask) == found
    of_all = await live.nearest(regions, at, **ask | {"fresh_since": NOW - timedelta(days=2)})
    assert [hit.live for hit in of_all] == [hit.live for hit in found]
    assert await live.nearest([], at, **ask) == []


async def test_who_was_silent_for_long_is_in_no_index_and_found_where_asked_for(redis):
    """By commit, by refill, and by prune once they have grown old; live state keeps them all."""
    old = Sender(UUID(int=999), CITY, 1)
    asked = {"radius_m": 9000, "limit": 100}
    hour, minutes = {"fresh_since": NOW - timedelta(hours=1)}, {"fresh_since": NOW - timedelta(minutes=10)}
    async with fleet(redis, 40) as couriers:
        await ingest_of(redis).accept(upload(old, reading(1800, lat=0.5, lon=0)))
        live, later = (LivePositions(redis, clock=clock) for clock in (NOW.timestamp, lambda: NOW.timestamp() + 640))
        assert await indexed(redis) == 40
        assert await live.get(old.courier_id, CITY)
        everybody = await live.nearby(CITY, LatLon(0.5, 0), **asked, **hour)
        assert len(everybody) == 41
        fresh = await live.nearby(CITY, LatLon(0.5, 0), **asked, **minutes)
        others = [hit for hit in everybody if hit.live.courier_id != old.courier_id]
        assert [hit.live for hit in fresh] == [hit.live for hit in others]
        # Redis rounds places to less than a metre.
        assert [hit.distance_m for hit in fresh] == pytest.approx([hit.distance_m for hit in others], abs=2)

        assert await later.prune(CITY) == 19
        assert await indexed(redis) == 21
        columns, _ = await live.all_columns(CITY)
        await redis.flushall()
        assert await later.refill(CITY, columns) == 41
        assert await indexed(redis) == 21
        assert await live.get(couriers[39].courier_id, CITY)


async def test_thousands_who_stopped_at_once_cost_a_bounded_walk(redis, monkeypatch):
    monkeypatch.setattr("tracking.live.MOST_WALKED", 16)
    live = LivePositions(redis, clock=NOW.timestamp)
    async with fleet(redis, 60):
        far_end = LatLon(0.5, 59 * 100 / 111_195)
        ask = {"radius_m": 9000, "limit": 2, "fresh_since": NOW - timedelta(seconds=20)}
        assert await live.nearby(CITY, far_end, **ask) == []
        monkeypatch.setattr("tracking.live.MOST_WALKED", 100)
        assert len(await live.nearby(CITY, far_end, **ask)) == 2


async def indexed(redis):
    return sum([await redis.zcard(key) for key in RegionKeys(CITY).geo])


async def test_nearby_passes_over_stale_couriers(redis):
    live = LivePositions(redis, clock=NOW.timestamp)
    async with fleet(redis, 60) as couriers:
        # From the far end the nearest ones have the oldest fixes.
        far_end = LatLon(0.5, 59 * 100 / 111_195)
        found = await live.nearby(CITY, far_end, radius_m=9000, limit=2, fresh_since=NOW - timedelta(seconds=20))
        assert [hit.live.courier_id for hit in found] == [couriers[i].courier_id for i in (20, 19)]
        assert await live.prune(CITY, older_than=NOW - timedelta(seconds=20)) == 39
        assert found == await live.nearby(
            CITY, far_end, radius_m=9000, limit=2, fresh_since=NOW - timedelta(seconds=20)
        )


async def test_courier_who_changes_mode_is_found_under_the_new_one_only(redis):
    ingest, live = ingest_of(redis), LivePositions(redis, clock=NOW.timestamp)
    await ingest.accept(upload(ANNA, reading(10)))
    await ingest.accept(upload(Sender(ANNA.courier_id, CITY, 4), reading(5)))
    ask = {"radius_m": 500, "limit": 5, "fresh_since": NOW - timedelta(hours=1)}
    assert await live.nearby(CITY, LatLon(41.15, -8.61), mode=Mode.CAR, **ask) == []
    assert len(await live.nearby(CITY, LatLon(41.15, -8.61), **ask)) == 1


async def test_emptied_redis_is_refilled_without_overwriting_what_is_newer(redis):
    ingest, live = ingest_of(redis), LivePositions(redis, clock=NOW.timestamp)
    await ingest.accept(upload(ANNA, reading(60)))
    await ingest.accept(upload(BORIS, reading(60)))
    last = PositionColumns.concat([columns for columns, _ in [await live.all_columns(CITY)]])
    before = await live.all(CITY)
    await redis.flushall()
    assert not await live.is_complete(CITY)
    await ingest.accept(upload(ANNA, reading(1)))
    assert await live.refill(CITY, last) == 1
    assert await live.is_complete(CITY)
    after = await live.all(CITY)
    assert after[BORIS.courier_id] == before[BORIS.courier_id]
    assert after[ANNA.courier_id].position.fix.fixed_at == NOW - timedelta(seconds=1)
    hits = await live.nearby(CITY, LatLon(41.15, -8.61), radius_m=100, limit=5, fresh_since=NOW - timedelta(hours=1))
    assert len(hits) == 2


async def test_forgotten_courier_leaves_no_trace(redis):
    ingest, live = ingest_of(redis), LivePositions(redis, clock=NOW.timestamp)
    await ingest.accept(upload(ANNA, reading(20), reading(10, lon=3.0)))
    await live.forget(ANNA.courier_id, CITY)
    assert await live.all(CITY) == {}
    assert await live.contact_at(ANNA.courier_id, CITY) is None


async def test_fix_near_the_pole_is_accepted(redis):
    await ingest_of(redis).accept(upload(ANNA, reading(0, lat=89.9)))
    assert (await LivePositions(redis, clock=NOW.timestamp).get(ANNA.courier_id, CITY)).position.fix.at.lat == 89.9


async def test_a_device_that_is_1024_weeks_back_is_put_right_and_named_once(redis, caplog):
    ingest, back_s = ingest_of(redis), 1024 * 7 * 86_400
    for age_s in (10, 5):
        receipt = await ingest.accept(upload(ANNA, reading(back_s + age_s)))
        assert (receipt.n_accepted, receipt.quarantined) == (1, ())
    receipt = await ingest.accept(upload(BORIS, reading(3), reading(back_s / 2)))
    assert receipt.quarantined == ((1, Reason.TOO_OLD),)
    ages = [NOW - p.fix.fixed_at for e in await everything(PositionLog(redis)) for p in e.columns().to_positions()]
    assert [age.total_seconds() for age in ages] == [10, 5, 3]
    told = [record for record in caplog.records if getattr(record, "event", None) == "week_corrected"]
    assert [record.courier_id for record in told] == [str(ANNA.courier_id)]


async def test_a_token_cannot_fill_redis_with_what_nobody_can_use(redis):
    """The receipt names all of it; a sample is kept, the fixes beside it are stored."""
    ingest, before = ingest_of(redis), await bytes_of_log(redis)
    n, payload = 5000, b"x" * 8000
    for _ in range(3):
        unusable = [Unusable(i + 1, Reason.UNREADABLE, payload, ANNA) for i in range(n)]
        receipt = await ingest.accept(Upload(region=CITY, readings=[reading(1)], senders=[ANNA], unusable=unusable))
        assert receipt.n_accepted == 1
        assert len(receipt.quarantined) == n
    assert 0 < await bytes_of_log(redis) - before < Bounds().quarantine_courier_bytes * 1.5


async def bytes_of_log(redis):
    return await redis.memory_usage(RegionKeys(CITY).log, samples=0) or 0
