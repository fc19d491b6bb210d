"""The program on the Redis that Sentinels name, through a failover."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from app.settings import Settings
from tests.acceptance.test_orders import RESTAURANT
from tests.sentinel import Watched
from tests.waiting import until


@pytest.fixture
def watched(own_redis, servers_folder):
    with ExitStack() as stack:
        yield Watched(stack, servers_folder / "sentinel", own_redis)


@pytest.fixture
def settings(database_url, watched):
    return Settings(database_url=database_url, redis_url=watched.url)


async def test_uploads_and_their_storing_go_on_with_the_server_that_takes_over(admin, settings, watched, writer):
    courier = (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
    began_at = datetime.now(UTC) - timedelta(hours=1)
    taken = set()

    async def is_taken():
        """As a phone does: what is refused comes again."""
        at = began_at + timedelta(seconds=10 * len(taken))
        answer = await admin.post(
            "/v1/positions", json={"courier_id": courier, "fixed_at": at.isoformat(), **RESTAURANT}
        )
        assert answer.status_code in {202, 503}, answer.text
        if answer.status_code == 202:
            taken.add(at)
        return answer.status_code == 202

    def are_stored():
        with psycopg.connect(settings.database_url) as connection:
            return {at for (at,) in connection.execute("SELECT fixed_at FROM positions")} == taken

    for _ in range(5):
        await until(is_taken)
    watched.fail_over()
    for _ in range(5):
        await until(is_taken)
    assert len(taken) == 10
    await until(are_stored)
    await until(lambda: is_ready(admin))


async def is_ready(admin):
    return (await admin.get("/health/ready")).json()["status"] == "ok"
