"""Orders over HTTP, from placing to proof, with the dispatcher running beside."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import pytest_asyncio
import redis.asyncio as aioredis

from app import roles
from app.web.auth import Role
from tests.waiting import until
from tracking import events
from tracking.batch import PositionColumns
from tracking.live import LivePositions
from tracking.position import Fix, LatLon, Position

RESTAURANT = {"lat": 41.1496, "lon": -8.6109}
HOME = {"lat": 41.1579, "lon": -8.6291}
MINIMAL = {"pickup": RESTAURANT, "dropoff": HOME}


class Town:
    """Staff and couriers with their phones."""

    def __init__(self, client_of, staff: httpx.AsyncClient, redis: aioredis.Redis) -> None:
        self.client_of = client_of
        self.staff = staff
        self.redis = redis

    async def hire(self, name: str, at: dict[str, float] | None = RESTAURANT, **facts: Any) -> tuple[str, Any]:
        """A courier standing somewhere, and the courier's phone."""
        answer = await self.staff.post("/v1/couriers", json={"name": name, "mode": "bicycle"} | facts)
        courier_id = answer.json()["id"]
        if at is not None:
            await self.stand(courier_id, at)
        return courier_id, await self.client_of(Role.COURIER, courier=courier_id)

    async def stand(self, courier_id: str, at: dict[str, float], region: str = "default") -> None:
        now = datetime.now(UTC)
        fix = Fix(at=LatLon(at["lat"], at["lon"]), fixed_at=now)
        columns = PositionColumns.from_positions([Position(courier_id=UUID(courier_id), fix=fix, received_at=now)])
        await LivePositions(self.redis).refill(region, columns)

    async def place(self, **facts: Any) -> dict[str, Any]:
        answer = await self.staff.post("/v1/orders", json=MINIMAL | facts)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def order(self, order_id: str) -> dict[str, Any]:
        return (await self.staff.get(f"/v1/orders/{order_id}")).json()

    async def offered(self, phone: httpx.AsyncClient, order_id: str) -> str:
        """Id of the open offer of an order to a courier, alone or among others, once it is there."""

        async def look():
            items = (await phone.get("/v1/offers", params={"state": "open"})).json()["items"]
            return next(
                (
                    offer["id"]
                    for offer in items
                    for one in (offer, *offer.get("orders", ()))
                    if one["order_id"] == order_id
                ),
                None,
            )

        return await until(look)

    async def accepted(self, phone: httpx.AsyncClient, **facts: Any) -> dict[str, Any]:
        order = await self.place(**facts)
        answer = await phone.post(f"/v1/offers/{await self.offered(phone, order['id'])}/accept")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def actions(self, order_id: str) -> list[str]:
        return [event["action"] for event in (await self.staff.get(f"/v1/orders/{order_id}/events")).json()["items"]]


@pytest_asyncio.fixture
async def town(client_of, settings) -> AsyncIterator[Town]:
    client = aioredis.Redis.from_url(settings.redis_url)
    yield Town(client_of, await client_of(Role.DISPATCHER), client)
    await client.aclose()


@pytest_asyncio.fixture
async def dispatcher(settings) -> AsyncIterator[None]:
    """The dispatch role, hurried."""
    stop = asyncio.Event()
    hurried = replace(settings, dispatch_tick_s=0.2, dispatch_search_s=0.0, ask_again_after_s=0.0)
    task = asyncio.create_task(roles.run("dispatch", hurried, stop))
    yield
    stop.set()
    await task


async def test_minimal_order_is_placed(town):
    order = await town.place()
    assert order["state"] == "placed"
    assert order["version"] == 1
    assert (await town.order(order["id"]))["pickup"]["lat"] == RESTAURANT["lat"]


