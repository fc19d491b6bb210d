"""What couriers do beside delivering: shut doors, breaks, and tomorrow."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import msgspec

from app.simulation.city import made_up
from app.simulation.courier import SimulatedCourier
from app.simulation.fleet import Fleet
from app.simulation.habits import Habits, is_time_for_break, pause_of, shift_now, step_at
from app.simulation.member import Member, Pause, Stop
from app.simulation.operator import Operator
from app.simulation.orders import Business
from app.simulation.params import SimulateParams
from app.simulation.phones import Counts, Phone
from app.simulation.tomorrow import run_days, tomorrow_of
from app.simulation.town import Town
from app.simulation.ways import Ways
from tracking.position import LatLon, Mode

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TOWN = Town.build(LatLon(41.1579, -8.6291), 400, 1)
DOOR = Stop(order_id="o", kind="dropoff", place=TOWN.corners[5], state="picked_up")
BACK = replace(DOOR, state="returning")


class Server:
    """Answers everything, and remembers it."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.answers = answers
        self.refuses: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        sent = msgspec.json.decode(request.content) if request.content else None
        self.asked.append((request.method, request.url.path, sent))
        if request.url.path in self.refuses:
            return httpx.Response(409, json={"code": "conflict"}, request=request)
        return httpx.Response(200, json=self.answers.get(f"{request.method} {request.url.path}", {"stops": []}))


def member_with(client: httpx.AsyncClient, number: int = 1) -> Member:
    body = SimulatedCourier(mode=Mode.CAR, at=DOOR.place, random=Random(number))
    return Member(number, str(number), body, Phone(client, asyncio.Semaphore(1), "t", Counts()))


def test_the_same_seed_makes_the_same_oddities_in_the_shares_asked_for() -> None:
    habits = Habits(seed=1, shut_doors=0.2, on_shift=0.5)
    shut = [habits.stays_shut(1, nth) for nth in range(500)]
    assert shut == [Habits(seed=1, shut_doors=0.2).stays_shut(1, nth) for nth in range(500)]
    assert shut != [Habits(seed=2, shut_doors=0.2).stays_shut(1, nth) for nth in range(500)]
    assert 70 < sum(shut) < 130
    assert 200 < sum(habits.works_by_shifts(number) for number in range(500)) < 300
    assert not any(Habits(seed=1).stays_shut(1, nth) for nth in range(50))


def test_goods_that_nobody_took_go_back() -> None:
    assert step_at(replace(DOOR, kind="pickup"), is_shut=False) == ("picked-up", None)
    assert step_at(DOOR, is_shut=False) == ("delivered", None)
    assert step_at(DOOR, is_shut=True)[0] == "failed"
    assert step_at(BACK, is_shut=True) == ("returned", None)


def test_courier_takes_the_break_when_the_plan_says_and_at_once_with_nothing_to_do() -> None:
    member = member_with(httpx.AsyncClient())
    pause = Pause(opens_at=NOW, closes_at=NOW + 20 * MINUTE, duration_s=300)
    assert not is_time_for_break(member, NOW)
    member.pause = pause
    assert [is_time_for_break(member, NOW + n * MINUTE) for n in (-1, 0, 21)] == [False, True, False]
    member.stops = [DOOR]
    assert not is_time_for_break(member, NOW + MINUTE)
    member.stops = [replace(DOOR, break_at=NOW + 5 * MINUTE)]
    assert [is_time_for_break(member, NOW + n * MINUTE) for n in (4, 5)] == [False, True]


def test_todays_shift_has_a_break_and_ends_before_the_next() -> None:
    shift = shift_now(NOW, NOW + 60 * MINUTE)
    assert datetime.fromisoformat(shift["ends_at"]) == NOW + 60 * MINUTE
    pause = pause_of([shift], NOW)
    assert pause is not None
    assert NOW < pause.opens_at < pause.closes_at < NOW + 60 * MINUTE
    assert pause_of([shift], NOW - MINUTE) is None


async def test_shut_door_is_told_goods_are_brought_back_and_the_break_is_taken() -> None:
    server = Server()
    async with httpx.AsyncClient(base_url="http://p", transport=httpx.MockTransport(server)) as client:
        params = SimulateParams(url="http://p", token="t", shut_doors=1.0, service_s=(0, 0))
        city = made_up(TOWN, Random(1))
        fleet = Fleet(params, client, city, Ways(TOWN, {}, client), Counts())
        fleet.members = [member_with(client)]
        business = Business(params, fleet, client, city)
        await business._serve(fleet.members[0], DOOR)
        await business._serve(fleet.members[0], BACK)
        await business._rest(fleet.members[0], Pause(opens_at=NOW, closes_at=NOW, duration_s=0))
    told = [path for method, path, _ in server.asked if method == "POST"]
    assert told == [
        "/v1/orders/o/failed",
        "/v1/orders/o/returned",
        "/v1/couriers/1/breaks/start",
        "/v1/couriers/1/breaks/end",
    ]
    counts = fleet.counts
    assert (counts.failed_doors, counts.returned, counts.delivered, counts.breaks) == (1, 1, 0, 1)


