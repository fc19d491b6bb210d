"""Goods that do not reach their recipient: on the way back, tried again, in other hands."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.web.auth import Role
from tests.acceptance.test_orders import HOME, RESTAURANT, dispatcher, town
from tests.waiting import until

__all__ = ["dispatcher", "town"]


async def on_board(town, phone):
    order = await town.accepted(phone)
    answer = await phone.post(f"/v1/orders/{order['id']}/picked-up")
    assert answer.status_code == 200
    return answer.json()


async def stops_of(phone, courier_id):
    stops = (await phone.get(f"/v1/couriers/{courier_id}/route")).json()["stops"]
    return [(stop["order_id"], stop["kind"], stop["state"], stop["lat"], stop["lon"]) for stop in stops]


async def fail(town, phone, order):
    return await phone.post(f"/v1/orders/{order['id']}/failed", json={"reason": "nobody there"})


async def cancel(town, phone, order):
    return await town.staff.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "changed their mind"})


@pytest.mark.parametrize("end", [fail, cancel])
async def test_goods_that_cannot_be_delivered_come_back_by_a_stop_on_the_route(town, dispatcher, end):
    ana, phone = await town.hire("Ana", max_orders=1)
    order = await on_board(town, phone)
    turned = (await end(town, phone, order)).json()
    assert (turned["state"], turned["courier_id"]) == ("returning", ana)
    assert turned["reason"]
    place = (RESTAURANT["lat"], RESTAURANT["lon"])
    assert await stops_of(phone, ana) == [(order["id"], "dropoff", "returning", *place)]

    async def planned():
        [stop] = (await phone.get(f"/v1/couriers/{ana}/route")).json()["stops"]
        return stop.get("eta")

    assert (await until(planned))["p50"]
    # The goods take the room they take: a courier of one order has none for another.
    second = await town.place()

    async def explained():
        return (await town.order(second["id"])).get("decision", {}).get("reasons")

    assert [reason["code"] for reason in await until(explained)] == ["max_orders"]
    back = await phone.post(f"/v1/orders/{order['id']}/returned")
    assert (back.status_code, back.json()["state"]) == (200, "returned")
    assert [order_id for order_id, *_ in await stops_of(phone, ana)] == []
    await town.offered(phone, second["id"])


DEPOT = {"lat": 41.16, "lon": -8.65, "address": "Depot, gate 2"}


async def test_goods_come_back_to_the_place_the_region_has_for_them(town, dispatcher, client_of):
    ana, phone = await town.hire("Ana")
    admin = await client_of(Role.ADMIN)
    assert (await admin.patch("/v1/regions/default", json={"settings": {"returns": DEPOT}})).status_code == 200
    order = await on_board(town, phone)
    assert await stops_of(phone, ana) == [(order["id"], "dropoff", "picked_up", HOME["lat"], HOME["lon"])]
    turned = (await fail(town, phone, order)).json()
    assert turned["returns_to"] == DEPOT
    back = (order["id"], "dropoff", "returning", DEPOT["lat"], DEPOT["lon"])
    assert await stops_of(phone, ana) == [back]
    [stop] = (await phone.get(f"/v1/couriers/{ana}/route")).json()["stops"]
    assert stop["address"] == DEPOT["address"]
    # Decided once: what is on its way back goes where it was sent.
    await admin.patch("/v1/regions/default", json={"settings": {"returns": None}})
    assert await stops_of(phone, ana) == [back]

    async def foretold():
        [stop] = (await phone.get(f"/v1/couriers/{ana}/route")).json()["stops"]
        return stop.get("eta")

    assert await until(foretold)
    again = await town.staff.post(f"/v1/orders/{order['id']}/retry", json={"reason": "found them"})
    assert "returns_to" not in again.json()
    assert await stops_of(phone, ana) == [(order["id"], "dropoff", "picked_up", HOME["lat"], HOME["lon"])]
    await fail(town, phone, order)
    assert await stops_of(phone, ana) == [(order["id"], "dropoff", "returning", RESTAURANT["lat"], RESTAURANT["lon"])]


@pytest.mark.parametrize(
    "odd", ['{"returns": 7}', '{"returns": {"lat": 1}}', '{"returns": {"lat": "x", "lon": 1}}', "7"]
)
async def test_return_place_that_nobody_can_read_keeps_no_goods_on_board(town, dispatcher, settings, odd):
    ana, phone = await town.hire("Ana")
    order = await on_board(town, phone)
    async with asyncpg.create_pool(settings.database_url, min_size=1, max_size=1) as pool:
        await pool.execute("UPDATE regions SET settings = $1::jsonb", odd)
    assert (await fail(town, phone, order)).json()["state"] == "returning"
    assert await stops_of(phone, ana) == [(order["id"], "dropoff", "returning", RESTAURANT["lat"], RESTAURANT["lon"])]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"lat": 91, "lon": 0}, "/settings/returns/lat"),
        ({"lat": 1}, "/settings/returns"),
        ({"at": 1}, "/settings/returns/at"),
    ],
)
async def test_return_place_that_is_none_is_refused(client_of, given, pointer):
    admin = await client_of(Role.ADMIN)
    answer = await admin.patch("/v1/regions/default", json={"settings": {"returns": given}})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


async def test_recipient_sees_nothing_of_goods_that_go_back(town, dispatcher):
    _, phone = await town.hire("Ana")
    order = await on_board(town, phone)
    link = (await town.staff.post(f"/v1/orders/{order['id']}/share")).json()
    await fail(town, phone, order)
    assert (await town.staff.get(link["url"])).status_code == 404
    assert (await town.staff.get(f"/v1/orders/{order['id']}/eta")).json()["code"] == "order-not-open"


async def test_order_that_came_back_is_tried_again_as_the_same_order(town, dispatcher):
    _, phone = await town.hire("Ana")
    order = await on_board(town, phone)
    await phone.post(f"/v1/orders/{order['id']}/failed", json={"reason": "nobody there", "photo": "p1"})
    await phone.post(f"/v1/orders/{order['id']}/returned")
    until = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    body = {"reason": "the recipient called", "window": {"to": until.isoformat()}}
    again = await town.staff.post(f"/v1/orders/{order['id']}/retry", json=body)
    assert again.status_code == 200, again.text
    tried = again.json()
    assert (tried["state"], tried["attempt"], tried.get("courier_id")) == ("placed", 2, None)
    assert datetime.fromisoformat(tried["dropoff"]["window"]["to"]) == until
    assert not {"picked_up_at", "closed_at", "reason", "proof"} & set(tried)
    events = (await town.staff.get(f"/v1/orders/{order['id']}/events")).json()["items"]
    [retry] = [event for event in events if event["action"] == "retry"]
    assert (retry["from_state"], retry["state"], retry["reason"]) == ("returned", "placed", "the recipient called")
    assert retry["facts"]["before"]["proof"] == {"photo": "p1"}
    offer = await town.offered(phone, order["id"])
    assert (await phone.post(f"/v1/offers/{offer}/accept")).status_code == 200
    for step in ("picked-up", "delivered"):
        assert (await phone.post(f"/v1/orders/{order['id']}/{step}")).status_code == 200
    assert (await town.order(order["id"]))["state"] == "delivered"


async def test_retry_of_what_failed_before_it_was_collected_drops_windows_that_are_over(town, dispatcher):
    _, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    await fail(town, phone, order)
    assert (await town.order(order["id"]))["state"] == "failed"
    tried = (await town.staff.post(f"/v1/orders/{order['id']}/retry", json={"reason": "open again"})).json()
    assert (tried["state"], tried["attempt"]) == ("placed", 2)


async def test_order_on_its_way_back_turns_round(town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await on_board(town, phone)
    await fail(town, phone, order)
    tried = (await town.staff.post(f"/v1/orders/{order['id']}/retry", json={"reason": "came home"})).json()
    assert (tried["state"], tried["courier_id"], tried["attempt"]) == ("picked_up", ana, 2)
    assert await stops_of(phone, ana) == [(order["id"], "dropoff", "picked_up", HOME["lat"], HOME["lon"])]
    assert (await phone.post(f"/v1/orders/{order['id']}/delivered")).json()["state"] == "delivered"


async def test_what_is_still_under_way_or_delivered_is_not_tried_again(town):
    order = await town.place()
    answer = await town.staff.post(f"/v1/orders/{order['id']}/retry", json={"reason": "why not"})
    assert (answer.status_code, answer.json()["code"]) == (409, "order-not-open")
    over = {"to": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}
    answer = await town.staff.post(f"/v1/orders/{order['id']}/retry", json={"reason": "x", "window": over})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/window/to")


async def test_goods_change_hands_after_a_breakdown(town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await on_board(town, phone)
    rui, other = await town.hire("Rui")
    url = f"/v1/orders/{order['id']}"
    refused = await town.staff.post(f"{url}/reassign", json={"courier_id": rui})
    assert refused.status_code == 409
    given = await town.staff.post(f"{url}/transfer", json={"courier_id": rui})
    assert (given.status_code, given.json()["state"], given.json()["courier_id"]) == (200, "picked_up", rui)
    assert given.json()["picked_up_at"] == order["picked_up_at"]
    again = await town.staff.post(f"{url}/transfer", json={"courier_id": rui})
    assert again.json()["version"] == given.json()["version"]
    assert await stops_of(phone, ana) == []
    assert [stop[:2] for stop in await stops_of(other, rui)] == [(order["id"], "dropoff")]
    assert (await phone.post(f"{url}/delivered")).status_code == 403
    assert (await other.post(f"{url}/delivered")).json()["state"] == "delivered"


async def test_only_what_is_on_board_is_transferred(town):
    rui, _ = await town.hire("Rui")
    order = await town.place()
    answer = await town.staff.post(f"/v1/orders/{order['id']}/transfer", json={"courier_id": rui})
    assert (answer.status_code, answer.json()["code"]) == (409, "order-not-open")


@pytest.mark.parametrize("returning", [False, True])
async def test_nobody_leaves_with_goods_on_board(town, dispatcher, client_of, returning):
    ana, phone = await town.hire("Ana")
    order = await on_board(town, phone)
    if returning:
        await fail(town, phone, order)
    admin = await client_of(Role.ADMIN)
    for answer in (
        await admin.delete(f"/v1/couriers/{ana}"),
        await phone.post(f"/v1/couriers/{ana}/off-duty"),
        await town.staff.patch(f"/v1/couriers/{ana}", json={"on_duty": False}),
        await town.staff.post("/v1/plans/apply", json={"remove_couriers": [ana]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "goods-on-board"), answer.text
        assert answer.json()["order_ids"] == [order["id"]]
    rui, _ = await town.hire("Rui")
    await town.staff.post(f"/v1/orders/{order['id']}/transfer", json={"courier_id": rui})
    assert (await phone.post(f"/v1/couriers/{ana}/off-duty")).status_code == 200
    assert (await admin.delete(f"/v1/couriers/{ana}")).status_code == 204


async def test_deleted_courier_leaves_what_is_not_collected_to_others(town, dispatcher, client_of):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    _, other = await town.hire("Rui")
    assert (await (await client_of(Role.ADMIN)).delete(f"/v1/couriers/{ana}")).status_code == 204
    await town.offered(other, order["id"])
