"""What is broken in the demo, and how it is asked for."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.simulation.asked import Breakage
from app.simulation.city import made_up
from app.simulation.courier import SimulatedCourier
from app.simulation.fleet import Fleet
from app.simulation.member import Member, Stop
from app.simulation.mischief import LATE_BY, STORM, Mischief
from app.simulation.orders import Business
from app.simulation.params import SimulateParams
from app.simulation.phones import Counts, Phone
from app.simulation.town import Town
from app.simulation.ways import Ways
from tracking.position import LatLon, Mode

TOWN = Town.build(LatLon(41.1579, -8.6291), 400, 1)
CITY = made_up(TOWN, Random(1))
COURIER = uuid4()


class City:
    """A fleet of one, and an API that says what it was asked."""

    def __init__(self, orders: list[dict[str, Any]] | None = None) -> None:
        self.orders = orders or []
        self.asked: list[httpx.Request] = []
        self.client = httpx.AsyncClient(base_url="http://p", transport=httpx.MockTransport(self._answer))
        params = SimulateParams(url="http://p", token="t", orders_per_hour=60, trouble_for_s=100)
        self.fleet = Fleet(params, self.client, CITY, Ways(TOWN, {}, self.client), Counts())
        body = SimulatedCourier(mode=Mode.CAR, at=TOWN.corners[0], random=Random(1))
        phone = Phone(self.client, asyncio.Semaphore(1), "t", Counts())
        self.member = Member(1, str(COURIER), body, phone)
        self.fleet.members = [self.member]
        self.mischief = Mischief(self.fleet, Business(params, self.fleet, self.client, CITY), Random(1))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.method == "PATCH" and request.url.path.endswith("gone"):
            return httpx.Response(409)
        return httpx.Response(200, json={"items": self.orders})


async def test_courier_on_the_way_to_somebody_stops_and_is_named() -> None:
    city = City()
    assert (await city.mischief.do(Breakage.COURIER)).courier_id is None
    city.member.stops = [Stop(order_id="o", kind="pickup", place=TOWN.corners[5])]
    city.member.body.go([TOWN.corners[5]])
    told = await city.mischief.do(Breakage.COURIER)
    assert told.text == "Ada Abreu has stopped moving."
    assert UUID(str(told.courier_id)) == COURIER
    await city.fleet._move(city.member)
    assert city.member.body.at == TOWN.corners[0]
    assert city.member.body.is_frozen


async def test_storm_is_fifty_orders() -> None:
    city = City()
    told = await city.mischief.do(Breakage.STORM)
    assert [request.url.path for request in city.asked] == ["/v1/orders"] * STORM
    assert told.text.startswith(str(STORM))


async def test_kitchen_with_most_to_collect_is_late_and_what_is_collected_meanwhile_is_left() -> None:
    soon, tomorrow = datetime.now(UTC) + timedelta(minutes=5), datetime.now(UTC) + timedelta(days=1)
    city = City(
        [
            {"id": "a", "ready_at": soon.isoformat(), "pickup": {"address": "Tasca"}},
            {"id": "gone", "ready_at": soon.isoformat(), "pickup": {"address": "Tasca"}},
            {"id": "b", "ready_at": soon.isoformat(), "pickup": {"address": "Adega"}},
            *({"id": "c", "ready_at": tomorrow.isoformat(), "pickup": {"address": "Bar"}} for _ in range(5)),
        ]
    )
    told = await city.mischief.do(Breakage.KITCHEN)
    changed = [request for request in city.asked if request.method == "PATCH"]
    assert [request.url.path for request in changed] == ["/v1/orders/a", "/v1/orders/gone"]
    assert (soon + LATE_BY).isoformat() in changed[0].content.decode()
    assert told.text == "Tasca is twenty minutes late; orders that wait for it: 1."


@pytest.mark.parametrize("what", list(Breakage))
async def test_nothing_is_broken_where_there_is_nothing_to_break(what: Breakage) -> None:
    assert (await City().mischief.do(what)).text
