"""A courier's stream: the route at once and when it changes, offers as they are made and closed."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from app.settings import Settings
from app.web.auth import Role
from tests.acceptance.test_live import Stream
from tests.acceptance.test_orders import dispatcher, town
from tests.waiting import PATIENCE_S

__all__ = ["dispatcher", "town"]


@pytest.fixture
def settings(database_url, redis_url):
    return Settings(database_url=database_url, redis_url=redis_url, token_cache_s=0.05)


class RouteStream(Stream):
    """Remembers the route it was told last: whatever is waited for, a route may come before it."""

    stops = None

    async def until(self, wanted):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                name, data = await self.events.get()
                if name == "route":
                    self.stops = [(stop["kind"], stop["state"]) for stop in data["stops"]]
                if name == wanted:
                    return data


@asynccontextmanager
async def listening(api, phone, courier_id):
    token = phone.headers["Authorization"].removeprefix("Bearer ")
    stream = RouteStream(api, token, path=f"/v1/couriers/{courier_id}/route/stream")
    yield stream
    stream.leave()
    stream.task.cancel()
    await asyncio.wait({stream.task}, timeout=PATIENCE_S)


async def stops_become(stream, wanted):
    """Routes come until one has these stops: (kind, state)."""
    while stream.stops != wanted:
        await stream.until("route")


async def test_offer_comes_on_the_stream_and_is_accepted_and_delivered(api, town, dispatcher):
    ana, phone = await town.hire("Ana")
    async with listening(api, phone, ana) as stream:
        assert (await stream.until("route"))["stops"] == []
        order = await town.place()
        offer = await stream.until("offer")
        assert offer["order_id"] == order["id"]
        assert "cost" not in offer
        await stops_become(stream, [("pickup", "assigned"), ("dropoff", "assigned")])
        await phone.post(f"/v1/offers/{offer['id']}/accept")
        assert (await stream.until("offer_closed"))["id"] == offer["id"]
        await stops_become(stream, [("pickup", "accepted"), ("dropoff", "accepted")])
        await phone.post(f"/v1/orders/{order['id']}/picked-up")
        await stops_become(stream, [("dropoff", "picked_up")])
        await phone.post(f"/v1/orders/{order['id']}/delivered")
        await stops_become(stream, [])


async def test_cancelled_order_leaves_the_stream_at_once(api, town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    async with listening(api, phone, ana) as stream:
        assert len((await stream.until("route"))["stops"]) == 2
        await town.staff.post(f"/v1/orders/{order['id']}/cancel")
        await stops_become(stream, [])


async def test_offer_that_waits_is_told_to_whoever_comes_back(api, town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await town.place()
    offer_id = await town.offered(phone, order["id"])
    async with listening(api, phone, ana) as stream:
        assert (await stream.until("offer"))["id"] == offer_id


async def test_stream_of_another_courier_is_refused_and_staff_may_look(api, town):
    ana, _ = await town.hire("Ana", None)
    _, eve = await town.hire("Eve", None)
    async with listening(api, eve, ana) as stream:
        await asyncio.wait_for(stream.task, PATIENCE_S)
        assert stream.status == 403
    viewer = await town.client_of(Role.VIEWER)
    async with listening(api, viewer, ana) as stream:
        assert (await stream.until("route"))["courier_id"] == ana


async def test_revoked_token_ends_the_stream(api, town, admin, monkeypatch):
    monkeypatch.setattr("app.routes.route.LOOK_EVERY_S", 0.05)
    ana, phone = await town.hire("Ana", None)
    async with listening(api, phone, ana) as stream:
        await stream.until("route")
        tokens = (await admin.get("/v1/tokens")).json()["items"]
        mine = next(token for token in tokens if token["courier_id"] == ana)
        await admin.delete(f"/v1/tokens/{mine['id']}")
        await asyncio.wait_for(stream.over.wait(), PATIENCE_S)
