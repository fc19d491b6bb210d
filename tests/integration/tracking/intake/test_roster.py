"""Whose device it is: looked up by index, remembered also where the answer is nobody, and not without bound."""

import json
from contextlib import asynccontextmanager

import asyncpg

from sql import queries
from tracking.intake.roster import LONGEST_DEVICE, MOST_DEVICES, Roster
from tracking.parts import MOST


class CountingPool:
    """Counts queries, and what they ask for."""

    def __init__(self, pool):
        self.pool = pool
        self.asked = []

    async def fetch(self, query, *args, **more):
        self.asked.append(args[0])
        return await self.pool.fetch(query, *args, **more)


@asynccontextmanager
async def counting(database_url):
    async with asyncpg.create_pool(database_url, min_size=0, max_size=2) as pool:
        yield CountingPool(pool)


async def add(pool, external_id):
    return await pool.pool.fetchval(
        "INSERT INTO couriers (name, mode, region, external_id) VALUES ('Ana', 'car', 'default', $1) RETURNING id",
        external_id,
    )


async def test_owners_are_found_by_either_id_in_one_query_and_remembered(database_url):
    async with counting(database_url) as pool:
        ana, rui = await add(pool, "van-7"), await add(pool, None)
        roster = Roster(pool)
        devices = {"van-7", str(rui), "nobody's", f"{ana}".upper(), "\x00", "x" * (LONGEST_DEVICE + 1)}
        for _ in range(3):
            assert await roster.owners_of(devices) == {"van-7": ana, str(rui): rui}
        assert len(pool.asked) == 1


async def test_one_request_cannot_ask_for_more_than_a_phone_would(database_url):
    async with counting(database_url) as pool:
        await Roster(pool).owners_of({f"made up {i}" for i in range(300)})
        assert [len(asked) for asked in pool.asked] == [MOST_DEVICES]


async def test_devices_are_looked_up_by_index(database_url):
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "INSERT INTO couriers (name, mode, region, external_id)"
            " SELECT 'x', 'car', 'default', 'van-' || i FROM generate_series(1, 20000) AS i"
        )
        await connection.execute("ANALYZE couriers")
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE hot (text[], uuid[]) AS {queries['couriers.find_by_any_id']}")
        told = await connection.fetchval(
            "EXPLAIN (FORMAT JSON) EXECUTE hot ('{van-1}', '{00000000-0000-0000-0000-000000000007}')"
        )
    finally:
        await connection.close()
    assert "Seq Scan" not in json.dumps(json.loads(told))


async def test_how_many_parts_a_log_shall_have_is_one_unless_the_settings_say_a_number(database_url):
    async with counting(database_url) as pool:
        for given, n in (
            ("{}", 1),
            ('{"tracking": {"streams": 4}}', 4),
            ('{"tracking": {"streams": 400}}', MOST),
            ('{"tracking": {"streams": "4"}}', 1),
            ('{"tracking": 4}', 1),
        ):
            await pool.pool.execute("UPDATE regions SET settings = $1::jsonb WHERE id = 'default'", given)
            assert await Roster(pool).log_parts() == {"default": n}


async def test_of_a_database_that_is_away_nobody_learns_how_many_parts_a_log_shall_have(database_url):
    """A writer that cannot read the settings must not undo what another has done who can."""

    class Away:
        async def fetch(self, *_, **__):
            raise OSError("away")

    async with counting(database_url) as pool:
        roster = Roster(pool, ttl_s=-1.0)
        assert await roster.log_parts() == {"default": 1}
        roster._pool = Away()
        assert await roster.log_parts() == {}
