"""A backup made under load, restored into empty servers: every acknowledged fix and order is there, and no other."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from app import roles
from app.machine.backup import BackupError, backup, restore
from app.machine.migrate import migrate
from app.wiring.resources import open_redis
from tests.acceptance.test_orders import MINIMAL, RESTAURANT
from tests.waiting import until
from tracking.log import PositionLog
from tracking.position import Region


class Load:
    """Fixes and orders through the API; `acknowledged` until now."""

    def __init__(self, admin, courier):
        self.admin, self.courier = admin, courier
        self.began_at = datetime.now(UTC) - timedelta(hours=1)
        self.fixes, self.orders = set(), set()
        self.is_over = False

    async def report(self):
        at = [self.began_at + timedelta(seconds=len(self.fixes) + i) for i in range(20)]
        body = [{"courier_id": self.courier, "fixed_at": one.isoformat(), **RESTAURANT} for one in at]
        assert (await self.admin.post("/v1/positions", json=body)).json()["accepted"] == 20
        self.fixes |= set(at)

    async def step(self):
        await self.report()
        self.orders.add(UUID((await self.admin.post("/v1/orders", json=MINIMAL)).json()["id"]))

    async def run(self):
        while not self.is_over:
            await self.step()


async def stored(pool):
    fixes = {row["fixed_at"] for row in await pool.fetch("SELECT fixed_at FROM positions")}
    n = await pool.fetchval("SELECT count(*) FROM positions")
    return fixes, n, {row["id"] for row in await pool.fetch("SELECT id FROM orders")}


@contextlib.asynccontextmanager
async def playing(role, settings):
    stop = asyncio.Event()
    task = asyncio.create_task(roles.run(role, settings, stop))
    yield
    stop.set()
    await task


async def test_what_was_acknowledged_is_in_the_backup_wherever_it_was(
    admin, settings, empty_database_url, own_redis, tmp_path
):
    courier = (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
    load = Load(admin, courier)
    async with playing("writer", settings):
        loading = asyncio.create_task(load.run())
        await until(lambda: len(load.orders) > 5)
        before_fixes, before_orders = set(load.fixes), set(load.orders)
        await backup(settings, tmp_path / "backup")
        load.is_over = True
        await loading
    with pytest.raises(BackupError, match="not empty"):
        await restore(settings, tmp_path / "backup")

    other = replace(settings, database_url=empty_database_url, redis_url=own_redis().url)
    await restore(other, tmp_path / "backup")
    migrate(other.database_url)  # nothing to do, and it says so
    redis = open_redis(other)
    async with asyncpg.create_pool(other.database_url, min_size=0, max_size=2) as pool, playing("writer", other):

        async def is_drained():
            lags = await PositionLog(redis).lag(Region("default"))
            return lags and all(lag.n_fixes == 0 for lag in lags if lag.group == "history")

        await until(is_drained)
        fixes, n, orders = await stored(pool)
    await redis.aclose()
    assert before_fixes <= fixes <= load.fixes
    assert n == len(fixes)  # none twice
    assert before_orders <= orders <= load.orders


async def test_a_fix_that_is_only_in_the_log_is_restored_and_a_broken_backup_is_refused(
    admin, settings, empty_database_url, own_redis, tmp_path
):
    courier = (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
    load = Load(admin, courier)
    await load.step()  # no writer runs
    folder = tmp_path / "backup"
    await backup(settings, folder)
    with pytest.raises(BackupError, match="exists"):
        await backup(settings, folder)
    other = replace(settings, database_url=empty_database_url, redis_url=own_redis().url)
    whole = (folder / "redis.zst").read_bytes()
    (folder / "redis.zst").write_bytes(whole[:-1])
    with pytest.raises(BackupError, match="not as it was written"):
        await restore(other, folder)
    (folder / "redis.zst").write_bytes(whole)
    await restore(other, folder)
    async with asyncpg.create_pool(other.database_url, min_size=0, max_size=2) as pool, playing("writer", other):

        async def fixes():
            return (await stored(pool))[0] == load.fixes

        await until(fixes)
    (folder / "manifest.json").unlink()
    with pytest.raises(BackupError, match="is no backup"):
        await restore(other, folder)


async def test_a_lost_database_is_restored_beside_a_redis_that_lives_and_what_its_log_has_is_stored_again(
    admin, settings, empty_database_url, tmp_path
):
    courier = (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
    load, folder = Load(admin, courier), tmp_path / "backup"

    async def all_stored(where):
        async with asyncpg.create_pool(where, min_size=0, max_size=1) as pool:
            return (await stored(pool))[:2] == (load.fixes, len(load.fixes))

    async with playing("writer", settings):
        await load.step()
        await backup(settings, folder)
        await load.step()  # stored and acknowledged, and in no backup
        await until(lambda: all_stored(settings.database_url))
    await load.step()  # nobody stores it: the database is lost by now
    other = replace(settings, database_url=empty_database_url)
    with pytest.raises(BackupError, match="Redis is not empty"):
        await restore(other, folder)
    await restore(other, folder, keep_redis=True)
    async with playing("writer", other):
        await until(lambda: all_stored(other.database_url))
