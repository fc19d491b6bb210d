"""Simulated kitchens say what they do, when it is due."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace

import httpx

from app.simulation.city import Spot, made_up
from app.simulation.kitchens import BROUGHT, LATE_MINUTES, MENU, Kitchens
from app.simulation.operator import Operator as Operating
from app.simulation.orders import Business
from app.simulation.params import SimulateParams
from app.simulation.phones import Counts
from app.simulation.town import Town
from tracking.position import LatLon

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
CITY = made_up(Town.build(LatLon(41.15, -8.61), 300, 1), Random(1))
GONE = httpx.Response(404)
SPOTS = [Spot(at=LatLon(41.15, -8.61 + n / 1000), address=f"Rua {n}", name=f"Adega {n}") for n in range(2)]


class Answer:
    def __init__(self, body):
        self.body = body

    def json(self):
        return self.body


class Operator:
    """Knows one of the places already."""

    def __init__(self, tasks=(), ahead=()):
        self.tasks, self.ahead = list(tasks), list(ahead)
        self.asked = []

    async def ask(self, method, path, **request):
        self.asked.append((method, path, request.get("json")))
        if path.endswith("/tasks"):
            return Answer({"items": self.tasks})
        if path.endswith("/ahead"):
            return Answer({"items": self.ahead})
        if method == "GET":
            return Answer({"items": [{"external_id": "kitchen-1-1", "id": "known"}]})
        return Answer({"id": "made"})


def task(state, minutes, order_id="a"):
    at = (NOW + timedelta(minutes=minutes)).isoformat()
    return {"order_id": order_id, "state": state, "starts_at": at, "ends_at": at}


def words(kitchens, *tasks):
    return [(step.order_id, step.word) for step in kitchens.due(tasks, NOW)]


async def test_places_of_the_start_before_are_found_again_and_orders_name_them():
    operator = Operator()
    kitchens = Kitchens(operator, SPOTS, seed=1, region="porto")
    await kitchens.open()
    made, goods, *brought = [(path, body) for method, path, body in operator.asked if method == "POST"]
    made = made[1]
    assert goods == ("/v1/stock/items", {"item": BROUGHT, "region": "porto"})
    assert [path for path, _ in brought] == [f"/v1/places/{place}/stock/movements" for place in ("known", "made")]
    assert len({body["movements"][0]["id"] for _, body in brought}) == 2, "each gets its own, once"
    assert (made["external_id"], made["name"], made["region"]) == ("kitchen-1-2", "Adega 1", "porto")
    assert [one["item"] for one in made["recipes"] if "ahead_minutes" in one] == ["Caldo verde"]
    there = [kitchens.dishes(spot) for spot in SPOTS]
    assert [one.place_id for one in there] == ["known", "made"]
    for one in there:
        assert one.minutes == max(dict(MENU)[line["item"]] for line in one.lines)
    assert kitchens.dishes(Spot(at=LatLon(1, 1), address="elsewhere")) is None


def test_what_is_due_is_begun_and_said_to_be_ready_and_nothing_else():
    kitchens = Kitchens(Operator(), SPOTS, seed=1)
    assert words(kitchens, task("waiting", 0), task("waiting", 3, "b"), task("ready", -3, "c")) == [("a", "start")]
    assert words(kitchens, {"order_id": "a", "state": "waiting", "starts_at": None, "ends_at": None}) == []
    assert words(kitchens, task("started", 3)) == []


def test_some_take_longer_once_and_are_ready_then():
    kitchens = Kitchens(Operator(), SPOTS, seed=1)
    late = 0
    for n in range(300):
        name = str(n)
        [step] = kitchens.due([task("started", 0, name)], NOW)
        if step.word == "delay":
            late += 1
            assert step.body["minutes"] == LATE_MINUTES
            [step] = kitchens.due([task("started", 0, name)], NOW)
        assert step.word == "ready"
    assert 10 <= late <= 60


async def test_every_board_is_looked_at_and_told():
    operator = Operator([task("waiting", -1, "a"), task("waiting", 9, "b")])
    kitchens = Kitchens(operator, SPOTS, seed=1)
    await kitchens.open()
    operator.asked.clear()
    await kitchens.cook(NOW)
    assert [asked[:2] for asked in operator.asked] == [
        ("GET", "/v1/places/known/tasks"),
        ("POST", "/v1/places/known/tasks/a/start"),
        ("GET", "/v1/places/known/ahead"),
        ("GET", "/v1/places/made/tasks"),
        ("POST", "/v1/places/made/tasks/a/start"),
        ("GET", "/v1/places/made/ahead"),
    ]


async def test_what_is_to_be_made_ahead_is():
    goes = [
        task("suggested", 0) | {"item": "soup", "amount": 6},
        task("suggested", 9) | {"item": "later", "amount": 6},
        task("started", 0) | {"item": "dough", "amount": 6},
        task("started", 9) | {"item": "bread", "amount": 6},
    ]
    operator = Operator(ahead=goes)
    kitchens = Kitchens(operator, SPOTS[:1], seed=1)
    await kitchens.open()
    operator.asked.clear()
    await kitchens.cook(NOW)
    assert [asked for asked in operator.asked if asked[0] == "POST"] == [
        ("POST", "/v1/places/known/ahead/start", {"item": "soup", "amount": 6}),
        ("POST", "/v1/places/known/ahead/ready", {"item": "dough"}),
    ]


async def test_a_kitchen_that_is_closed_down_keeps_no_other_from_cooking():
    class Closing(Operator):
        async def ask(self, method, path, **request):
            if path.startswith("/v1/places/known/"):
                self.asked.append("closed")
                raise httpx.HTTPStatusError("gone", request=httpx.Request(method, "http://p"), response=GONE)
            return await super().ask(method, path, **request)

    operator = Closing([task("waiting", -1)])
    kitchens = Kitchens(operator, SPOTS, seed=1)
    await kitchens.open()
    operator.asked.clear()
    await kitchens.cook(NOW)
    assert operator.asked[0] == "closed"
    assert operator.asked[-2][1] == "/v1/places/made/tasks/a/start"


async def test_whoever_cooks_while_the_server_is_away_ends_with_the_simulation():
    params = SimulateParams(url="http://p", token="t", cooking=2)
    asked, stop = asyncio.Event(), asyncio.Event()

    def is_away(request):
        asked.set()
        raise httpx.ConnectError("away", request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(is_away), base_url="http://p") as client:
        fleet = SimpleNamespace(operator=Operating(params, client), members=[], series="t", counts=Counts())
        business = Business(params, fleet, client, CITY)
        business.kitchens._ids = {SPOTS[0]: "known"}
        cooking = asyncio.create_task(business.cook(stop))
        await asked.wait()
        stop.set()
        business.close()
        await asyncio.wait_for(cooking, 60)