async def test_order_is_offered_accepted_collected_and_delivered_with_proof(town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    assert (order["state"], order["courier_id"]) == ("accepted", ana)
    route = (await phone.get(f"/v1/couriers/{ana}/route")).json()
    assert [(stop["kind"], stop["state"]) for stop in route["stops"]] == [
        ("pickup", "accepted"),
        ("dropoff", "accepted"),
    ]
    assert route["stops"][0]["eta"]["p50"] <= route["stops"][1]["eta"]["p50"]
    assert len(route["geometry"]["coordinates"]) >= 3
    assert (await phone.post(f"/v1/orders/{order['id']}/picked-up")).json()["state"] == "picked_up"
    done = await phone.post(f"/v1/orders/{order['id']}/delivered", json={"proof": {"code": "4711", "name": "B."}})
    assert done.json()["state"] == "delivered"
    assert done.json()["proof"] == {"code": "4711", "name": "B."}
    assert (await phone.get(f"/v1/couriers/{ana}/route")).json()["stops"] == []
    assert await town.actions(order["id"]) == ["place", "assign", "accept", "picked_up", "delivered"]


async def test_rejected_order_is_offered_to_another_courier_and_not_again_to_the_first(town, dispatcher):
    _, near = await town.hire("Near")
    order = await town.place()
    offer_id = await town.offered(near, order["id"])
    rui, far = await town.hire("Far", HOME)
    rejected = await near.post(f"/v1/offers/{offer_id}/reject", json={"reason": "flat tyre"})
    assert rejected.json()["state"] == "rejected"
    await town.offered(far, order["id"])
    offers = (await town.staff.get("/v1/offers", params={"order_id": order["id"]})).json()["items"]
    assert [offer["state"] for offer in offers] == ["open", "rejected"]
    assert offers[0]["courier_id"] == rui
    assert "cost" in offers[0]


async def test_cancelled_order_leaves_the_route_and_makes_room(town, dispatcher):
    ana, phone = await town.hire("Ana", max_orders=1)
    first = await town.accepted(phone)
    second = await town.place()

    async def explained():
        return (await town.order(second["id"])).get("decision", {}).get("reasons")

    reasons = await until(explained)
    assert [reason["code"] for reason in reasons] == ["max_orders"]
    assert reasons[0]["example_courier_id"] == ana
    listed = (await town.staff.get("/v1/orders", params={"unassigned": True})).json()["items"]
    assert [order["id"] for order in listed] == [second["id"]]
    await town.staff.post(f"/v1/orders/{first['id']}/cancel", json={"reason": "customer"})
    await town.offered(phone, second["id"])
    stops = (await phone.get(f"/v1/couriers/{ana}/route")).json()["stops"]
    assert {stop["order_id"] for stop in stops} == {second["id"]}


async def test_courier_going_off_duty_hands_over_what_is_not_collected(town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    _, other = await town.hire("Rui", HOME)
    assert (await phone.post(f"/v1/couriers/{ana}/off-duty")).json()["on_duty"] is False
    await town.offered(other, order["id"])


@pytest_asyncio.fixture
async def elsewhere(settings) -> str:
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute("INSERT INTO regions (id, name) VALUES ('elsewhere', 'Elsewhere')")
    await connection.close()
    return "elsewhere"


async def test_courier_who_changes_region_is_planned_there_and_leaves_nothing_undone(town, dispatcher, elsewhere):
    ana, phone = await town.hire("Ana", region="default")
    left = await town.accepted(phone, region="default")
    moved = await town.staff.patch(f"/v1/couriers/{ana}", json={"region": elsewhere})
    assert (moved.status_code, moved.json()["region"]) == (200, elsewhere)
    assert (await town.order(left["id"]))["state"] == "placed"
    assert (await phone.get(f"/v1/couriers/{ana}/route")).json()["stops"] == []
    _, other = await town.hire("Rui", region="default")
    await town.offered(other, left["id"])
    await town.stand(ana, RESTAURANT, elsewhere)
    order = await town.place(region=elsewhere)
    await town.offered(phone, order["id"])
    told = await events.read(town.redis, "default", after=events.START)
    gone = [event for event in told if event.type == "courier.changed" and event.facts.get("deleted")]
    assert [event.facts["courier_id"] for event in gone] == [ana]


async def test_courier_with_goods_on_board_cannot_change_region(town, dispatcher, elsewhere):
    ana, phone = await town.hire("Ana", region="default")
    order = await town.accepted(phone, region="default")
    assert (await phone.post(f"/v1/orders/{order['id']}/picked-up")).status_code == 200
    answer = await town.staff.patch(f"/v1/couriers/{ana}", json={"region": elsewhere})
    assert (answer.status_code, answer.json()["code"]) == (409, "goods-on-board")
    assert answer.json()["order_ids"] == [order["id"]]
    assert (await town.staff.get(f"/v1/couriers/{ana}")).json()["region"] == "default"


async def test_repeated_post_with_its_key_creates_one_order(town):
    headers = {"Idempotency-Key": "k1"}
    first = await town.staff.post("/v1/orders", json=MINIMAL, headers=headers)
    again = await town.staff.post("/v1/orders", json=MINIMAL, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await town.staff.post("/v1/orders", json=MINIMAL | {"priority": 3}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert len((await town.staff.get("/v1/orders")).json()["items"]) == 1


async def test_repeated_comments_and_shifts_with_their_key_are_made_once(town):
    ana, _ = await town.hire("Ana", None)
    order = await town.place()
    now = datetime.now(UTC)
    shift = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=4)).isoformat()}
    for number, (url, body) in enumerate(
        [(f"/v1/orders/{order['id']}/comments", {"text": "hello"}), (f"/v1/couriers/{ana}/shifts", shift)]
    ):
        headers = {"Idempotency-Key": f"k{number}"}
        first = await town.staff.post(url, json=body, headers=headers)
        again = await town.staff.post(url, json=body, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert len((await town.staff.get(url)).json()["items"]) == 1


async def test_concurrent_posts_with_one_key_create_one_order(town):
    async def post():
        return await town.staff.post("/v1/orders", json=MINIMAL, headers={"Idempotency-Key": "k"})

    answers = await asyncio.gather(*(post() for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_external_id_in_use_answers_409_and_names_the_order(town):
    order = await town.place(external_id="A-1")
    answer = await town.staff.post("/v1/orders", json=MINIMAL | {"external_id": "A-1"})
    assert (answer.status_code, answer.json()["id"]) == (409, order["id"])


async def test_change_needs_the_version_that_is_there(town):
    order = await town.place()
    url = f"/v1/orders/{order['id']}"
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    changed = await town.staff.patch(
        url, json={"version": 1, "dropoff": {"window": {"to": until}, "instructions": "bell"}}
    )
    assert changed.json()["version"] == 2
    assert changed.json()["dropoff"]["instructions"] == "bell"
    assert changed.json()["dropoff"]["lat"] == HOME["lat"]
    for answer in (
        await town.staff.patch(url, json={"version": 1, "priority": 5}),
        await town.staff.patch(url, json={"priority": 5}, headers={"If-Match": '"1"'}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "version-conflict")


async def test_window_that_is_not_in_order_is_refused_with_a_pointer(town):
    window = {"from": "2026-11-23T12:00:00Z", "to": "2026-11-23T11:00:00Z"}
    answer = await town.staff.post("/v1/orders", json={"pickup": RESTAURANT, "dropoff": HOME | {"window": window}})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/dropoff/window"


async def test_order_whose_courier_cannot_carry_it_any_more_is_given_away(town, dispatcher):
    _, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    changed = await town.staff.patch(f"/v1/orders/{order['id']}", json={"mode": "car"})
    assert changed.json()["state"] == "placed"
    driver, car = await town.hire("Rui", HOME, mode="car")
    await town.offered(car, order["id"])
    assert (await town.order(order["id"]))["courier_id"] == driver


async def test_reassigned_order_is_pinned_to_the_new_courier(town, dispatcher):
    _, near = await town.hire("Near")
    order = await town.accepted(near)
    far_id, far = await town.hire("Far", HOME)
    moved = await town.staff.post(f"/v1/orders/{order['id']}/reassign", json={"courier_id": far_id})
    assert (moved.json()["state"], moved.json()["courier_id"], moved.json()["pinned"]) == ("assigned", far_id, True)
    assert moved.json()["plan_cost"]["difference"] > 0
    await far.post(f"/v1/offers/{await town.offered(far, order['id'])}/accept")
    assert (await town.order(order["id"]))["courier_id"] == far_id


async def test_unassigned_order_goes_to_somebody_else(town, dispatcher):
    _, near = await town.hire("Near")
    order = await town.accepted(near)
    far_id, far = await town.hire("Far", HOME)
    taken = await town.staff.post(f"/v1/orders/{order['id']}/unassign", json={"reason": "complaint"})
    assert taken.json()["state"] == "placed"
    await town.offered(far, order["id"])
    assert (await town.order(order["id"]))["courier_id"] == far_id


async def test_courier_cannot_touch_orders_of_others(town, dispatcher):
    _, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    _, thief = await town.hire("Eve", None)
    for step in ("picked-up", "delivered", "failed"):
        answer = await thief.post(f"/v1/orders/{order['id']}/{step}", json={"reason": "x"})
        assert (answer.status_code, answer.json()["code"]) == (403, "not-yours")
    assert (await thief.get(f"/v1/orders/{order['id']}")).status_code == 403
    assert (await phone.get(f"/v1/orders/{order['id']}")).status_code == 200


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.VIEWER, {"read"}),
        (Role.SUPPORT, {"read", "comment", "cancel"}),
        (Role.DISPATCHER, {"read", "comment", "cancel", "place"}),
        (Role.SERVICE, {"read", "comment", "cancel", "place"}),
    ],
)
async def test_staff_may_do_what_their_role_says(town, role, may):
    order = await town.place()
    url = f"/v1/orders/{order['id']}"
    staff = await town.client_of(role)
    answers = {
        "read": await staff.get(url),
        "comment": await staff.post(f"{url}/comments", json={"text": "called the customer"}),
        "cancel": await staff.post(f"{url}/cancel", json={"reason": "test"}),
        "place": await staff.post("/v1/orders", json=MINIMAL),
    }
    assert {what for what, answer in answers.items() if answer.status_code < 300} == may
    assert {answer.status_code for what, answer in answers.items() if what not in may} <= {403}


async def test_step_that_the_state_does_not_allow_answers_409(town):
    order = await town.place()
    await town.staff.post(f"/v1/orders/{order['id']}/cancel")
    again = await town.staff.post(f"/v1/orders/{order['id']}/cancel")
    assert (again.status_code, again.json()["code"], again.json()["state"]) == (409, "order-not-open", "cancelled")


async def test_list_pages_through_all_orders_newest_first(town):
    placed = [(await town.place())["id"] for _ in range(5)]
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await town.staff.get("/v1/orders", params=params)).json()
        seen += [order["id"] for order in page["items"]]
        if not (cursor := page.get("next")):
            break
    assert seen == placed[::-1]


async def test_shifts_do_not_overlap_and_bound_the_work(town):
    ana, phone = await town.hire("Ana")
    now = datetime.now(UTC)
    shift = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=4)).isoformat()}
    url = f"/v1/couriers/{ana}/shifts"
    pause = {"from": shift["starts_at"], "to": shift["ends_at"], "duration_s": 1800}
    first = await town.staff.post(url, json=shift | {"breaks": [pause]})
    assert first.status_code == 201
    assert (await town.staff.post(url, json=shift)).status_code == 409
    assert (await phone.post(url, json=shift)).status_code == 403
    assert [one["id"] for one in (await phone.get(url)).json()["items"]] == [first.json()["id"]]
    assert (await town.staff.delete(f"{url}/{first.json()['id']}")).status_code == 204
    assert (await phone.get(url)).json()["items"] == []


