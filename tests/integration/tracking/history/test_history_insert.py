"""Storing: once each, and the same rows whatever the order."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sql import queries
from tests.waiting import PATIENCE_S
from tracking.batch import PositionColumns
from tracking.history.history import History
from tracking.history.rows import cells, unpack_cell
from tracking.position import CourierId, Fix, LatLon, Mark, Position

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
COURIERS = [CourierId(UUID(int=number)) for number in (7, 8, 9)]


def position(courier=0, second=0.0, lat=41.15, lon=-8.61, accuracy_m=5.0, mark=Mark.NONE, delay_s=1, speed_mps=4.0):
    fixed_at = START + timedelta(seconds=second)
    return Position(
        courier_id=COURIERS[courier],
        fix=Fix(at=LatLon(lat, lon), fixed_at=fixed_at, accuracy_m=accuracy_m, speed_mps=speed_mps),
        received_at=fixed_at + timedelta(seconds=delay_s),
        mark=mark,
    )


def drive(courier=0, n=20, every_s=5, start_s=0.0):
    return [position(courier, start_s + i * every_s, lat=41.15 + i * 1e-4) for i in range(n)]


def columns(positions):
    return PositionColumns.from_positions(positions)


async def rows(pool):
    """Everything stored, in a comparable order."""
    return [tuple(row) for row in await pool.fetch("SELECT * FROM positions ORDER BY courier_id, fixed_at")]


async def marks(pool):
    found = await pool.fetch("SELECT fixed_at, marks FROM positions ORDER BY courier_id, fixed_at")
    return {(row["fixed_at"] - START).total_seconds(): row["marks"] for row in found if row["marks"]}


async def test_a_batch_is_stored_once_however_often_it_comes(pool, history):
    batch = columns([*drive(0), *drive(1)])
    assert await history.insert_many(batch) == 40
    before = await rows(pool)
    assert await history.insert_many(batch) == 0
    assert await History(pool).insert_many(batch) == 0
    assert await rows(pool) == before


async def test_a_writer_stopped_in_the_middle_of_its_turn_keeps_nobody_waiting(pool, history):
    async def stopped_in_the_middle():
        async with pool.acquire() as connection, connection.transaction():
            await connection.fetchval(queries["positions.take_turn"], "default", "300")
            async with asyncio.timeout(PATIENCE_S):
                assert await history.insert_many(columns(drive(0))) == 20
            await connection.execute("SELECT 1")

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await stopped_in_the_middle()


async def test_values_come_back_as_they_went_in(pool, history):
    given_position = Position(
        courier_id=COURIERS[0],
        fix=Fix(
            at=LatLon(-33.8567844, 151.2152967), fixed_at=START + timedelta(microseconds=123_457),
            accuracy_m=4.7, speed_mps=8.25, course_deg=359.9, altitude_m=-12.0, battery_pct=81.0,
        ),
        received_at=START + timedelta(seconds=90),
    )  # fmt: skip
    await history.insert_many(columns([given_position, position(1)]))
    row = await pool.fetchrow("SELECT * FROM positions WHERE courier_id = $1", COURIERS[0])
    assert dict(row) | {"cell": 0} == {
        "fixed_at": START + timedelta(microseconds=123_457), "courier_id": COURIERS[0], "lat_e7": -338567844,
        "lon_e7": 1512152967, "cell": 0, "delay_s": 89, "speed_cmps": 825, "course_ddeg": 3599, "accuracy_dm": 47,
        "altitude_m": -12, "battery_pct": 81, "mode": 0, "marks": 0,
    }  # fmt: skip


async def test_unknown_values_are_null_by_copy_and_by_unnest(pool, history):
    unknown = Position(courier_id=COURIERS[0], fix=Fix(at=LatLon(41.0, -8.0), fixed_at=START), received_at=START)
    await history.insert_many(columns([unknown, position(1)]))
    by_copy = await rows(pool)
    await pool.execute("TRUNCATE positions")
    other = History(pool)
    other._copies = False
    await other.insert_many(columns([unknown, position(1)]))
    assert await rows(pool) == by_copy
    assert by_copy[0][6:11] == (None, None, None, None, None)


async def test_a_jump_is_marked_and_its_neighbours_are_not(pool, history):
    fixes = drive(0, n=9)
    fixes[4] = position(0, 20, lat=42.0)
    await history.insert_many(columns(fixes))
    assert await marks(pool) == {20.0: Mark.JUMP}


async def test_a_jump_at_the_end_of_one_batch_is_judged_again_with_the_next(pool, history):
    fixes = drive(0, n=9)
    fixes[4] = position(0, 20, lat=42.0)
    for fix in fixes:
        await history.insert_many(columns([fix]))
    assert await marks(pool) == {20.0: Mark.JUMP}


async def test_late_fixes_between_a_jump_clear_it(pool, history):
    """A courier seen in two places far apart is a jump until the fixes between show the journey."""
    far = [position(0, 0), position(0, 5), position(0, 400, lat=41.45), position(0, 405, lat=41.45)]
    between = [position(0, 5 + i * 30, lat=41.15 + i * 0.3 / 13) for i in range(1, 13)]
    await history.insert_many(columns([*far[:2], *far[3:]]))
    await history.insert_many(columns(far[2:3]))
    await history.insert_many(columns(between))
    late = await rows(pool)
    await pool.execute("TRUNCATE positions")
    await History(pool).insert_many(columns([*far, *between]))
    assert await rows(pool) == late


async def test_two_writers_at_once_store_every_fix_once(pool):
    """Two processes with overlapping batches: no doubles, nothing lost, the marks of one writer."""
    rng = np.random.default_rng(1)
    fixes = [fix for courier in range(3) for fix in drive(courier, n=200)]
    for i in rng.choice(len(fixes), 30, replace=False):
        fixes[i] = position(
            COURIERS.index(fixes[i].courier_id), (fixes[i].fix.fixed_at - START).total_seconds(), lat=43.0
        )
    rng.shuffle(fixes)
    batches = [columns(fixes[i : i + 60]) for i in range(0, len(fixes), 40)]
    writers = [History(pool), History(pool)]
    counts = await asyncio.gather(*(writers[i % 2].insert_many(batch) for i, batch in enumerate(batches)))
    assert sum(counts) == len(fixes)
    together = await rows(pool)
    await pool.execute("TRUNCATE positions")
    await History(pool).insert_many(columns(fixes))
    assert await rows(pool) == together


async def test_a_writer_of_another_slot_makes_no_doubles(pool):
    """A courier who changed regions while fixes of the old one were on their way."""
    one, other = History(pool), History(pool)
    await one.insert_many(columns(drive(0, n=5)), "porto")
    await other.insert_many(columns(drive(0, n=10)), "lisboa")
    assert await one.insert_many(columns(drive(0, n=12)), "porto") == 2
    assert len(await rows(pool)) == 12


async def test_after_a_failed_transaction_the_batch_can_be_tried_again(pool, history):
    await history.insert_many(columns(drive(0, n=5)))
    await pool.execute("ALTER TABLE positions ADD CONSTRAINT north CHECK (lat_e7 < 420000000)")
    bad = [*drive(0, n=5, start_s=25), position(0, 60, lat=43.0)]
    with pytest.raises(asyncpg.CheckViolationError):
        await history.insert_many(columns(bad))
    await pool.execute("ALTER TABLE positions DROP CONSTRAINT north")
    assert await history.insert_many(columns(bad)) == 6


async def test_fixes_of_an_erased_courier_are_dropped(pool, history):
    await pool.execute("INSERT INTO erased_couriers VALUES ($1)", COURIERS[0])
    assert await history.insert_many(columns([*drive(0), *drive(1)])) == 20


fixes_of_a_courier = st.builds(
    position,
    courier=st.integers(0, 1),
    # A few instants, so that several fixes for one instant occur; a few places, so that jumps occur.
    second=st.integers(0, 40).map(lambda i: i * 45.0),
    lat=st.sampled_from([41.15, 41.1501, 41.16, 41.3, 43.0]),
    accuracy_m=st.sampled_from([None, 5.0, 50.0, 500.0]),
    delay_s=st.integers(0, 3),
).map(
    lambda p: p if (p.fix.accuracy_m or 0) < 200 else Position(
        courier_id=p.courier_id, fix=p.fix, received_at=p.received_at, mark=Mark.POOR_ACCURACY
    )
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_rows_do_not_depend_on_the_order_or_on_the_batches(pool, data):
    fixes = data.draw(st.lists(fixes_of_a_courier, min_size=1, max_size=40))
    shuffled = data.draw(st.permutations(fixes))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(fixes)), max_size=8)))
    copy = data.draw(st.booleans())
    await pool.execute("TRUNCATE positions")
    await History(pool).insert_many(columns(fixes))
    at_once = await rows(pool)
    await pool.execute("TRUNCATE positions")
    history = History(pool)
    history._copies = copy
    for first, last in zip([0, *cuts], [*cuts, len(fixes)], strict=True):
        await history.insert_many(columns(shuffled[first:last]))
    assert await rows(pool) == at_once


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_a_packed_cell_comes_back(lat, lon):
    import h3.api.basic_int as h3  # noqa: PLC0415

    stored = columns([position(lat=lat, lon=lon)])
    (packed,) = cells(stored).tolist()
    assert 0 <= packed < 2**31
    assert unpack_cell(packed) == h3.latlng_to_cell(stored.lat_e7[0] / 1e7, stored.lon_e7[0] / 1e7, 8)