async def test_accepted_order_that_goes_to_somebody_else_is_counted_and_a_cancelled_one_is_not() -> None:
    moved = replace(DOOR, order_id="moved", kind="pickup", state="accepted")
    cancelled, asked, kept = (replace(moved, order_id=name) for name in ("cancelled", "asked", "kept"))
    route = {"stops": [{"order_id": "kept", "kind": "dropoff", "lat": 41.1, "lon": -8.6, "state": "picked_up"}]}
    server = Server(
        **{
            "GET /v1/couriers/1/route": route,
            "GET /v1/orders/moved": {"state": "assigned"},
            "GET /v1/orders/cancelled": {"state": "cancelled"},
        }
    )
    async with httpx.AsyncClient(base_url="http://p", transport=httpx.MockTransport(server)) as client:
        params = SimulateParams(url="http://p", token="t")
        city = made_up(TOWN, Random(1))
        fleet = Fleet(params, client, city, Ways(TOWN, {}, client), Counts())
        fleet.members = [member_with(client)]
        fleet.members[0].stops = [moved, cancelled, replace(asked, state="assigned"), kept]
        await Business(params, fleet, client, city)._look(fleet.members[0])
    assert [stop.order_id for stop in fleet.members[0].stops] == ["kept"]
    assert fleet.counts.moved == 1


async def test_tomorrow_is_given_shifts_orders_and_an_applied_plan() -> None:
    starts_at, ends_at = tomorrow_of(datetime.now(UTC))
    shift = {"id": "s", "starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat(), "breaks": []}
    server = Server(
        **{
            "GET /v1/regions": {"items": [{"name": "porto"}]},
            "GET /v1/couriers/1/shifts": {"items": []},
            "POST /v1/couriers/1/shifts": shift,
            "POST /v1/plans/day": {"id": "p"},
            "GET /v1/plans/day/p": {"state": "ready"},
            "POST /v1/plans/day/p/apply": {"n_orders": 2},
        }
    )
    counts = Counts()
    server.refuses.add("/v1/couriers/2/shifts")
    async with httpx.AsyncClient(base_url="http://p", transport=httpx.MockTransport(server)) as client:
        params = SimulateParams(url="http://p", token="t", tomorrow=2, dispatch={"move_accepted": True})

        def order(ready_at: datetime, promised: timedelta) -> dict[str, Any]:
            return {"ready_at": ready_at.isoformat(), "to": (ready_at + promised).isoformat()}

        # The second may have no shift: that is told, and the others have theirs.
        members = [member_with(client), member_with(client, number=2)]
        await run_days(params, Operator(params, client), members, order, counts, asyncio.Event())
    sent = {f"{method} {path}": body for method, path, body in server.asked}
    assert sent["PATCH /v1/regions/porto"] == {"settings": {"dispatch": {"move_accepted": True}}}
    assert sent["POST /v1/plans/day"] | {"seconds": 0} == {
        "region": "porto", "from": shift["starts_at"], "to": shift["ends_at"], "seconds": 0,
    }  # fmt: skip
    placed = [body for method, path, body in server.asked if (method, path) == ("POST", "/v1/orders")]
    assert all(shift["starts_at"] < body["ready_at"] < body["to"] <= shift["ends_at"] for body in placed)
    assert (counts.placed_ahead, counts.planned_ahead) == (2, 2)
    shifts = [body for method, path, body in server.asked if (method, path) == ("POST", "/v1/couriers/1/shifts")]
    assert [body["starts_at"] == shift["starts_at"] for body in shifts] == [True, False]


async def test_day_that_is_planned_is_the_one_of_the_shifts_that_an_earlier_start_made() -> None:
    starts_at = (datetime.now(UTC) + timedelta(hours=7)).replace(microsecond=0)
    ends_at = starts_at + timedelta(hours=9)
    shift = {"id": "s", "starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat(), "breaks": []}
    server = Server(
        **{
            "GET /v1/regions": {"items": [{"name": "porto"}]},
            "GET /v1/couriers/1/shifts": {"items": [shift]},
            "POST /v1/couriers/1/shifts": shift,
            "POST /v1/plans/day": {"id": "p"},
            "GET /v1/plans/day/p": {"state": "ready"},
            "POST /v1/plans/day/p/apply": {"n_orders": 1},
        }
    )
    async with httpx.AsyncClient(base_url="http://p", transport=httpx.MockTransport(server)) as client:
        params, counts = SimulateParams(url="http://p", token="t", tomorrow=1), Counts()

        def order(ready_at: datetime, _: timedelta) -> dict[str, Any]:
            return {"ready_at": ready_at.isoformat()}

        await run_days(params, Operator(params, client), [member_with(client)], order, counts, asyncio.Event())
    sent = {f"{method} {path}": body for method, path, body in server.asked}
    assert (sent["POST /v1/plans/day"]["from"], sent["POST /v1/plans/day"]["to"]) == (
        shift["starts_at"],
        shift["ends_at"],
    )
    assert shift["starts_at"] < sent["POST /v1/orders"]["ready_at"] < shift["ends_at"]
    assert counts.planned_ahead == 1


async def test_what_the_operator_asks_for_again_is_done_once() -> None:
    keys = []

    def server(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        return httpx.Response(503 if len(keys) == 1 else 201, json={})

    async with httpx.AsyncClient(base_url="http://p", transport=httpx.MockTransport(server)) as client:
        operator = Operator(SimulateParams(url="http://p", token="t"), client)
        await operator.ask("POST", "/v1/orders", json={})
        await operator.ask("POST", "/v1/orders", json={})
    assert keys[0] == keys[1] != keys[2]