async def test_shift_is_changed_in_part_and_what_it_cannot_be_is_said(town, dispatcher):
    ana, phone = await town.hire("Ana")
    now = datetime.now(UTC).replace(microsecond=0)
    times = [(now + timedelta(hours=h)).isoformat() for h in range(9)]
    url = f"/v1/couriers/{ana}/shifts"
    pause = {"from": times[1], "to": times[2], "duration_s": 1800}
    first = {"starts_at": now.isoformat(), "ends_at": times[4], "breaks": [pause], "end": HOME}
    made = (await town.staff.post(url, json=first)).json()
    later = (await town.staff.post(url, json={"starts_at": times[6], "ends_at": times[8]})).json()
    longer = await town.staff.patch(f"{url}/{made['id']}", json={"ends_at": times[5], "breaks": []})
    assert longer.status_code == 200, longer.text
    assert datetime.fromisoformat(longer.json()["ends_at"]) == datetime.fromisoformat(times[5])
    assert (longer.json().get("breaks", []), longer.json()["end"]) == ([], HOME)
    assert (await town.staff.patch(f"{url}/{made['id']}", json={"ends_at": times[7]})).json()["code"] == "conflict"
    assert (await town.staff.patch(f"{url}/{made['id']}", json={"ends_at": times[0]})).status_code == 400
    assert (await phone.patch(f"{url}/{made['id']}", json={"end": None})).status_code == 403
    unknown = await town.staff.patch(f"{url}/{uuid4()}", json={"end": None})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "shift-not-found")

    order = await town.accepted(phone)
    moved = await town.staff.patch(f"{url}/{made['id']}", json={"starts_at": times[1]})
    assert moved.status_code == 200
    assert (await town.order(order["id"])).get("courier_id") is None
    listed = (await phone.get(url)).json()["items"]
    assert [one["id"] for one in listed] == [made["id"], later["id"]]


