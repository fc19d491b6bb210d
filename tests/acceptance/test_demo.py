"""How the demo opens, and what a person at its page breaks."""

import asyncio
import re
from collections import Counter
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from app.machine.day_so_far import Diary
from app.machine.opening import Opening
from app.settings import Settings
from app.simulation.asked import ASKED, SLOW, Breakage, Broken, serve
from app.simulation.city import made_up
from app.simulation.day import Day
from app.simulation.town import Town
from app.web.auth import Role
from tracking.position import CourierId, LatLon, Mode, Region

COURIERS = 20


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return Settings(database_url=database_url, redis_url=redis_url, demo=True)


async def test_day_is_under_way_and_what_is_left_of_it_ends_before_the_next(api, admin, settings, client_of):
    """Figures, orders in every state, and routes are there before anybody has moved; addresses lead to them."""
    news = [{"name": f"C{n}", "mode": "bicycle"} for n in range(COURIERS)]
    ids = [CourierId((await admin.post("/v1/couriers", json=new)).json()["id"]) for new in news]
    city = made_up(Town.build(LatLon(41.15, -8.61), 1200, 1), Random(1))
    day = Day(city=city, kitchens=city.busy_kitchens(1), modes=[Mode.BICYCLE] * COURIERS, random=Random(2))
    diary = Diary(pool=api.state.pool, redis=api.state.redis, region=Region("default"), couriers=ids, series="t")
    assert await diary.last_written() is None
    now = await diary.now()
    stories = list(day.open(now))
    orders = await diary.write(stories, 1, tells=True)
    await diary.write(day.past(60, now - timedelta(hours=5), now - timedelta(minutes=1)), 1000, tells=False)

    total = (await admin.get("/v1/reports/service-level?region=default&by=day")).json()["total"]
    assert total["delivered"] > 30
    assert 50 < total["on_time_pct"] <= 100
    found = (await admin.get("/v1/orders?limit=500")).json()["items"]
    assert {"placed", "assigned", "accepted", "picked_up", "delivered"} <= {order["state"] for order in found}
    assert all(order["dropoff"]["contact"]["phone"] for order in found)
    busy = next(order for order in orders if order.state == "picked_up")
    route = (await admin.get(f"/v1/couriers/{busy.courier_id}/route?geometry=false")).json()
    assert [(stop["order_id"], stop["kind"]) for stop in route["stops"]] == [(str(busy.id), "dropoff")]
    told = (await admin.get(f"/v1/orders/{busy.id}/events")).json()["items"]
    assert [event["action"] for event in told] == ["place", "assign", "accept", "picked_up"]

    members = [SimpleNamespace(courier_id=str(courier_id), number=n) for n, courier_id in enumerate(ids)]
    said: list[str] = []
    kitchen = {"name": "Adega", "lat": 41.15, "lon": -8.61}
    assert (await admin.post("/v1/places", json=kitchen)).status_code == 201
    opening = Opening(settings, str(admin.base_url), "", 1, None, said.append)
    await opening.tell(admin, SimpleNamespace(members=members), orders)
    at = {line.partition(":")[0]: urlsplit(re.findall(r"http://\S+", line)[0]) for line in said}
    stranger = await client_of(Role.VIEWER)
    stranger.headers.pop("Authorization")
    code = at.pop("the desk").fragment.removeprefix("code=")
    assert (await stranger.post("/v1/sign-in", json={"code": code})).json()["role"] == "admin"
    stranger.cookies.clear()
    stranger.headers["Accept"] = "text/html"
    assert set(at) == {"a kitchen's page", "a courier's page", "a recipient's page"}
    for address in at.values():
        assert (await stranger.get(address.path)).status_code == 200, address

    assert await diary.close_old() > 0
    states = Counter(order["state"] for order in (await admin.get("/v1/orders?limit=500")).json()["items"])
    later = sum(story.ready_at > now for story in stories)
    assert states["placed"] + states["assigned"] + states["accepted"] <= later
    assert states["picked_up"] == 0


async def test_what_is_asked_for_is_broken_and_told_and_without_a_simulation_it_is_said(api, client_of, monkeypatch):
    monkeypatch.setattr("app.simulation.asked.ANSWERED_WITHIN_S", 1.0)
    support, viewer = await client_of(Role.SUPPORT), await client_of(Role.VIEWER)
    assert (await viewer.post("/v1/demo/break", json={"what": "storm"})).status_code == 403
    assert (await support.post("/v1/demo/break", json={"what": "everything"})).status_code == 400
    nobody = await support.post("/v1/demo/break", json={"what": "storm"})
    assert (nobody.status_code, nobody.json()["code"]) == (503, "unavailable")
    monkeypatch.setattr("app.simulation.asked.ANSWERED_WITHIN_S", 60.0)
    await api.state.redis.delete(ASKED)
    done, stop = [], asyncio.Event()

    async def do(what: Breakage) -> Broken:
        done.append(what)
        return Broken(text="It is broken.")

    serving = asyncio.create_task(serve(api.state.redis, do, stop))
    answer = await support.post("/v1/demo/break", json={"what": "kitchen"})
    stop.set()
    await serving
    assert (answer.json(), done) == ({"text": "It is broken."}, [Breakage.KITCHEN])


async def test_what_is_broken_slowly_is_told_to_be_under_way(api, client_of, monkeypatch):
    monkeypatch.setattr("app.simulation.asked.ANSWERED_WITHIN_S", 1.0)
    support, stop, told = await client_of(Role.SUPPORT), asyncio.Event(), asyncio.Event()

    async def do(_: Breakage) -> Broken:
        await told.wait()
        return Broken(text="It is broken.")

    serving = asyncio.create_task(serve(api.state.redis, do, stop))
    answer = await support.post("/v1/demo/break", json={"what": "storm"})
    told.set()
    stop.set()
    await serving
    assert answer.json() == {"text": SLOW}
