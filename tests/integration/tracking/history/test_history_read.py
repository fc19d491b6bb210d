"""Reading back: tracks raw and rolled up, last positions, speeds; retention; erasing."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.waiting import PATIENCE_S
from tracking.batch import PositionColumns
from tracking.history.history import History, erase
from tracking.history.tracks import Resolution, resolution_for
from tracking.position import CourierId, Fix, LatLon, Mark, Mode, Position

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANNA, BEN = CourierId(UUID(int=7)), CourierId(UUID(int=8))


def fix(second, courier=ANNA, lat=41.15, speed_mps=4.0, mark=Mark.NONE):
    at = START + timedelta(seconds=second)
    return Position(
        courier_id=courier, fix=Fix(at=LatLon(lat, -8.61), fixed_at=at, speed_mps=speed_mps, accuracy_m=5.0),
        received_at=at + timedelta(seconds=2), mark=mark,
    )  # fmt: skip


async def store(history, positions, mode=Mode.BICYCLE):
    await history.insert_many(PositionColumns.from_positions(positions, mode))


async def test_a_track_comes_back_in_order_and_only_the_span_asked_for(history):
    drive = [fix(i * 5, lat=round(41.15 + i * 1e-5, 7)) for i in range(100)]
    await store(history, [*drive[50:], *drive[:50], fix(7, courier=BEN)])
    page = await history.fixes(ANNA, START + timedelta(seconds=10), START + timedelta(seconds=50))
    assert page.to_positions() == tuple(drive[2:10])
    pages = [page async for page in history.track(ANNA, START, START + timedelta(hours=1))]
    assert [position for page in pages for position in page.to_positions()] == drive


async def test_a_cursor_continues_where_the_page_ended(history):
    drive = [fix(i * 5) for i in range(10)]
    await store(history, drive)
    until = START + timedelta(hours=1)
    first = await history.fixes(ANNA, START, until, limit=4)
    rest = await history.fixes(ANNA, START, until, after=first.position(3).fix.fixed_at)
    assert [*first.to_positions(), *rest.to_positions()] == drive


async def test_reading_by_records_gives_the_same_as_by_copy(history, pool):
    unknown = Position(courier_id=ANNA, fix=Fix(at=LatLon(41.15, -8.61), fixed_at=START), received_at=START)
    await store(history, [unknown, fix(5), fix(10)])
    other = History(pool)
    other._copies = False
    until = START + timedelta(hours=1)
    by_copy, by_records = await history.fixes(ANNA, START, until), await other.fixes(ANNA, START, until)
    assert by_copy.to_positions() == by_records.to_positions()
    assert by_copy.mode.tolist() == by_records.mode.tolist() == [3, 3, 3]


async def test_marked_fixes_come_only_on_request(history):
    poor = fix(7, mark=Mark.POOR_ACCURACY)
    await store(history, [fix(0), poor, fix(10)])
    until = START + timedelta(hours=1)
    assert len(await history.fixes(ANNA, START, until)) == 2
    assert poor in (await history.fixes(ANNA, START, until, with_marked=True)).to_positions()
    (hour,) = await history.rollups(ANNA, Resolution.HOUR, START, until)
    assert hour.n_fixes == 2


async def test_an_empty_track_is_empty(history):
    assert len(await history.fixes(ANNA, START, START + timedelta(hours=1))) == 0
    assert [page async for page in history.track(ANNA, START, START + timedelta(hours=1))] == []
    assert await history.rollups(ANNA, Resolution.MINUTE, START, START + timedelta(hours=1)) == ()


def test_the_longer_the_span_the_coarser_the_track():
    spans = [timedelta(hours=24), timedelta(hours=25), timedelta(days=31), timedelta(days=32)]
    assert [resolution_for(span).value for span in spans] == ["raw", "1m", "1m", "1h"]


@pytest.fixture
async def two_couriers(pool):
    await pool.execute("INSERT INTO regions (id, name) VALUES ('porto', 'Porto')")
    for courier, region in [(ANNA, "porto"), (BEN, "default")]:
        await pool.execute(
            "INSERT INTO couriers (id, name, mode, region) VALUES ($1, 'A', 'bicycle', $2)", courier, region
        )


async def test_the_last_good_position_of_each_courier_of_a_region(history, two_couriers):
    last = fix(10)
    await store(history, [fix(0), last, fix(15, mark=Mark.POOR_ACCURACY), fix(20, courier=BEN)])
    found = await history.last_positions("porto", since=START)
    assert found.to_positions() == (last,)
    assert found.mode.tolist() == [3]
    assert (await history.last_positions("default", since=START)).to_positions() == (fix(20, courier=BEN),)
    assert len(await history.last_positions("default", since=START + timedelta(hours=1))) == 0


async def test_speeds_are_told_apart_by_mode_and_hour_of_the_week(history):
    await store(
        history, [fix(0, speed_mps=0.2), fix(5, speed_mps=3.0), fix(10, speed_mps=5.0), fix(15, speed_mps=None)]
    )
    await store(history, [fix(3600, courier=BEN, speed_mps=12.0)], Mode.CAR)
    bicycle, car = sorted(
        await history.observed_speeds(START, START + timedelta(hours=2)), key=lambda speed: speed.hour_of_week
    )
    friday_noon = 4 * 24 + 12
    assert (bicycle.mode, bicycle.hour_of_week, bicycle.n_fixes, bicycle.n_moving) == (Mode.BICYCLE, friday_noon, 3, 2)
    assert (bicycle.mean_speed_mps, bicycle.moving_speed_mps) == pytest.approx((8.2 / 3, 4.0))
    assert bicycle.moving_spread_mps == pytest.approx(1.0)
    assert (car.mode, car.hour_of_week, car.moving_speed_mps) == (Mode.CAR, friday_noon + 1, 12.0)
    only_cars = await history.observed_speeds(START, START + timedelta(hours=2), Mode.CAR)
    assert only_cars == (car,)


async def test_an_erased_courier_leaves_nothing_and_cannot_come_back(history, pool):
    drive = [fix(i * 5) for i in range(20)]
    await store(history, drive)
    await store(history, [replace(position, courier_id=BEN) for position in drive])
    async with pool.acquire() as connection, connection.transaction():
        assert await erase(connection, ANNA) == 20
    await store(history, drive)
    await store(history, [fix(500)])
    assert len(await history.fixes(ANNA, START, START + timedelta(hours=1), with_marked=True)) == 0
    assert await history.rollups(ANNA, Resolution.MINUTE, START, START + timedelta(hours=1)) == ()
    assert len(await history.fixes(BEN, START, START + timedelta(hours=1))) == 20


async def test_reading_needs_one_connection_at_a_time(database_url):
    async with asyncpg.create_pool(database_url, min_size=0, max_size=1) as pool, asyncio.timeout(PATIENCE_S):
        assert len(await History(pool).fixes(ANNA, START, START + timedelta(hours=1))) == 0
        assert await History(pool).insert_many(PositionColumns.from_positions([fix(0)])) == 1