def next_change_of_clocks() -> date:
    """The last Sunday of March, when Europe puts its clocks forward: the next one that is ten days away or more."""
    soon = date.today() + timedelta(days=10)  # noqa: DTZ011 - of whatever zone, a day more or less
    ends = [date(soon.year + years, 3, 31) for years in (0, 1)]
    sundays = [end - timedelta(days=(end.weekday() + 1) % 7) for end in ends]
    return next(day for day in sundays if day >= soon)


async def test_shifts_of_a_rule_are_made_changed_one_by_one_and_removed_together(town, client_of):
    ana, phone = await town.hire("Ana")
    await (await client_of(Role.ADMIN)).patch("/v1/regions/default", json={"timezone": "Europe/Lisbon"})
    url = f"/v1/couriers/{ana}/shifts"
    eve = next_change_of_clocks() - timedelta(days=2)

    def hours(days, begins=8, ends=12):
        day = f"{eve + timedelta(days=days):%Y-%m-%d}"
        return {"starts_at": f"{day}T{begins:02}:00:00Z", "ends_at": f"{day}T{ends:02}:00:00Z"}

    first = hours(0)
    made = await town.staff.post(url, json=first | {"repeats": "FREQ=DAILY;COUNT=4"})
    assert (made.status_code, made.json()["n_shifts"]) == (201, 4), made.text
    listed = (await phone.get(url)).json()["items"]
    assert [one["starts_at"] for one in listed] == [
        hours(days, begins)["starts_at"] for days, begins in enumerate((8, 8, 7, 7))
    ]
    assert {one["series_id"] for one in listed} == {made.json()["series_id"]}
    changed = await town.staff.patch(f"{url}/{listed[1]['id']}", json={"ends_at": hours(1, ends=10)["ends_at"]})
    assert changed.json()["series_id"] == made.json()["series_id"]
    beside = await town.staff.post(url, json=hours(-1) | {"repeats": "FREQ=DAILY;COUNT=2"})
    assert beside.status_code == 409
    for rule in ("FREQ=DAILY", "FREQ=DAILY;COUNT=2;BYDAY=XX"):
        refused = await town.staff.post(url, json=first | {"repeats": rule})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/repeats")
    gone = await town.staff.delete(f"{url}/{listed[2]['id']}", params={"following": True})
    assert gone.status_code == 204
    assert [one["id"] for one in (await phone.get(url)).json()["items"]] == [listed[0]["id"], listed[1]["id"]]


