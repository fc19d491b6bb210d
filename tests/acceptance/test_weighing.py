"""Who could take an order, which order a courier could take, and what speaks against giving it away by hand."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.web.auth import Role
from tests.acceptance.test_orders import HOME, RESTAURANT, dispatcher, town

__all__ = ["dispatcher", "town"]

FAR = {"lat": 41.18, "lon": -8.65}


async def candidates(town, order_id):
    answer = await town.staff.get(f"/v1/orders/{order_id}/candidates")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_candidates_come_by_cost_and_the_others_with_their_reason(town):
    near, _ = await town.hire("Near")
    far, _ = await town.hire("Far", FAR)
    lost, _ = await town.hire("Lost", None)
    unskilled, _ = await town.hire("Unskilled", mode="car")
    home, phone = await town.hire("Home")
    await phone.post(f"/v1/couriers/{home}/off-duty")
    order = await town.place(mode="bicycle")
    told = await candidates(town, order["id"])
    assert [one["courier_id"] for one in told["candidates"]] == [near, far]
    first, second = told["candidates"]
    assert 0 < first["cost"] == sum(first["terms"].values()) < second["cost"]
    assert first["terms"]["travel"] < second["terms"]["travel"]
    assert first["pickup_at"] < first["dropoff_at"] < second["dropoff_at"]
    assert {one["courier_id"]: one["code"] for one in told["excluded"]} == {
        lost: "no_fresh_position",
        unskilled: "mode",
        home: "not_at_work",
    }
    assert all(one["text"] for one in told["excluded"])
    assert (told["n_candidates"], told["n_excluded"]) == (2, 3)
    assert {one["code"] for one in told["reasons"]} == {"no_fresh_position", "mode", "not_at_work"}


async def test_every_reason_is_told_not_only_the_first(town):
    ana, _ = await town.hire("Ana", None, mode="car", capacity=[1])
    order = await town.place(mode="bicycle", size={"units": 3})
    [excluded] = (await candidates(town, order["id"]))["excluded"]
    assert excluded["courier_id"] == ana
    assert {one["code"] for one in excluded["reasons"]} == {"no_fresh_position", "mode", "capacity"}


async def test_whoever_has_the_order_is_a_candidate_and_a_change_costs(town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    rui, _ = await town.hire("Rui")
    told = {one["courier_id"]: one["terms"] for one in (await candidates(town, order["id"]))["candidates"]}
    assert (told[ana]["change"], told[rui]["change"]) == (0, 600)


async def test_what_is_on_board_is_excluded_from_everybody_else(town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    await phone.post(f"/v1/orders/{order['id']}/picked-up")
    rui, _ = await town.hire("Rui")
    told = await candidates(town, order["id"])
    assert [one["courier_id"] for one in told["candidates"]] == [ana]
    assert [(one["courier_id"], one["code"]) for one in told["excluded"]] == [(rui, "pinned")]
    await phone.post(f"/v1/orders/{order['id']}/delivered")
    closed = await town.staff.get(f"/v1/orders/{order['id']}/candidates")
    assert (closed.status_code, closed.json()["code"]) == (409, "order-not-open")


async def test_order_far_ahead_has_candidates_too(town):
    ana, _ = await town.hire("Ana")
    opens_at = (datetime.now(UTC) + timedelta(hours=20)).isoformat()
    order = await town.place(pickup=RESTAURANT | {"window": {"from": opens_at}})
    assert [one["courier_id"] for one in (await candidates(town, order["id"]))["candidates"]] == [ana]


async def test_suggestions_are_the_free_orders_by_cost_and_the_others_with_their_reason(town):
    ana, _ = await town.hire("Ana")
    near = await town.place()
    far = await town.place(pickup=FAR)
    by_car = await town.place(mode="car")
    told = (await town.staff.get(f"/v1/couriers/{ana}/suggestions")).json()
    assert [one["order_id"] for one in told["suggestions"]] == [near["id"], far["id"]]
    costs = [one["cost"] for one in told["suggestions"]]
    assert costs == sorted(costs)
    assert told["suggestions"][0]["pickup"]["lat"] == RESTAURANT["lat"]
    assert [(one["order_id"], one["code"]) for one in told["excluded"]] == [(by_car["id"], "mode")]


async def test_orders_that_somebody_has_are_not_suggested(town, dispatcher):
    _, phone = await town.hire("Ana")
    await town.accepted(phone)
    rui, _ = await town.hire("Rui", HOME)
    told = (await town.staff.get(f"/v1/couriers/{rui}/suggestions")).json()
    assert (told["suggestions"], told["excluded"]) == ([], [])


async def test_weighing_is_for_support(town, client_of):
    ana, phone = await town.hire("Ana")
    order = await town.place()
    urls = (f"/v1/orders/{order['id']}/candidates", f"/v1/couriers/{ana}/suggestions")
    support, viewer = await client_of(Role.SUPPORT), await client_of(Role.VIEWER)
    assert [(await support.get(url)).status_code for url in urls] == [200, 200]
    assert [(await who.get(url)).status_code for who in (viewer, phone) for url in urls] == [403] * 4


UNFIT = {
    "not_at_work": ({}, {}),
    "skills": ({}, {"skills": ["cold"]}),
    "mode": ({}, {"mode": "car"}),
    "capacity": ({"capacity": [2]}, {"size": {"units": 3}}),
    "too_far": ({}, {"pickup": {"lat": 44.0, "lon": -8.61}}),
}


@pytest.mark.parametrize("code", UNFIT)
async def test_order_is_given_to_an_unsuitable_courier_only_by_force(town, client_of, code):
    courier, order = UNFIT[code]
    ana, phone = await town.hire("Ana", **courier)
    if code == "not_at_work":
        await phone.post(f"/v1/couriers/{ana}/off-duty")
    placed = await town.place(**order)
    url, wanted = f"/v1/orders/{placed['id']}/reassign", {"courier_id": ana, "reason": "I know"}
    refused = await town.staff.post(url, json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (409, "courier-unsuitable")
    assert code in [one["code"] for one in refused.json()["reasons"]]
    assert (await town.order(placed["id"]))["state"] == "placed"
    pinned = await town.staff.post(f"/v1/orders/{placed['id']}/pin", json={"courier_id": ana})
    assert pinned.json()["code"] == "courier-unsuitable"
    bulk = {"action": "reassign", "order_ids": [placed["id"]], "courier_id": ana}
    [result] = (await town.staff.post("/v1/orders/bulk", json=bulk)).json()["results"]
    assert (result["status"], result["problem"]["code"]) == (409, "courier-unsuitable")
    applied = await town.staff.post("/v1/plans/apply", json={"assign": [{"order_id": placed["id"], "courier_id": ana}]})
    assert applied.json()["code"] == "courier-unsuitable"

    forced = await town.staff.post(url, json=wanted | {"force": True})
    assert (forced.status_code, forced.json()["courier_id"]) == (200, ana)
    assert code in [one["code"] for one in forced.json()["warnings"]]
    admin = await client_of(Role.ADMIN)
    [line] = (await admin.get("/v1/audit", params={"action": "order.reassign"})).json()["items"]
    assert line["facts"]["forced"] is True
    assert code in line["facts"]["warnings"]


async def test_orders_of_one_bulk_are_judged_beside_each_other(town):
    ana, _ = await town.hire("Ana", max_orders=2)
    orders = [(await town.place())["id"] for _ in range(3)]
    bulk = {"action": "reassign", "order_ids": orders, "courier_id": ana}
    results = (await town.staff.post("/v1/orders/bulk", json=bulk)).json()["results"]
    assert [result["status"] for result in results] == [200, 200, 409]
    assert [reason["code"] for reason in results[2]["problem"]["reasons"]] == ["max_orders"]


async def test_silent_phone_is_a_warning_not_an_obstacle(town):
    """A dispatcher may have the courier on the telephone."""
    ana, _ = await town.hire("Ana", None)
    order = await town.place()
    answer = await town.staff.post(f"/v1/orders/{order['id']}/reassign", json={"courier_id": ana})
    assert answer.status_code == 200
    assert [one["code"] for one in answer.json()["warnings"]] == ["no_fresh_position"]


async def test_parcel_of_which_no_units_are_told_is_one(town):
    """Whatever else its size says: a courier without room for a unit cannot have it."""
    await town.hire("Ana", capacity=[0])
    for size in ({"weight_g": 500}, {}):
        order = await town.place(size=size)
        [excluded] = (await candidates(town, order["id"]))["excluded"]
        assert excluded["code"] == "capacity"
    nothing = await town.place(size={"units": 0})
    assert (await candidates(town, nothing["id"]))["n_candidates"] == 1


async def test_order_that_cannot_be_used_is_told_as_set_aside(town, database_url):
    ana, _ = await town.hire("Ana")
    order = await town.place()
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE orders SET ready_at = '0001-01-01T00:00:00Z' WHERE id = $1", order["id"])
    await connection.close()
    told = await candidates(town, order["id"])
    assert told["candidates"] == []
    assert {one["courier_id"]: one["code"] for one in told["excluded"]} == {ana: "set_aside"}
