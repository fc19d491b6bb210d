"""One thing done to many orders: a result for each, whatever becomes of the others."""

from uuid import uuid4

import pytest

from app.web.auth import Role
from tests.acceptance.test_orders import HOME, dispatcher, town
from tracking import events

__all__ = ["dispatcher", "town"]


async def bulk(town, action, order_ids, key=None, **more):
    headers = {} if key is None else {"Idempotency-Key": key}
    return await town.staff.post(
        "/v1/orders/bulk", json={"action": action, "order_ids": order_ids} | more, headers=headers
    )


async def told(town, order_id):
    return [
        event.type
        for event in await events.read(town.redis, "default", after=events.START)
        if event.facts.get("order_id") == order_id
    ]


async def test_orders_that_cannot_be_cancelled_are_told_and_the_others_are(town, client_of):
    open_ones = [(await town.place())["id"] for _ in range(3)]
    closed = (await town.place())["id"]
    await town.staff.post(f"/v1/orders/{closed}/cancel")
    unknown = str(uuid4())
    answer = await bulk(town, "cancel", [open_ones[0], closed, unknown, *open_ones[1:]], reason="the shop is closed")
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert (done["n_done"], done["n_failed"]) == (3, 2)
    assert [result["order_id"] for result in done["results"]] == [open_ones[0], closed, unknown, *open_ones[1:]]
    assert [result["status"] for result in done["results"]] == [200, 409, 404, 200, 200]
    problem = done["results"][1]["problem"]
    assert (problem["code"], problem["type"], problem["state"]) == (
        "order-not-open",
        "/problems/order-not-open",
        "cancelled",
    )
    for order_id in open_ones:
        order = await town.order(order_id)
        assert (order["state"], order["reason"]) == ("cancelled", "the shop is closed")
        assert "order.cancelled" in await told(town, order_id)
    admin = await client_of(Role.ADMIN)
    lines = (await admin.get("/v1/audit", params={"action": "order.cancel"})).json()["items"]
    assert {line["subject"] for line in lines} == {f"order:{order_id}" for order_id in [*open_ones, closed]}


async def test_orders_are_reassigned_pinned_and_let_go_together(town, dispatcher):
    _, near = await town.hire("Near")
    orders = [(await town.accepted(near))["id"] for _ in range(2)]
    rui, far = await town.hire("Rui", HOME)
    moved = (await bulk(town, "reassign", orders, courier_id=rui, pinned=False)).json()
    assert [(one["state"], one["courier_id"]) for one in moved["results"]] == [("assigned", rui)] * 2
    for order_id in orders:
        assert (await far.post(f"/v1/offers/{await town.offered(far, order_id)}/accept")).status_code == 200
    assert (await bulk(town, "pin", orders, reason="agreed")).json()["n_done"] == 2
    told_of_pin = (await town.staff.get(f"/v1/orders/{orders[0]}/events")).json()["items"]
    assert [event["reason"] for event in told_of_pin if event["action"] == "pin"] == ["agreed"]
    assert [(await town.order(order_id))["pinned"] for order_id in orders] == [True, True]
    assert (await bulk(town, "unpin", orders)).json()["n_done"] == 2
    assert not any([(await town.order(order_id)).get("pinned") for order_id in orders])


async def test_what_fails_leaves_nothing_behind(town, dispatcher):
    """An order of which a part was done is as it was, and nobody is told of it."""
    _, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    before = await town.order(order["id"])
    answer = (await bulk(town, "reassign", [order["id"]], courier_id=str(uuid4()))).json()
    assert [result["problem"]["code"] for result in answer["results"]] == ["courier-not-found"]
    assert (await town.order(order["id"]))["version"] == before["version"]


async def test_repeated_bulk_with_its_key_is_done_once(town):
    orders = [(await town.place())["id"] for _ in range(2)]
    first = await bulk(town, "cancel", orders, key="k")
    again = await bulk(town, "cancel", orders, key="k")
    assert (first.json()["n_done"], again.json()) == (2, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_order_named_twice_is_done_once(town):
    order = (await town.place())["id"]
    assert (await bulk(town, "cancel", [order, order])).json()["n_done"] == 1


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"action": "reassign", "order_ids": [str(uuid4())]}, "/courier_id"),
        ({"action": "cancel", "order_ids": [str(uuid4())], "courier_id": str(uuid4())}, "/courier_id"),
        ({"action": "cancel", "order_ids": []}, "/order_ids"),
        ({"action": "cancel", "order_ids": [str(uuid4())] * 201}, "/order_ids"),
        ({"action": "deliver", "order_ids": [str(uuid4())]}, "/action"),
    ],
)
async def test_bulk_that_cannot_be_meant_is_refused_with_its_pointer(town, wanted, pointer):
    answer = await town.staff.post("/v1/orders/bulk", json=wanted)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_bulk_is_for_dispatchers(town, client_of):
    order = (await town.place())["id"]
    support = await client_of(Role.SUPPORT)
    answer = await support.post("/v1/orders/bulk", json={"action": "cancel", "order_ids": [order]})
    assert answer.status_code == 403