async def test_route_is_reordered_by_hand_in_the_version_seen(town, dispatcher):
    ana, phone = await town.hire("Ana")
    for _ in range(2):
        order = await town.place()
        await town.staff.post(f"/v1/orders/{order['id']}/reassign", json={"courier_id": ana})
    route = (await town.staff.get(f"/v1/couriers/{ana}/route")).json()
    stops = [{"order_id": stop["order_id"], "kind": stop["kind"]} for stop in route["stops"]]
    wanted = [s for s in stops if s["kind"] == "pickup"][::-1] + [s for s in stops if s["kind"] == "dropoff"]
    stale = await town.staff.post(f"/v1/couriers/{ana}/route/reorder", json={"stops": wanted, "version": 1000})
    assert stale.status_code == 409
    looked = await town.staff.post(
        f"/v1/couriers/{ana}/route/reorder",
        params={"preview": True},
        json={"stops": wanted[::-1], "version": route["version"]},
    )
    assert (looked.status_code, looked.json()["code"]) in [(400, "bad-input"), (409, "version-conflict")]

    async def preview():
        now = (await town.staff.get(f"/v1/couriers/{ana}/route")).json()
        body = {"stops": wanted, "version": now["version"]}
        answer = await town.staff.post(f"/v1/couriers/{ana}/route/reorder", params={"preview": True}, json=body)
        return (now, answer.json()) if answer.status_code == 200 else None

    now, told = await until(preview)
    assert [{"order_id": s["order_id"], "kind": s["kind"]} for s in told["stops"]] == wanted
    assert all(stop["eta"]["p50"] for stop in told["stops"])
    assert told["plan_cost"]["difference"] == told["plan_cost"]["after"] - told["plan_cost"]["before"]
    after = (await town.staff.get(f"/v1/couriers/{ana}/route")).json()
    assert [s["order_id"] for s in after["stops"]] == [s["order_id"] for s in now["stops"]]  # nothing is changed

    async def reorder():
        now = (await town.staff.get(f"/v1/couriers/{ana}/route")).json()
        answer = await town.staff.post(
            f"/v1/couriers/{ana}/route/reorder", json={"stops": wanted, "version": now["version"]}
        )
        return answer if answer.status_code == 200 else None

    await until(reorder)
    await asyncio.sleep(0.5)  # the dispatcher has looked again by then, and left it alone
    route = (await phone.get(f"/v1/couriers/{ana}/route")).json()
    assert [{"order_id": s["order_id"], "kind": s["kind"]} for s in route["stops"]] == wanted


