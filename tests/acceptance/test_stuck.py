"""A courier stops in the street: stuck is raised, the order goes to somebody else, and it resolves by moving."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import httpx
import pytest

from app import roles
from app.settings import Settings
from app.web.auth import Role
from tests.waiting import until

RESTAURANT = {"lat": 41.1496, "lon": -8.6109}
HOME = {"lat": 41.1579, "lon": -8.6291}
STREET_LAT = 41.1536
"""450 m north of the restaurant."""


class Phone:
    """Posts where it is three times a second, or as often as the machine lets it."""

    def __init__(self, client: httpx.AsyncClient, lat: float) -> None:
        self.client = client
        self.lat = lat
        self.speed = 0.0
        """Degrees a second."""

    async def run(self) -> None:
        before = datetime.now(UTC)
        while True:
            now = datetime.now(UTC)
            self.lat += self.speed * (now - before).total_seconds()
            before = now
            fix = {"fixed_at": now.isoformat(), "lat": self.lat, "lon": RESTAURANT["lon"], "accuracy_m": 4}
            assert (await self.client.post("/v1/positions", json=fix)).status_code == 202
            await asyncio.sleep(0.33)


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        watch_tick_s=0.3,
        dispatch_tick_s=0.5,
        dispatch_search_s=0,
        offer_for_s=300,
    )


@asynccontextmanager
async def playing(settings: Settings, *names: str) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(roles.run(name, settings, stop)) for name in names]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def test_a_courier_stuck_loses_the_order_and_recovers_by_moving(settings, admin, client_of):
    pool = await asyncpg.create_pool(settings.database_url, min_size=0, max_size=1)
    await pool.execute("""UPDATE regions SET settings = '{"alerts": {"stuck_after_s": 3}}' WHERE id = 'default'""")
    await pool.close()
    ids, phones, clients = {}, {}, {}
    for name, lat in (("Ana", STREET_LAT), ("Bea", STREET_LAT + 0.01)):
        answer = await admin.post("/v1/couriers", json={"name": name, "mode": "bicycle"})
        ids[name] = answer.json()["id"]
        clients[name] = await client_of(Role.COURIER, courier=ids[name])
        phones[name] = Phone(clients[name], lat)
    phones["Bea"].speed = 0.00006

    async def order_of():
        return (await admin.get(f"/v1/orders/{order_id}")).json()

    async def holder():
        return (await order_of()).get("courier_id")

    async def alerts(state):
        params = {"state": state, "kind": "stuck", "courier_id": ids["Ana"]}
        return (await admin.get("/v1/alerts", params=params)).json()["items"]

    async with playing(settings, "writer", "watch", "dispatch"):
        posting = [asyncio.create_task(phone.run()) for phone in phones.values()]
        order_id = (await admin.post("/v1/orders", json={"pickup": RESTAURANT, "dropoff": HOME})).json()["id"]
        await until(lambda: _is(holder, ids["Ana"]))
        offers = (await clients["Ana"].get("/v1/offers", params={"state": "open"})).json()["items"]
        await clients["Ana"].post(f"/v1/offers/{offers[0]['id']}/accept")
        (alert,) = await until(lambda: alerts("open"))
        assert alert["facts"]["still_s"] >= 3
        assert alert["expected"]["moves_within_s"] == 3
        await until(lambda: _is(holder, ids["Bea"]))
        await asyncio.sleep(1)
        assert len(await alerts("open")) == 1, "only moving ends it"
        phones["Ana"].speed = 0.0009
        (resolved,) = await until(lambda: alerts("resolved"))
        assert resolved["id"] == alert["id"]
        for task in posting:
            task.cancel()
        await asyncio.gather(*posting, return_exceptions=True)


async def _is(read, expected):
    return await read() == expected
