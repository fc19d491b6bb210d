"""Tracks, exports and reports from a standby, as long as it is near and answers."""

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import asyncpg
import psycopg
import pytest

from app.machine.check import check
from app.settings import Settings
from app.wiring.reads import Reads
from tests.acceptance.test_lost_database import copies
from tests.acceptance.test_orders import MINIMAL, RESTAURANT
from tests.waiting import until

__all__ = ["copies"]

YEAR_S = 366 * 86_400.0
"""No standby is so far behind: what it has is read."""


@pytest.fixture
def standby(copies):
    copies.copy("second", standby=True)
    return copies.start("second", {})


@pytest.fixture
def settings(copies, standby, redis_url):
    """The database is whichever of the two takes writes."""
    first = urlsplit(copies.first.url)
    either = first._replace(netloc=f"{first.netloc},127.0.0.1:{standby.port}", query="target_session_attrs=primary")
    return Settings(
        database_url=either.geturl(), redis_url=redis_url, database_read_url=standby.url, database_read_lag_s=YEAR_S
    )


def run_at(server, statement):
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(statement)


async def report(admin, courier, n):
    at = [datetime.now(UTC) - timedelta(seconds=60 * n + i) for i in range(20)]
    body = [{"courier_id": courier, "fixed_at": one.isoformat(), **RESTAURANT} for one in at]
    assert (await admin.post("/v1/positions", json=body)).json()["accepted"] == 20

    async def is_placed():
        """As a program that may be answered 503 for now does it."""
        return (await admin.post("/v1/orders", json=MINIMAL)).status_code == 201

    await until(is_placed)


async def told(admin, courier):
    """Fixes of the track, fixes of the export, orders of the report; None where somebody must ask again."""
    span = {"from": (datetime.now(UTC) - timedelta(hours=2)).isoformat(), "to": datetime.now(UTC).isoformat()}
    track = await admin.get(f"/v1/couriers/{courier}/track", params=span | {"resolution": "raw"})
    export = await admin.get(f"/v1/couriers/{courier}/export")
    level = await admin.get("/v1/reports/service-level", params=span | {"by": "courier"})
    if 503 in (statuses := [answer.status_code for answer in (track, export, level)]):
        return None
    assert statuses == [200, 200, 200]
    n_exported = sum('"record":"fix"' in line for line in export.text.splitlines())
    return len(track.json()["properties"]["fixed_at"]), n_exported, level.json()["total"]["placed"]


async def looked(settings):
    """What is found of the replica by whoever checks the installation."""
    return next(result.found for result in await check(settings) if result.what == "read replica")


async def is_found(look, words):
    return words in await look


def is_replayed(copies, standby):
    """Whether the standby has all that the first one has written, however little that is."""
    with psycopg.connect(copies.first.url) as first, psycopg.connect(standby.url) as second:
        (at,) = first.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
        return second.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [at]).fetchone() == (True,)


async def test_a_standby_answers_while_it_is_near_and_takes_over_where_both_are_named(
    copies, standby, settings, admin, writer
):
    courier = (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
    await report(admin, courier, 1)

    async def is_told(wanted):
        return await told(admin, courier) == wanted

    await until(lambda: is_told((20, 20, 1)))
    run_at(standby, "SELECT pg_wal_replay_pause()")
    await report(admin, courier, 2)

    def is_stored():
        with psycopg.connect(copies.first.url) as connection:
            return connection.execute("SELECT count(*) FROM positions").fetchone() == (40,)

    await until(lambda: asyncio.to_thread(is_stored))
    await until(lambda: is_told((20, 20, 1)))  # what the standby has: it was asked
    with ExitStack() as stack:
        stack.callback(run_at, standby, "SELECT pg_wal_replay_resume()")
        async with (
            asyncpg.create_pool(copies.first.url, min_size=0) as first,
            asyncpg.create_pool(standby.url, min_size=0) as second,
        ):
            reads = Reads(first, second, lag_s=10.0)
            await until(lambda: is_found(reads.look(), "behind"))
    await until(lambda: is_told((40, 40, 2)))
    await until(lambda: is_found(looked(settings), "near enough"))
    standby.kill()
    await until(lambda: is_told((40, 40, 2)))
    await until(lambda: is_found(looked(settings), "Error"))
    await asyncio.to_thread(standby.start)
    await until(lambda: is_replayed(copies, standby))

    copies.first.kill()
    run_at(standby, "SELECT pg_promote()")
    await report(admin, courier, 3)
    await until(lambda: is_told((60, 60, 3)))
    await until(lambda: is_found(looked(settings), "no replica"))