ODD_CONTACTS = ["null", '"Eva"', "[1, 2]", '{"phone": null, "x": {"y": 1}}']


async def test_order_is_found_by_whatever_a_caller_says(town, database_url):
    """References, names, addresses, phone numbers as they are dialled, comments; odd records hinder nothing."""
    recipient = HOME | {"address": "Rua das Flores 12", "contact": {"name": "Inês Cruz", "phone": "+351 22-334 455"}}
    wanted = await town.place(external_id="UX-1003", customer_id="Bakery", dropoff=recipient)
    other = await town.place(external_id="UX-2000")
    await town.staff.post(f"/v1/orders/{wanted['id']}/comments", json={"text": "rang, no answer"})
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        for contact in ODD_CONTACTS:
            odd = (await town.place())["id"]
            await pool.execute("UPDATE orders SET dropoff_contact = $2::text::jsonb WHERE id = $1", UUID(odd), contact)

    async def found(text: str) -> list[str]:
        answer = await town.staff.get("/v1/orders", params={"q": text})
        return [item["external_id"] for item in answer.json()["items"]]

    for text in ("1003", "ux-1003", "bakery", "flores", "inês", "334455", "22 334", wanted["id"][:8], "No Answer"):
        assert await found(text) == ["UX-1003"], text
    assert await found("UX-2000") == [other["external_id"]]
    assert await found("phone") == []
    assert await found("no 9999") == []
